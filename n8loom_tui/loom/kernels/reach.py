"""Attention of many rows over the spans of keys and values that they share, and over columns of their own.

A `Reach` says, once for all layers of a step, which row attends to what. Scores of all parts stand side by side,
for one softmax; the rows of a key head lie together, so that a span that many rows share costs one product per
head, whatever their number. Compiled code does it, or NumPy where there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .native import PLAN, Code, code, rooms
from .workspace import FLOAT, Floats, Workspace, address

Whole = npt.NDArray[np.int64]
Causal = Sequence[tuple[int, int, int]]
"""Triples `(low, high, start)`: row `low + i` sees the columns from `start` on only up to `start + i`."""
TILE_FLOATS = 1 << 18
"""How many scores of a head are held at the same time: what stays in the second cache."""
TILE_ROWS = 4
"""Never fewer rows than so many are done together."""


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Keys and values that the rows from `low` up to `high` share, for the columns from `start` up to `stop`.

    `keys[layer]` and `values[layer]`: `[kv_heads, at least stop - start, dim]`, each head's part contiguous.
    """

    low: int
    high: int
    start: int
    stop: int
    keys: Sequence[Floats]
    values: Sequence[Floats]

    def among(self, low: int, high: int) -> Span | None:
        """The same for the rows from `low` up to `high`, counted from there; None if none of them has part in it."""
        first, last = max(self.low, low) - low, min(self.high, high) - low
        return replace(self, low=first, high=last) if first < last else None


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """What each row has for itself: `keys[layer]`, `[at least rows, kv_heads, room, dim]`. Row `i` of the step has its
    own at index `order[i]` there, and has filled the first `lengths[i]` columns."""

    keys: Sequence[Floats]
    values: Sequence[Floats]
    order: Whole
    lengths: Whole

    @property
    def width(self) -> int:
        """How many columns are in use."""
        return int(self.lengths.max())

    def among(self, low: int, high: int) -> Own:
        """The same for the rows from `low` up to `high`."""
        return replace(self, order=self.order[low:high], lengths=self.lengths[low:high])


@dataclass(frozen=True, slots=True)
class Heads:
    """The heads of an attention layer. `group`: how many query heads share a key head."""

    kv: int
    group: int
    dim: int

    def work(self, rows: int, columns: int) -> int:
        """About how many multiplications attention takes where so many rows look at so many columns."""
        return 2 * rows * columns * self.kv * self.group * self.dim


class Reach(Protocol):
    """Who attends to what, for every layer of one step."""

    queries: Floats
    """To be filled before each layer, scaled: `[kv_heads, rows, group, dim]`."""

    def attend(self, layer: int, out: Floats) -> None:
        """Attention of `queries`, into `out`, contiguous: `[rows, kv_heads, group, dim]`."""


def reach(
    heads: Heads,
    rows: int,
    spans: Sequence[Span],
    own: Own | None,
    space: Workspace,
    causal: Causal = (),
) -> Reach:
    """What some rows attend to. It computes in `space`: two of one space must not run at the same time."""
    known = code()
    ordered = sorted(spans, key=lambda span: span.start)
    if known is None:
        return PlainReach(heads, rows, ordered, own, space, causal)
    return CompiledReach(known, heads, rows, ordered, own, space, causal)


def seen(span: Span, causal: Causal) -> Whole:
    """How many of a span's columns each of its rows sees."""
    width = span.stop - span.start
    count = np.full(span.high - span.low, width, dtype=np.int64)
    for low, high, start in causal:
        first, last = max(low, span.low), min(high, span.high)
        if first < last:
            upto = np.arange(first - low, last - low) + start + 1 - span.start
            mine = count[first - span.low : last - span.low]
            np.minimum(mine, upto.clip(0, width), out=mine)
    return count


