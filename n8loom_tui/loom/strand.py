"""Paths on their way through the model: the caches they are read with, and what is cut out of them.

A strand has a row per path. The rows are as long as they are; what they have in common at their beginning is
held once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import make_prompt_cache

from .caches import Pair, PathCache, PathsCache
from .fragments import Fragment, Snapshot
from .layers import Layout, assemble, flatten
from .opaque import CacheCopy, arrays_in
from .radix import State, common_length
from .ranking import Logits
from .rows import GONE, Fragments


@dataclass(slots=True, eq=False)
class Row:
    """What is read of one path: from `start` up to `stop`, and the positions whose states are to be kept.

    `known` is how much of the path had been read once, when it was begun; `kept` what is in the store by now.
    """

    path: list[int]
    start: int
    stop: int
    marks: frozenset[int] = frozenset()
    position: int = 0
    kept: int = 0
    known: int = 0

    def __post_init__(self) -> None:
        self.position = self.kept = self.start


def _padded(fragments: Sequence[Fragment | None], leaf: int, part: int, width: int) -> mx.array:
    """One leaf's keys (`part` 0) or values of several fragments, aligned to their ends."""
    like = next(fragment.layer(leaf)[part] for fragment in fragments if fragment is not None)
    rows = []
    for fragment in fragments:
        if fragment is None:
            rows.append(mx.zeros((like.shape[0], width, like.shape[2]), like.dtype))
        else:
            rows.append(mx.pad(fragment.layer(leaf)[part], [(0, 0), (width - len(fragment), 0), (0, 0)]))
    return mx.stack(rows)


def shared_length(rows: Sequence[Row]) -> int:
    """How many of the tokens that stand before them all rows have in common."""
    first = rows[0].path
    return min(min(row.start, common_length(first, row.path)) for row in rows)


def held_fragment(held: Fragments, path: list[int], start: int, stop: int) -> Fragment | None:
    """A fragment that must be there; None for no tokens.

    Raises:
        ValueError: it is not.
    """
    fragment = held.get(path, start, stop) if stop > start else None
    if fragment is None and stop > start:
        raise ValueError(GONE)
    return fragment


class Strand:
    """The caches of rows that are read together."""

    def __init__(self, model: Any, layout: Layout, held: Fragments, rows: Sequence[Row]) -> None:
        """The caches of `rows`, which go on from what is held of their paths.

        Raises:
            ValueError: it is not held.
        """
        self._model = model
        self.layout = layout
        self.rows = list(rows)
        fresh = make_prompt_cache(model)
        states = [self._state(held, row) for row in self.rows]
        if layout.opaque:
            (known,) = states
            self.caches = known.fresh() if isinstance(known, CacheCopy) else fresh
            return
        self._leaves = flatten(fresh)
        self._shared = shared_length(self.rows)
        self._fill_keys(held)
        snapshots = [state for state in states if isinstance(state, Snapshot)]
        if snapshots:
            Snapshot.stacked(snapshots).fill(self._state_leaves)
        self.caches = assemble(layout, self._leaves)

    def _state(self, held: Fragments, row: Row) -> State | None:
        """The state that a row goes on from; None where it has none."""
        state = held.snapshot(row.path, row.start)
        if state is None and row.start and self.layout.stateful:
            raise ValueError(GONE)
        return state

    def _fill_keys(self, held: Fragments) -> None:
        """Put caches that hold the paths' beginnings in the place of those with keys and values."""
        first, several = self.rows[0], len(self.rows) > 1
        common = held_fragment(held, first.path, 0, self._shared)
        owns = [held_fragment(held, row.path, self._shared, row.start) for row in self.rows if several]
        width = max((len(own) for own in owns if own is not None), default=0)
        starts = [width - (row.start - self._shared) for row in self.rows]
        for ordinal, index in enumerate(self.layout.kv):
            window = self.layout.leaves[index].window
            known = common.layer(ordinal) if common is not None else None
            if several:
                own: Pair | None = None
                if width:
                    own = (_padded(owns, ordinal, 0, width), _padded(owns, ordinal, 1, width))
                self._leaves[index] = PathsCache(known, own, starts, window)
            else:
                self._leaves[index] = PathCache(known, window, first.stop)

    @property
    def _state_leaves(self) -> list[Any]:
        return [self._leaves[index] for index in self.layout.state]

    def read(self, chunk: Sequence[Sequence[int]]) -> None:
        """Read the next tokens of each row, which are given.

        Shorter rows are filled up; behind a causal mask that changes nothing. The logits are never asked for, so
        MLX never computes the output layer.
        """
        width = max(map(len, chunk))
        filled = [[*span, *[span[-1]] * (width - len(span))] for span in chunk]
        self._model(mx.array(filled), cache=self.caches)
        mx.eval(list(arrays_in(self.caches)))

    def logits(self, tokens: Sequence[int]) -> Logits:
        """Read the next tokens of the only row. The logits behind each of them, `[tokens, vocabulary]`, float32."""
        logits = self._model(mx.array([list(tokens)]), cache=self.caches)[0].astype(mx.float32)
        mx.eval(logits, list(arrays_in(self.caches)))
        return np.array(logits, copy=False)

    def fragment(self, row: Row, start: int, stop: int) -> Fragment:
        """The keys and values of `row.path[start:stop]`, which have been read."""
        if self.layout.opaque:
            return Fragment.pack([], stop - start)
        number = self.rows.index(row)
        pairs = []
        for index in self.layout.kv:
            leaf = self._leaves[index]
            shift = leaf.starts[number] - self._shared if isinstance(leaf, PathsCache) else 0
            span = slice(start + shift, stop + shift)
            pairs.append((leaf.keys[number, :, span], leaf.values[number, :, span]))
        return Fragment.pack(pairs, stop - start)

    def snapshot(self, row: Row) -> State | None:
        """The state of a row where it is now; None where the model has none."""
        if self.layout.opaque:
            return CacheCopy.of(self.caches)
        leaves = self._state_leaves
        return Snapshot.of(leaves, self.rows.index(row)) if leaves else None

    def keep(self, rows: Sequence[Row]) -> None:
        """Go on with these rows alone."""
        numbers = [self.rows.index(row) for row in rows]
        self.rows = list(rows)
        if not rows:
            return
        for leaf in self._leaves:
            if isinstance(leaf, PathsCache):
                leaf.keep(numbers)
        for leaf in self._state_leaves:
            leaf.cache = [None if array is None else array[mx.array(numbers)] for array in leaf.cache]
