"""Attention of a batch's rows to the levels that they share and to their own columns.

The model sees one `BranchCache` per leaf. `scaled_dot_product_attention` of the loaded architecture's modules is
wrapped, so that with such a cache it attends to levels and own columns in one softmax; with any other cache it
is mlx-lm's own.

Joint softmax: a level's rows are folded into the query axis, `q [kv_heads, rows·g, D] @ levelᵀ`; own scores are
`q [rows, kv_heads, g, D] @ ownᵀ`; what belongs to a row is joined before the softmax and parted again for the
value products.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .columns import ModelColumns, Pair
from .kernels import softmax

if TYPE_CHECKING:
    from .batch import Batch, Group


Positions = npt.NDArray[np.int32]
"""One number per row."""


@dataclass(frozen=True, slots=True)
class Sliding:
    """Stands for the mask of a sliding window, of so many tokens, until attention makes it."""

    window: int


@dataclass(frozen=True, slots=True)
class Visible:
    """What rows see of some columns: those from `first` on, where `mask` (`[rows, 1, 1, columns]`) allows."""

    first: int
    mask: mx.array | None

    def hide(self, scores: mx.array) -> mx.array:
        """Scores of these columns, with what a row does not see at the lowest."""
        return scores if self.mask is None else mx.where(self.mask, scores, mx.finfo(scores.dtype).min)


@dataclass(frozen=True, slots=True)
class View:
    """What one step sees through a window: of each span (None for nothing of it), and of the own columns."""

    spans: list[Visible | None]
    own: Visible


def _bounded(low: int, count: int, first: Positions, last: Positions | None = None) -> Visible:
    """Columns `low` up to `count`, where each row sees those from its `first` on, and up to its `last`."""
    columns = np.arange(low, count)
    seen = columns >= first[:, None]
    if last is not None:
        seen &= columns <= last[:, None]
    return Visible(low, None if seen.all() else mx.array(seen[:, None, None]))


def look(batch: Batch[Any], window: int | None) -> View:
    """What the rows see in this step, in a layer with this window (None: everything)."""
    step = batch.step
    view = step.views.get(window)
    if view is None:
        view = step.views[window] = _look(batch, window)
    return view


def _look(batch: Batch[Any], window: int | None) -> View:
    lengths, positions = batch.step.cursor.lengths, batch.step.positions
    begin = positions - window + 1 if window is not None else np.zeros_like(positions)
    first = begin - (positions - lengths)
    # The model's own attention is given all columns, ours only those that some row sees.
    low = max(int(first.min()), 0) if batch.shared and len(first) else 0
    own = _bounded(low, batch.step.cursor.width, first, lengths)
    if batch.order is not None:
        begin = begin[batch.order]
    spans: list[Visible | None] = []
    for span in batch.spans:
        size, first = len(span.level.tokens), begin[span.low : span.high] - span.level.start
        low = max(int(first.min()), 0)
        spans.append(_bounded(low, size, first) if low < size else None)
    return View(spans, own)


class BranchCache:
    """What one leaf of the model takes for its cache while a batch decodes, one token per row."""

    def __init__(self, batch: Batch[Any], ordinal: int, window: int | None = None) -> None:
        """`ordinal`: which of the leaves with keys and values; `window`: how many tokens it sees, None: all."""
        self.batch = batch
        self.ordinal = ordinal
        self.window = window
        self.fresh: Pair | None = None
        """The own columns as this step's model call was given them."""

    @property
    def offset(self) -> mx.array:
        """Each row's position in its path, `[rows]`."""
        return self.batch.step.rope

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> Pair:
        """Take a step's keys and values `[rows, kv_heads, 1, dim]`. Gives all own columns."""
        columns = cast(ModelColumns, self.batch.columns[self.ordinal])
        self.fresh = columns.append(keys, values, self.batch.step.cursor)
        return self.fresh

    def keys_and_values(self) -> Pair:
        """What `update_and_fetch` gave in this step: for layers that share this one's keys and values."""
        assert self.fresh is not None, "no keys yet in this step"
        return self.fresh

    @property
    def keys(self) -> mx.array:
        """The keys of `keys_and_values`."""
        return self.keys_and_values()[0]

    @keys.setter
    def keys(self, keys: mx.array) -> None:
        self.fresh = (keys, self.keys_and_values()[1])

    @property
    def values(self) -> mx.array:
        """The values of `keys_and_values`."""
        return self.keys_and_values()[1]

    @values.setter
    def values(self, values: mx.array) -> None:
        self.fresh = (self.keys_and_values()[0], values)

    def make_mask(
        self,
        N: int,
        return_array: bool = False,  # noqa: ARG002 - for one token mlx-lm's own gives None all the same
        window_size: int | None = None,
    ) -> mx.array | Sliding | None:
        """The mask of a step.

        Where attention is ours, it masks by itself and needs to know the window only. Else an array
        `[rows, 1, 1, columns]`, or None where nothing is to be masked.
        """
        if N != 1:
            raise ValueError("a batch of branches takes one token per row and step")
        if self.batch.shared:
            return None if window_size is None else Sliding(window_size)
        return look(self.batch, narrower(self.window, window_size)).own.mask


