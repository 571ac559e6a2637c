"""Caches of a kind of their own, of which nothing is known but that they can be copied.

Nothing can be cut out of them. What is kept of a path is a copy of all of them at the end of a node, and from
there the path is read on.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import mlx.core as mx


def arrays_in(value: Any) -> Iterator[mx.array]:
    """Every array that a cache (or a list of caches) holds."""
    match value:
        case mx.array():
            yield value
        case dict():
            yield from arrays_in(list(value.values()))
        case list() | tuple():
            for item in value:
                yield from arrays_in(item)
        case _:
            if hasattr(value, "__dict__"):
                yield from arrays_in(vars(value))


@dataclass(frozen=True, slots=True)
class CacheCopy:
    """A model's own caches at one position of a path."""

    caches: list[Any]
    nbytes: int

    @staticmethod
    def of(caches: list[Any]) -> CacheCopy:
        """A copy that nothing else changes."""
        mx.eval(list(arrays_in(caches)))
        copied = copy.deepcopy(caches)
        arrays = list(arrays_in(copied))
        mx.eval(arrays)
        return CacheCopy(copied, sum(array.nbytes for array in arrays))

    def fresh(self) -> list[Any]:
        """Caches to go on with."""
        return copy.deepcopy(self.caches)
