"""A batch whose steps a `Network` does: the same rows and levels, with the rows' own columns in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any, TypeVar

import mlx.core as mx
import numpy as np

from n8loom_tui.loom.batch import Batch
from n8loom_tui.loom.columns import ROOM_STEP, Pair
from n8loom_tui.loom.fragments import Fragment
from n8loom_tui.loom.layers import Layout
from n8loom_tui.loom.radix import Piece
from n8loom_tui.loom.rows import Logits
from n8loom_tui.loom.sharing import Level

from .network import Network
from .passes import Own, Pass, Place, Span
from .team import shared_out
from .workspace import Floats, Layers

OVERHEAD_BYTES_COMPILED = 64 << 10
"""What a level costs in compiled code, as bytes of own keys and values that are read in that time.

Measured with SmolLM2: with 32 rows a level of 16 tokens takes as long as one of 26, and two rows gain by sharing 32."""

T = TypeVar("T")


class NumpyColumns:
    """The own keys and values of all rows for one layer, `[room, kv_heads, room, dim]`, written in place."""

    def __init__(self) -> None:
        self._rows = 0
        self._reserved = (0, 0)
        self.arrays: list[Floats] = []
        """Keys and values; none before the first are known."""

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.arrays)

    def add(self, owns: Sequence[Pair | None]) -> None:
        """New rows behind the last, each with what it begins with (None: nothing)."""
        first, self._rows = self._rows, self._rows + len(owns)
        try:
            self._fill(first, owns)
        except BaseException:
            self._rows = first
            raise

    def _fill(self, first: int, owns: Sequence[Pair | None]) -> None:
        longest = max((own[0].shape[1] for own in owns if own is not None), default=0)
        some = next((own for own in owns if own is not None), None)
        if self.arrays or some is not None:
            self.fit(longest, some[0].shape if some is not None else ())
        for row, own in enumerate(owns, first):
            for array, part in zip(self.arrays, own or (), strict=False):
                array[row, :, : part.shape[1]] = part

    def cut(self, row: int, start: int, stop: int) -> Pair:
        """One row's columns `start` up to `stop`, `[kv_heads, stop - start, dim]`, as copies."""
        keys, values = (mx.array(array[row, :, start:stop]) for array in self.arrays)
        return keys, values

    def keep(self, rows: Sequence[int]) -> None:
        """Row `i` becomes what row `rows[i]` was; all others are gone."""
        self._rows = len(rows)
        if not rows:
            self.arrays, self._reserved = [], (0, 0)
        moved = [index for index, row in enumerate(rows) if index != row]
        for array in self.arrays:
            array[moved] = array[[rows[index] for index in moved]]

    def wipe(self, row: int) -> None:
        """Forget the numbers of a row, which may be none (NaN): they must not get near another row."""
        for array in self.arrays:
            array[row] = 0.0

    def reserve(self, rows: int, columns: int) -> None:
        """Have room for so many rows and columns, now rather than when they come. Never makes it less."""
        self._reserved = (max(rows, self._reserved[0]), max(columns, self._reserved[1]))
        if self.arrays:
            self.fit(0)

    def fit(self, columns: int, shape: Sequence[int] = ()) -> None:
        """Have room for all rows and so many columns. `shape` is `[kv_heads, …, dim]`, needed at first."""
        rows, wanted = max(self._rows, self._reserved[0]), max(columns, self._reserved[1])
        have = self.arrays[0].shape if self.arrays else (0, shape[0], 0, shape[-1])
        if rows <= have[0] and wanted <= have[2]:
            return
        rows, wanted = max(rows, have[0]), max(have[2], -(-wanted // ROOM_STEP) * ROOM_STEP)
        grown = [np.zeros((rows, have[1], wanted, have[3]), dtype=np.float32) for _ in range(2)]
        for new, old in zip(grown, self.arrays, strict=False):
            new[: have[0], :, : have[2]] = old
        self.arrays = grown


def _by_head(arrays: Sequence[Floats]) -> Layers:
    """The arrays of all layers, with the tokens of each head one behind the other in memory, in all alike."""
    layers = Layers(
        array if array[:1].flags.c_contiguous else np.ascontiguousarray(array) for array in arrays
    )
    if len({array.strides for array in layers}) > 1:
        return Layers(np.array(array, order="C") for array in layers)
    return layers


def _packed(fragment: Fragment) -> tuple[Floats, Floats]:
    """Keys and values, `[layers, kv_heads, tokens, dim]`: a network's layers are all of the same shape."""
    (keys,), (values,) = fragment.keys, fragment.values
    return np.array(keys, copy=False), np.array(values, copy=False)


def _packed_by_head(packed: Floats) -> Floats:
    """An array of all layers, with the tokens of each head one behind the other in memory."""
    return packed if packed[:1, :1].flags.c_contiguous else np.ascontiguousarray(packed)


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """Keys and values of all layers as NumPy arrays, `[kv_heads, tokens, dim]`: MLX's memory where it lies so.

    `source`: what they are views of.
    """

    source: Piece | Sequence[Pair]
    keys: Sequence[Floats]
    values: Sequence[Floats]

    @staticmethod
    def of(pairs: Sequence[Pair]) -> Views:
        """The views of MLX's arrays, which are evaluated."""
        keys, values = (_by_head([np.array(pair[part], copy=False) for pair in pairs]) for part in range(2))
        return Views(pairs, keys, values)

    @staticmethod
    def lent(piece: Piece) -> Views:
        """The views of a piece of a fragment."""
        packed = (array[:, :, piece.start : piece.stop] for array in _packed(piece.fragment))
        return Views(piece, *(Layers.of(_packed_by_head(array)) for array in packed))

    @staticmethod
    def of_level(level: Level) -> Views:
        return Views.lent(level.lent) if level.lent is not None else Views.of(level.pairs)


class NetworkBatch(Batch[T]):
    """Rows that decode together through a `Network`."""

    def __init__(self, model: Any, layout: Layout, network: Network, *, overhead: int | None = None) -> None:
        self._own: list[NumpyColumns] = []

        def columns() -> NumpyColumns:
            self._own.append(NumpyColumns())
            return self._own[-1]

        super().__init__(model, layout, columns=columns, overhead=overhead)
        self._network = network
        self._views: list[Views] = []
        """The spans' keys and values."""
        self._known = Layers(), Layers()
        """The rows' own keys and values, as the last step had them."""

    def _sharing_cost(self, rows: int) -> int:
        """One row alone reads what the store lends as fast as a copy."""
        return super()._sharing_cost(rows) if rows > 1 else 0

    @property
    def _overhead_bytes(self) -> int:
        known = super()._overhead_bytes
        return min(known, OVERHEAD_BYTES_COMPILED) if self._network.compiled else known

    def _by_leaf(self, fragment: Fragment) -> list[tuple[Any, Any]]:
        return list(zip(*_packed(fragment), strict=True))

    def _let_go_of_columns(self) -> None:
        self._known = Layers(), Layers()

    def _arrange(self) -> None:
        super()._arrange()
        self._let_go_of_columns()  # nothing is held of rows that are gone
        known = {id(view.source): view for view in self._views}
        levels = [span.level for span in self.spans]
        self._views = [known.get(id(level.lent or level.pairs)) or Views.of_level(level) for level in levels]

    @shared_out()
    def forward(self, tokens: list[int]) -> Logits:
        """Feed one token per row. Returns their logits, in the rows' order, valid until the next step."""
        hidden = self._network.run(self._pass(tokens))
        if self.order is not None:
            hidden = hidden[np.argsort(self.order)]
        logits = self._network.logits(hidden)
        self.end_step()
        return logits

    def _pass(self, tokens: list[int]) -> Pass:
        """The next token of each row. It holds the columns, which may become larger when a step has ended: it must be
        gone by then."""
        order = np.array(self.order if self.order is not None else range(len(self.rows)), dtype=np.int64)
        lengths = np.array([row.length for row in self.rows], dtype=np.int64)[order]
        positions = np.array([row.position for row in self.rows], dtype=np.int64)[order]
        heads = self._network.heads
        for columns in self._own:
            columns.fit(int(lengths.max()) + 1, (heads.kv, heads.dim))
        own = Own(*self._own_layers(), order, lengths + 1)
        spans = [
            Span(span.low, span.high, span.level.start, span.level.stop, view.keys, view.values)
            for span, view in zip(self.spans, self._views, strict=True)
        ]
        fed = np.array(tokens, dtype=np.int64)[order]
        place = Place(0, len(order), own.keys, own.values, order, lengths)
        return Pass(fed, positions, [place], spans, own)

    def _own_layers(self) -> tuple[Layers, Layers]:
        """The own columns of all layers. They are the same arrays from one step to the next, until there are more."""
        keys, values = ([columns.arrays[part] for columns in self._own] for part in range(2))
        known, _ = self._known
        if len(known) != len(keys) or not all(map(is_, known, keys)):
            self._known = Layers(keys), Layers(values)
        return self._known