def narrower(*windows: int | None) -> int | None:
    """The narrowest of some windows; None sees everything."""
    return min((window for window in windows if window is not None), default=None)


def attend(
    queries: mx.array,
    own_keys: mx.array,
    own_values: mx.array,
    cache: BranchCache,
    scale: float,
    *,
    window: int | None = None,
    sinks: mx.array | None = None,
    cap: float | None = None,
) -> mx.array:
    """Attention of one token per row over its levels and its own columns.

    Args:
        queries: `[rows, heads, 1, D]`.
        own_keys, own_values: `[rows, kv_heads, columns, D]` and `[rows, kv_heads, columns, value_dim]`.
        window: how many tokens are seen, the row's own included; None for all.
        sinks: `[heads]`, a score per head that takes its share of the softmax and gives nothing.
        cap: scores are bent to stay below it, `cap · tanh(score / cap)`.

    Returns:
        `[rows, heads, 1, value_dim]`.
    """
    batch = cache.batch
    view = look(batch, window)
    rows, heads, _, dim = queries.shape
    kv_heads = own_keys.shape[1]
    q = (queries * scale).reshape(rows, kv_heads, heads // kv_heads, dim)
    own_keys, own_values = (part[:, :, view.own.first :] for part in (own_keys, own_values))
    own = view.own.hide(_capped(q @ own_keys.swapaxes(-1, -2), cap))
    sink = None if sinks is None else sinks.astype(own.dtype).reshape(1, kv_heads, -1, 1)
    out: mx.array
    if not batch.spans:
        weights = _softmax([own], sink)[0]
        out = weights @ own_values
    else:
        order, backwards = batch.step.order, batch.step.backwards
        if order is not None:
            q, own = q[order], own[order]
        scores = _level_scores(batch, cache.ordinal, view, q, cap)
        weights, levels = _levels(batch, cache.ordinal, view, scores, own, sink)
        if backwards is not None:
            weights = weights[backwards]
            levels = levels if levels is None else levels[backwards]
        out = weights @ own_values
        out = out if levels is None else out + levels
    return out.reshape(rows, heads, 1, own_values.shape[3])


def _softmax(scores: Sequence[mx.array], sink: mx.array | None) -> list[mx.array]:
    """One softmax over several scores `[n, kv_heads, g, columns]`; the weights for each."""
    parts = list(scores)
    if sink is not None:
        parts.append(mx.broadcast_to(sink, (*parts[0].shape[:3], 1)))
    if len(parts) == 1:
        return [softmax(parts[0])]
    weights = softmax(mx.concatenate(parts, axis=-1))
    ends = [0, *itertools.accumulate(part.shape[3] for part in scores)]
    return [weights[..., low:high] for low, high in itertools.pairwise(ends)]


def _capped(scores: mx.array, cap: float | None) -> mx.array:
    return scores if cap is None else mx.tanh(scores / cap) * cap


def _level_scores(
    batch: Batch[Any], ordinal: int, view: View, q: mx.array, cap: float | None
) -> dict[int, mx.array]:
    """The scores `[n, kv_heads, g, tokens]` of each span that is seen, by its index."""
    scores: dict[int, mx.array] = {}
    for index, (span, visible) in enumerate(zip(batch.spans, view.spans, strict=True)):
        if visible is not None:
            keys = span.level.pairs[ordinal][0][:, visible.first :]
            folded = _folded(q[span.low : span.high], keys.swapaxes(-1, -2))
            scores[index] = visible.hide(_capped(folded, cap))
    return scores


def _levels(
    batch: Batch[Any],
    ordinal: int,
    view: View,
    scores: dict[int, mx.array],
    own: mx.array,
    sink: mx.array | None,
) -> tuple[mx.array, mx.array | None]:
    """Attention over all levels, for rows in the batch's order.

    Takes the own scores `[rows, kv_heads, g, columns]`; gives the weights for them, and what the levels'
    values come to, `[rows, kv_heads, g, value_dim]`; None if none is seen.
    """
    weights: dict[int, list[mx.array]] = {index: [] for index in scores}
    owns: list[mx.array] = []
    for group in batch.groups:
        seen = [index for index in group.spans if index in scores]
        parts = [scores[i][group.low - batch.spans[i].low : group.high - batch.spans[i].low] for i in seen]
        *parts, last = _softmax([*parts, own[group.low : group.high]], sink)
        owns.append(last)
        for index, part in zip(seen, parts, strict=True):
            weights[index].append(part)
    results: dict[int, mx.array] = {}
    for index, parts in weights.items():
        visible = view.spans[index]
        assert visible is not None
        values = batch.spans[index].level.pairs[ordinal][1][:, visible.first :]
        results[index] = _folded(_joined(parts), values)
    none = mx.zeros((), own.dtype)
    summed = [_summed(batch, group, results, none) for group in batch.groups]
    if not results:
        return _joined(owns), None
    shape = next(result.shape[1:] for result in results.values())
    sizes = [group.high - group.low for group in batch.groups]
    return _joined(owns), _joined(
        [mx.broadcast_to(part, (size, *shape)) for part, size in zip(summed, sizes, strict=True)]
    )


def _summed(batch: Batch[Any], group: Group, results: dict[int, mx.array], none: mx.array) -> mx.array:
    """What the levels of a group come to together; `none` if it sees none of them."""
    total = none
    for index in group.spans:
        if index in results:
            low = batch.spans[index].low
            part = results[index][group.low - low : group.high - low]
            total = part if total is none else total + part
    return total


def _joined(parts: Sequence[mx.array]) -> mx.array:
    return parts[0] if len(parts) == 1 else mx.concatenate(list(parts), axis=0)


def _folded(x: mx.array, shared: mx.array) -> mx.array:
    """`x [n, kv_heads, g, a] @ shared [kv_heads, a, b]`, with the rows folded into one matrix per head."""
    n, kv_heads, g, size = x.shape
    product = x.transpose(1, 0, 2, 3).reshape(kv_heads, n * g, size) @ shared
    return product.reshape(kv_heads, n, g, -1).transpose(1, 0, 2, 3)


# ------------------------------------------------------------ the model's own function

_serving: Batch[Any] | None = None


@contextlib.contextmanager
def serving(batch: Batch[Any]) -> Iterator[None]:
    """While it lasts, attention over a leaf's own columns is that leaf's, whatever cache the model passes."""
    global _serving  # noqa: PLW0603 - the model calls a function that it has imported by name
    _serving = batch
    try:
        yield
    finally:
        _serving = None


def _cache_of(keys: mx.array, cache: Any) -> BranchCache | None:
    """The leaf that keys come from. A layer may use another's, with or without saying whose they are."""
    if isinstance(cache, BranchCache) and cache.fresh is not None and cache.fresh[0] is keys:
        return cache
    for other in _serving.caches if _serving is not None else ():
        if other.fresh is not None and other.fresh[0] is keys:
            return other
    return cache if isinstance(cache, BranchCache) else None


def _own_mask(leaf: BranchCache, mask: Any) -> Any:
    """The mask over a leaf's own columns, where the model passes one that it was given for another leaf."""
    for window, view in leaf.batch.step.views.items():
        if view.own.mask is mask:
            return look(leaf.batch, narrower(leaf.window, window)).own.mask
    return look(leaf.batch, leaf.window).own.mask if mask is None else mask


def install(model: Any) -> bool:
    """Wrap the attention function in the modules that the model's layers come from.

    Returns whether there was any to wrap. Where a model calls another function, its rows get their whole path.
    """
    from . import capped  # which needs this module

    found = False
    for name in {type(module).__module__ for module in model.modules()}:
        module = sys.modules.get(name)
        found = found or (module is not None and capped.install(module))
        original = getattr(module, "scaled_dot_product_attention", None)
        if module is None or original is None:
            continue
        found = True
        if not hasattr(original, "for_branches"):
            module.scaled_dot_product_attention = _wrapped(original)  # type: ignore[attr-defined]
    return found


def _wrapped(original: Callable[..., mx.array]) -> Callable[..., mx.array]:
    """An attention function that serves batches, and hands everything else to the original."""

    @functools.wraps(original)
    def scaled_dot_product_attention(
        queries: mx.array,
        keys: mx.array,
        values: mx.array,
        cache: Any = None,
        scale: float = 1.0,
        mask: Any = None,
        **rest: Any,
    ) -> mx.array:
        leaf = _cache_of(keys, cache)
        if leaf is None:
            return original(queries, keys, values, cache=cache, scale=scale, mask=mask, **rest)
        if not leaf.batch.shared:
            mask = _own_mask(leaf, mask)
            return original(queries, keys, values, cache=None, scale=scale, mask=mask, **rest)
        if mask is not None and not isinstance(mask, Sliding):
            raise NotImplementedError("this attention takes a mask of its own")
        window = narrower(leaf.window, mask.window if mask is not None else None)
        return attend(queries, keys, values, leaf, scale, window=window, sinks=rest.get("sinks"))

    scaled_dot_product_attention.for_branches = True  # type: ignore[attr-defined]
    return scaled_dot_product_attention