class CompiledReach:
    """A `Reach` whose code is compiled."""

    def __init__(
        self,
        known: Code,
        heads: Heads,
        rows: int,
        spans: Sequence[Span],
        own: Own | None,
        space: Workspace,
        causal: Causal,
    ) -> None:
        self._attention, self._spans, self._own = known.attention, spans, own
        prefix = max((span.stop for span in spans), default=0)
        columns = prefix + (own.width if own is not None else 0)
        self.queries = space.take("queries", heads.kv, rows, heads.group, heads.dim)
        tile = min(rows, max(TILE_ROWS, TILE_FLOATS // max(1, heads.group * columns)))
        table = np.zeros((len(spans), 6), dtype=np.int64)
        visible = np.zeros((len(spans), rows), dtype=np.int64)
        before = np.zeros(rows, dtype=np.int64)
        for number, span in enumerate(spans):
            steps = (span.keys[0].strides[0] // FLOAT, span.values[0].strides[0] // FLOAT)
            table[number] = (span.low, span.high, span.start, span.stop - span.start, *steps)
            visible[number, span.low : span.high] = seen(span, causal)
            np.maximum(before[span.low : span.high], span.stop, out=before[span.low : span.high])
        none = np.zeros(0, dtype=np.int64)
        order = np.ascontiguousarray(own.order, dtype=np.int64) if own is not None else none
        lengths = np.ascontiguousarray(own.lengths, dtype=np.int64) if own is not None else none
        sizes = {"scores": tile * heads.group * columns}
        sizes |= rooms(known.machine, tile, heads.group, heads.dim, columns)
        room = {name: space.take(f"attention {name}", size) for name, size in sizes.items()}
        said = {
            "queries": address(self.queries),
            "rows": rows,
            "group": heads.group,
            "heads": heads.kv,
            "dim": heads.dim,
            "columns": columns,
            "tile": tile,
            "spans": address(table),
            "span_count": len(spans),
            "visible": address(visible),
            "order": address(order),
            "lengths": address(lengths),
            "own_columns": prefix,
            "own_positions": address(before),
        }
        said |= {name: address(array) for name, array in room.items()}
        self._plan = np.array([said[name] for name in PLAN], dtype=np.int64)
        self._places = np.zeros((len(spans), 2), dtype=np.int64)
        self._held = (table, visible, before, order, lengths, room)

    def attend(self, layer: int, out: Floats) -> None:
        for place, span in zip(self._places, self._spans, strict=True):
            place[:] = address(span.keys[layer]), address(span.values[layer])
        own = (0, 0, 0)
        if self._own is not None:
            keys, values = self._own.keys[layer], self._own.values[layer]
            own = (address(keys), address(values), keys.shape[2])
        self._attention(address(self._plan), address(self._places), *own, address(out))


class PlainReach:
    """A `Reach` in NumPy."""

    def __init__(
        self,
        heads: Heads,
        rows: int,
        spans: Sequence[Span],
        own: Own | None,
        space: Workspace,
        causal: Causal,
    ) -> None:
        self._rows, self._spans, self._own = rows, spans, own
        self._prefix = max((span.stop for span in spans), default=0)
        self._columns = self._prefix + (own.width if own is not None else 0)
        self.queries = space.take("queries", heads.kv, rows, heads.group, heads.dim)
        self._scores = space.take("scores", heads.kv, rows, heads.group, self._columns)
        self._hidden = ~self._visible(causal)[:, None]

    def _visible(self, causal: Causal) -> npt.NDArray[np.bool_]:
        """Which rows see which columns, `[rows, columns]`."""
        visible = np.zeros((self._rows, self._columns), dtype=np.bool_)
        for span in self._spans:
            part = visible[span.low : span.high, span.start : span.stop]
            part |= np.arange(span.stop - span.start) < seen(span, causal)[:, None]
        if self._own is not None:
            visible[:, self._prefix :] = np.arange(self._own.width) < self._own.lengths[:, None]
        return visible

    def attend(self, layer: int, out: Floats) -> None:
        scores = self._scores
        self._score(layer)
        np.copyto(scores, -np.inf, where=self._hidden)
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        weighed = self._value(layer)
        weighed /= scores.sum(axis=-1, keepdims=True)
        np.copyto(out, weighed.swapaxes(0, 1))

    def _score(self, layer: int) -> None:
        for span in self._spans:
            keys = span.keys[layer][:, None, : span.stop - span.start].swapaxes(-1, -2)
            self._scores[:, span.low : span.high, :, span.start : span.stop] = (
                self.queries[:, span.low : span.high] @ keys
            )
        if self._own is not None:
            keys = self._own.keys[layer][self._own.order, :, : self._own.width].transpose(1, 0, 3, 2)
            self._scores[..., self._prefix :] = self.queries @ keys

    def _value(self, layer: int) -> Floats:
        out = np.zeros_like(self.queries)
        if self._own is not None:
            values = self._own.values[layer][self._own.order, :, : self._own.width].swapaxes(0, 1)
            np.matmul(self._scores[..., self._prefix :], values, out=out)
        for span in self._spans:
            weights = self._scores[:, span.low : span.high, :, span.start : span.stop]
            out[:, span.low : span.high] += weights @ span.values[layer][:, None, : span.stop - span.start]
        return out
