"""The states of the rows of a batch: what layers hold that keep nothing per token (recurrent, convolutional)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import ArraysCache

from .fragments import Snapshot
from .layers import Layout
from .radix import State
from .rows import GONE, Fragments, Joining

Arrays = list[list[mx.array | None]]
"""Of each leaf its arrays, `[rows, …]`; None for one that is still unset."""


class RowStates:
    """The states of all rows, in their order. `leaves` are what the model is given."""

    def __init__(self, layout: Layout) -> None:
        self.leaves = [ArraysCache(layout.leaves[i].size) for i in layout.state]
        self._before: list[ArraysCache] | None = None
        """The states as they were before the last step, until rows come or go."""

    @property
    def arrays(self) -> list[mx.array]:
        """All arrays that are set."""
        return [array for leaf in self.leaves for array in leaf.cache if array is not None]

    @property
    def nbytes(self) -> int:
        """Bytes of the states, now and before the last step; 0 before any is known."""
        return 2 * sum(int(array.nbytes) for array in self.arrays)

    def joined(self, rows: int, joining: Sequence[Joining[Any]], held: Fragments) -> Arrays:
        """The states of so many rows with those of new ones behind them. An unset one is as good as zeros.

        Raises:
            ValueError: a path's state is not held.
        """
        unset = tuple((None,) * len(leaf.cache) for leaf in self.leaves)
        more: list[tuple[tuple[mx.array | None, ...], ...]] = []
        for one in joining if self.leaves else ():
            position = len(one.path) - 1
            state = held.snapshot(one.path, position) if position else None
            if position and not isinstance(state, Snapshot):
                raise ValueError(GONE)
            more += [state.arrays if isinstance(state, Snapshot) else unset] * len(one.owners)
        states = [
            [
                _concatenated(array, rows, [row[number][slot] for row in more])
                for slot, array in enumerate(leaf.cache)
            ]
            for number, leaf in enumerate(self.leaves)
        ]
        _evaluate(states)
        return states

    def put(self, states: Arrays) -> None:
        """Put states in place: of other rows than before."""
        _evaluate(states)
        self._before = None
        for leaf, arrays in zip(self.leaves, states, strict=True):
            leaf.cache = list(arrays)

    def keep(self, index: Sequence[int]) -> None:
        """Keep these rows, in this order."""
        chosen = mx.array(list(index))
        self.put(
            [
                [None if array is None or not index else array[chosen] for array in leaf.cache]
                for leaf in self.leaves
            ]
        )

    def begin_step(self) -> None:
        """Remember the states. The model then replaces them."""
        self._before = [_alike(leaf) for leaf in self.leaves]

    def of_row(self, row: int, position: int) -> dict[int, State]:
        """The states of a row that stands at this path position, now and one token earlier, by position.

        A node is continued by feeding its last token again, and that may not have been fed (where the branch
        was as long as it may be) or may have (where the model ended it).
        """
        if not self.leaves:
            return {}
        found: dict[int, State] = {position: Snapshot.of(self.leaves, row)}
        if self._before is not None:
            found[position - 1] = Snapshot.of(self._before, row)
        return found


def _alike(leaf: ArraysCache) -> ArraysCache:
    """A leaf with the same arrays, which the model then replaces in the other."""
    same = ArraysCache(len(leaf.cache))
    same.cache = list(leaf.cache)
    return same


def _evaluate(states: Arrays) -> None:
    mx.eval([array for arrays in states for array in arrays if array is not None])


def _concatenated(array: mx.array | None, rows: int, more: Sequence[mx.array | None]) -> mx.array | None:
    """A state's array of so many rows, and those of further rows, each `[1, …]`; zeros for what is unset."""
    like = next((each for each in (array, *more) if each is not None), None)
    if like is None:
        return None
    empty = mx.zeros((1, *like.shape[1:]), like.dtype)
    parts = [mx.repeat(empty, rows, axis=0) if array is None else array] if rows else []
    return mx.concatenate([*parts, *(empty if each is None else each for each in more)])
