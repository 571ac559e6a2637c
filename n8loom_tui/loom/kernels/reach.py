"""Attention of many rows over the spans of keys and values that they share, and over columns of their own.

A `Reach` says, once for all layers of a step, which row attends to what. Scores of all parts stand side by
side in one buffer, `[kv_heads, rows, group, columns]`, for one softmax; the layout keeps the rows of a key
head together, so that a span that many rows share costs one product per head, whatever their number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .blas import FLOAT, SMALL, Floats, ProductBatch, Products, address, placed
from .workspace import Workspace

Places = npt.NDArray[np.uint64]
MANY_ROWS = 128
"""A product of more rows is cut by rows, and packs; one of fewer by columns, and does not."""


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
    order: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]

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


class Reach:
    """Who attends to what, for every layer of one step."""

    def __init__(
        self,
        heads: Heads,
        rows: int,
        spans: Sequence[Span],
        own: Own | None,
        space: Workspace,
        causal: Sequence[tuple[int, int, int]] = (),
    ) -> None:
        """`causal`: triples `(low, high, start)`: row `low + i` sees the columns from `start` on only up to
        `start + i`."""
        self._rows, self._heads = rows, heads
        self._spans, self._own = spans, own
        self._prefix = max((span.stop for span in spans), default=0)
        self._columns = self._prefix + (own.width if own is not None else 0)
        self.queries = space.take("queries", heads.kv, rows, heads.group, heads.dim)
        """To be filled before each layer, scaled: `[kv_heads, rows, group, dim]`."""
        self._scores = space.take("scores", heads.kv, rows, heads.group, self._columns)
        self._out = space.take("attended", heads.kv, rows, heads.group, heads.dim)
        self._hidden, self._seen_by_all = self._hide(causal)
        self._by_blas = placed() is not None
        if self._by_blas:
            self._span_scores = [ProductBatch(self._score_products(span)) for span in spans]
            self._span_values = [ProductBatch(self._value_products(span)) for span in spans]
            self._own_products: dict[int, tuple[ProductBatch, ProductBatch]] = {}

    def _hide(self, causal: Sequence[tuple[int, int, int]]) -> tuple[npt.NDArray[np.bool_] | None, int]:
        """Which rows do not see which columns, `[rows, 1, columns]`, from the first such column on; and that column.

        None if all see all.
        """
        seen = np.zeros((self._rows, self._columns), dtype=np.bool_)
        for span in self._spans:
            seen[span.low : span.high, span.start : span.stop] = True
        if self._own is not None:
            seen[:, self._prefix :] = np.arange(self._own.width) < self._own.lengths[:, None]
        for low, high, start in causal:
            count = high - low
            seen[low:high, start : start + count] &= np.tri(count, dtype=np.bool_)
        by_all = seen.all(axis=0)
        if by_all.all():
            return None, self._columns
        first = int(by_all.argmin())
        return ~seen[:, None, first:], first

    # -------------------------------------------------------------- attention

    def attend(self, layer: int) -> Floats:
        """Attention of `queries`: `[kv_heads, rows, group, dim]`, valid until the next call."""
        scores, out = self._scores, self._out
        if self._by_blas:
            self._score_by_blas(layer)
        else:
            self._score(layer)
        if self._hidden is not None:
            np.copyto(scores[..., self._seen_by_all :], -np.inf, where=self._hidden)
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        total = scores.sum(axis=-1, keepdims=True)
        if self._own is None:
            out.fill(0.0)
        if self._by_blas:
            self._value_by_blas(layer)
        else:
            self._value(layer)
        out /= total
        return out

    def _score(self, layer: int) -> None:
        for span in self._spans:
            keys = span.keys[layer][:, None, : span.stop - span.start].swapaxes(-1, -2)
            self._scores[:, span.low : span.high, :, span.start : span.stop] = (
                self.queries[:, span.low : span.high] @ keys
            )
        if self._own is not None:
            keys = self._own.keys[layer][self._own.order, :, : self._own.width].transpose(1, 0, 3, 2)
            self._scores[..., self._prefix :] = self.queries @ keys

    def _value(self, layer: int) -> None:
        if self._own is not None:
            values = self._own.values[layer][self._own.order, :, : self._own.width].swapaxes(0, 1)
            np.matmul(self._scores[..., self._prefix :], values, out=self._out)
        for span in self._spans:
            weights = self._scores[:, span.low : span.high, :, span.start : span.stop]
            self._out[:, span.low : span.high] += (
                weights @ span.values[layer][:, None, : span.stop - span.start]
            )

    def _score_by_blas(self, layer: int) -> None:
        q, s = address(self.queries), address(self._scores)
        for span, products in zip(self._spans, self._span_scores, strict=True):
            products.run(q, address(span.keys[layer]), s)
        if self._own is not None:
            keys = self._own.keys[layer]
            self._for_own(self._own, keys.shape[2])[0].run(q, address(keys), s)

    def _value_by_blas(self, layer: int) -> None:
        s, o = address(self._scores), address(self._out)
        if self._own is not None:
            values = self._own.values[layer]
            self._for_own(self._own, values.shape[2])[1].run(s, address(values), o)
        for span, products in zip(self._spans, self._span_values, strict=True):
            products.run(s, address(span.values[layer]), o)

    # ------------------------------------- products: the same in all layers, only the bases differ

    def _for_own(self, own: Own, room: int) -> tuple[ProductBatch, ProductBatch]:
        """A small product for every row and key head: scores, and values.

        `room`: for how many columns a layer has memory. Not all have the same while they grow.
        """
        if room in self._own_products:
            return self._own_products[room]
        group, dim, columns = self._heads.group, self._heads.dim, self._columns
        at = np.arange(self._heads.kv * self._rows, dtype=np.uint64)
        head, row = np.divmod(at, np.uint64(self._rows))
        place = own.order.astype(np.uint64)[row]
        theirs = (place * np.uint64(self._heads.kv) + head) * np.uint64(room * dim)
        scores = at * np.uint64(group * columns) + np.uint64(self._prefix)
        ours = at * np.uint64(group * dim)
        self._own_products[room] = (
            ProductBatch([Products(group, own.width, dim, (dim, dim, columns), ours, theirs, scores, True)]),
            ProductBatch([Products(group, dim, own.width, (columns, dim, dim), scores, theirs, ours, False)]),
        )
        return self._own_products[room]

    def _places(self, span: Span) -> tuple[Places, Places, Places]:
        """Per key head: where the span's first row lies in the queries, its keys, its scores."""
        head = np.arange(self._heads.kv, dtype=np.uint64)
        first = (head * np.uint64(self._rows) + np.uint64(span.low)) * np.uint64(self._heads.group)
        return (
            first * np.uint64(self._heads.dim),
            head * np.uint64(span.keys[0].strides[0] // FLOAT),
            first * np.uint64(self._columns) + np.uint64(span.start),
        )

    def _score_products(self, span: Span) -> list[Products]:
        """`queries · keysᵀ` of a span, in pieces: of columns where the rows are few, else of rows."""
        q, k, s = self._places(span)
        dim, columns = self._heads.dim, self._columns
        rows, width = (span.high - span.low) * self._heads.group, span.stop - span.start
        steps = (dim, dim, columns)
        if rows > MANY_ROWS:
            return [
                Products(
                    n, width, dim, steps, _each(q, at, dim), _each(k, at, 0), _each(s, at, columns), True
                )
                for at, n in _pieces(rows, MANY_ROWS)
            ]
        fits = max(16, SMALL // (rows * dim) // 16 * 16)
        return [
            Products(rows, n, dim, steps, _each(q, at, 0), _each(k, at, dim), _each(s, at, 1), True)
            for at, n in _pieces(width, fits)
        ]

    def _value_products(self, span: Span) -> list[Products]:
        """`weights · values` of a span, added to what is there, in pieces of rows."""
        out, v, s = self._places(span)
        dim, columns = self._heads.dim, self._columns
        rows, width = (span.high - span.low) * self._heads.group, span.stop - span.start
        fits = SMALL // (width * dim)
        height = fits if fits >= 6 and rows <= MANY_ROWS else min(MANY_ROWS, math.ceil(rows / 2))
        steps = (columns, dim, dim)
        return [
            Products(
                n, dim, width, steps, _each(s, at, columns), _each(v, at, 0), _each(out, at, dim), False, 1.0
            )
            for at, n in _pieces(rows, height)
        ]


def _pieces(total: int, size: int) -> Iterator[tuple[Places, int]]:
    """Where pieces of `size` begin, and the size; then the same for a shorter last one."""
    whole = total // size * size
    if whole:
        yield np.arange(0, whole, size, dtype=np.uint64), size
    if total > whole:
        yield np.array([whole], dtype=np.uint64), total - whole


def _each(bases: Places, at: Places, step: int) -> Places:
    """For every base, the places `at · step` from it."""
    return (bases[:, None] + at[None] * np.uint64(step)).ravel()
