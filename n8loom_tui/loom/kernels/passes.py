"""What a forward pass reads: tokens as rows, what each attends to, and where their keys and values are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .workspace import Floats

Whole = npt.NDArray[np.int64]
Causal = Sequence[tuple[int, int, int]]
"""Triples `(low, high, start)`: row `low + i` sees the columns from `start` on only up to `start + i`."""


@dataclass(frozen=True, slots=True)
class Heads:
    """The heads of an attention layer. `group`: how many query heads share a key head."""

    kv: int
    group: int
    dim: int


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Keys and values that the rows from `low` up to `high` share, for the columns from `start` up to `stop`.

    `keys[layer]` and `values[layer]`: `[kv_heads, at least stop - start, dim]`, each head's part contiguous, and as far
    from the next one's in all layers.
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

    def seen(self, causal: Causal) -> Whole:
        """How many of the columns each of the rows sees."""
        width = self.stop - self.start
        count = np.full(self.high - self.low, width, dtype=np.int64)
        for low, high, start in causal:
            first, last = max(low, self.low), min(high, self.high)
            if first < last:
                upto = np.arange(first - low, last - low) + start + 1 - self.start
                mine = count[first - self.low : last - self.low]
                np.minimum(mine, upto.clip(0, width), out=mine)
        return count


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


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where keys and values of the rows from `low` up to `high` are put.

    `keys[layer]` and `values[layer]`: `[…, kv_heads, room, dim]`; row `low + i` at `index[i]` and `columns[i]`.
    """

    low: int
    high: int
    keys: Sequence[Floats]
    values: Sequence[Floats]
    index: Whole
    columns: Whole


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """One forward pass.

    Args:
        tokens, positions: `[rows]`.
        spans, own, causal: what the rows attend to, with what is put into `places` in this very pass. Where nothing is
            causal no row attends to what another one puts.
    """

    tokens: Whole
    positions: Whole
    places: Sequence[Place]
    spans: Sequence[Span]
    own: Own | None = None
    causal: Causal = ()

    @property
    def rows(self) -> int:
        return len(self.tokens)
