"""What a file holds of a node is unpacked when it is first asked for: of a hundred thousand nodes hardly any ever is.

An attribute that was never set leads to `__getattr__`; one that was set costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class LateSpan(Protocol):
    """Packed token ids with their ends, known to be in order."""

    def __len__(self) -> int:
        """How many tokens they are."""
        ...

    def __call__(self) -> tuple[list[int], list[int]]:
        """Token ids and ends."""
        ...


class Late:
    """The part of `Heddle` that fills in `tokens`, `ends` and `provenance`. None where nothing waits."""

    __slots__ = ("_late_provenance", "_late_span")

    _late_span: LateSpan | None
    _late_provenance: Callable[[], dict[str, Any]] | None

    def __getattr__(self, name: str) -> Any:
        if name in {"tokens", "ends"} and self._late_span is not None:
            span = self._late_span()
            self._late_span = None
            for attribute, numbers in zip(("tokens", "ends"), span, strict=True):
                if not _is_set(self, attribute):
                    setattr(self, attribute, numbers)
            return getattr(self, name)
        if name == "provenance" and self._late_provenance is not None:
            value = self._late_provenance()
            self._late_provenance = None
            setattr(self, name, value)
            return value
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def token_count(self) -> int:
        """How many tokens the node has."""
        return len(self.tokens) if self._late_span is None else len(self._late_span)


def _is_set(heddle: Late, attribute: str) -> bool:
    try:
        object.__getattribute__(heddle, attribute)
    except AttributeError:
        return False
    return True
