"""Rows that decode together: what they are, what they begin with, and what whoever decodes them can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from .fragments import Fragment
from .radix import Piece, State
from .sharing import Level

T = TypeVar("T")
GONE = "what stood before it was dropped from memory meanwhile; try again"
Logits = npt.NDArray[np.float32]
"""`[rows, vocabulary]`."""


class Fragments(Protocol):
    """Where fragments come from: the store."""

    def get(self, path: Sequence[int], start: int, stop: int) -> Fragment | None:
        """The fragment of `path[start:stop]`; None where it is not covered, or empty."""
        ...

    def pieces(self, path: Sequence[int], start: int, stop: int) -> list[Piece]:
        """The same as it lies in memory; nothing where it is not covered, or empty."""
        ...

    def snapshot(self, path: Sequence[int], position: int) -> State | None:
        """The state behind the path's first `position` tokens; None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Joining(Generic[T]):
    """Branches that go on from one path. Its last token is the first that they feed.

    `reach`: how many tokens each of them may add to it at most.
    """

    path: list[int]
    owners: Sequence[T]
    reach: int = 0


@dataclass(slots=True, eq=False)
class Row(Generic[T]):
    """A branch in the batch.

    `level` is the deepest of its levels, None for none; `length` how many own columns it has filled, and
    `position` the path position of the token that it feeds next, which never gets to `limit`. `broken`: it
    computed what is no number.
    """

    owner: T
    level: Level | None
    length: int
    position: int
    limit: int = 0
    broken: bool = False


class Rows(Protocol[T]):
    """Rows that decode together, however that is done."""

    rows: list[Row[T]]
    room: int
    """How many bytes they may take for what only makes their steps faster."""

    def __len__(self) -> int: ...

    @property
    def nbytes(self) -> int:
        """What the rows take, in bytes."""
        ...

    def footprint(self, joining: Sequence[Joining[T]], held: Fragments) -> int:
        """About how many bytes all rows take at most, if these join and no other does; without what the store lends."""
        ...

    def join(self, joining: Sequence[Joining[T]], held: Fragments) -> None:
        """Add rows behind the last. What is before the last token of each path must be held.

        Raises:
            ValueError: a path is not held. The rows are as they were.
        """
        ...

    def forward(self, tokens: list[int]) -> Logits:
        """Feed one token per row. Returns their logits, in the rows' order."""
        ...

    def cut(self, index: int, start: int) -> Fragment | None:
        """What row number `index` has computed from path position `start` on. None for nothing."""
        ...

    def snapshots(self, index: int) -> dict[int, State]:
        """The states that row number `index` has passed through and that are at hand, by path position."""
        ...

    def leave(self, gone: Callable[[T], bool]) -> None:
        """Take rows out. The order of those that stay may change."""
        ...
