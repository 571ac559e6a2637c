"""What a load reports while it runs, and how it is called off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """The steps of a load, in the order in which they can occur; each model needs only some of them."""

    DOWNLOAD = "download"
    VERIFY = "verify"
    UNPACK = "unpack"
    CONVERT = "convert"
    WEIGHTS = "weights"
    TOKENIZER = "tokenizer"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Progress:
    """One report. `done` and `total` are bytes (DOWNLOAD, VERIFY, UNPACK) or steps (the rest).

    Within a stage `done` never falls; `total` is `None` where it is not known.
    """

    stage: Stage
    done: int = 0
    total: int | None = None
    note: str = ""

    @property
    def fraction(self) -> float | None:
        """The share that is done, 0 to 1; `None` without a total."""
        return min(1.0, self.done / self.total) if self.total else None


ProgressCallback = Callable[[Progress], None]
"""Called on the loading thread. It may raise `Cancelled`: the load stops and leaves nothing half-written."""


class Cancelled(Exception):
    """Raised by a progress callback to call the load off; `load` lets it pass to its caller."""


def ignore(_progress: Progress) -> None:
    """The callback of those who do not ask."""
