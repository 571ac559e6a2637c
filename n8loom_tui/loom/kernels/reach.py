"""Attention of many rows over the spans of keys and values that they share, and over columns of their own, in NumPy.

Scores of all parts stand side by side, for one softmax; the rows of a key head lie together, so that a span that
many rows share costs one product per head, whatever their number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .passes import Causal, Heads, Own, Span
from .workspace import Floats, Workspace


class PlainReach:
    """Who attends to what, for every layer of one pass."""

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
        """To be filled before each layer, scaled: `[kv_heads, rows, group, dim]`."""
        self._scores = space.take("scores", heads.kv, rows, heads.group, self._columns)
        self._hidden = ~self._visible(causal)[:, None]

    def _visible(self, causal: Causal) -> npt.NDArray[np.bool_]:
        """Which rows see which columns, `[rows, columns]`."""
        visible = np.zeros((self._rows, self._columns), dtype=np.bool_)
        for span in self._spans:
            part = visible[span.low : span.high, span.start : span.stop]
            part |= np.arange(span.stop - span.start) < span.seen(causal)[:, None]
        if self._own is not None:
            visible[:, self._prefix :] = np.arange(self._own.width) < self._own.lengths[:, None]
        return visible

    def attend(self, layer: int) -> Floats:
        """Attention of `queries`: `[rows, kv_heads, group, dim]`."""
        scores = self._scores
        self._score(layer)
        np.copyto(scores, -np.inf, where=self._hidden)
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        weighed = self._value(layer) / scores.sum(axis=-1, keepdims=True)
        return np.ascontiguousarray(weighed.swapaxes(0, 1))

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
