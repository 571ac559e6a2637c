"""Decoding many branches at once over prefixes that they share.

A `Batch` holds one row per branch. Rows that come from the same place form a group, and the group's prefix is
held once; each row adds only its own tokens, in columns that all rows share. The model sees one `BranchCache`
per layer. `scaled_dot_product_attention` of the loaded architecture's modules is wrapped, so that with such a
cache it attends to prefix and own tokens in one softmax; with any other cache it is mlx-lm's own.

Joint softmax: the branches are folded into the query axis, `q [kv_heads, rows·g, D] @ prefixᵀ`; own scores
are `q [rows, kv_heads, g, D] @ ownᵀ`; both are joined before the softmax and parted for the two value
products.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import mlx.core as mx

from .fragments import Fragment
from .kernels import softmax

T = TypeVar("T")
COLUMN_STEP = 64
"""By how many columns the own part grows."""


@dataclass(slots=True)
class Row(Generic[T]):
    """A branch in the batch: where its own columns begin, and the position of its next token in the path."""

    owner: T
    start: int
    position: int


@dataclass(slots=True)
class Group(Generic[T]):
    """Rows that share a prefix. `prefix[layer]` is keys and values, `[kv_heads, P, dim]`; None if P is 0."""

    rows: list[Row[T]]
    prefix: list[tuple[mx.array, mx.array]] | None
    length: int


@dataclass(slots=True)
class Batch(Generic[T]):
    """All rows that decode together, in the groups' order."""

    layers: int
    shared: bool = True
    groups: list[Group[T]] = field(default_factory=list)
    column: int = 0
    keys: list[mx.array | None] = field(default_factory=list)
    values: list[mx.array | None] = field(default_factory=list)
    positions: mx.array | None = None
    mask: mx.array | None = None

    def __post_init__(self) -> None:
        self.keys = [None] * self.layers
        self.values = [None] * self.layers

    @property
    def rows(self) -> list[Row[T]]:
        return [row for group in self.groups for row in group.rows]

    def __len__(self) -> int:
        return sum(len(group.rows) for group in self.groups)

    def join(self, prefix: Fragment | None, owners: Sequence[tuple[T, Fragment | None]]) -> None:
        """Add a group: rows that share `prefix`, each with what its path has beyond it (None for nothing)."""
        length = len(prefix) if prefix is not None else 0
        longest = max((len(own) for _, own in owners if own is not None), default=0)
        if longest > self.column:
            self._shift(longest - self.column)
        rows = []
        for owner, own in owners:
            size = len(own) if own is not None else 0
            rows.append(Row(owner, self.column - size, length + size))
        owns = [own for _, own in owners]
        extended = [
            self._extended(store, rows, owns, part) for part, store in ((0, self.keys), (1, self.values))
        ]
        self.keys, self.values = extended
        layers = [prefix.layer(i) for i in range(self.layers)] if prefix is not None else None
        self.groups.append(Group(rows, layers, length))

    def _shift(self, columns: int) -> None:
        """Put empty columns in front."""
        for store in (self.keys, self.values):
            for layer, array in enumerate(store):
                if array is not None:
                    store[layer] = mx.pad(array, [(0, 0), (0, 0), (columns, 0), (0, 0)])
        for row in self.rows:
            row.start += columns
        self.column += columns

    def _extended(
        self, store: list[mx.array | None], rows: list[Row[T]], owns: list[Fragment | None], part: int
    ) -> list[mx.array | None]:
        """The own keys (`part` 0) or values (1) of all layers with the new rows."""
        sample = next((own for own in owns if own is not None), None)
        extended: list[mx.array | None] = []
        for layer, existing in enumerate(store):
            like = existing
            if like is None and sample is not None:
                like = sample.layer(layer)[part][None]
            if like is None:
                extended.append(None)
                continue
            width = existing.shape[2] if existing is not None else self.column
            empty = (like.shape[1], width, like.shape[3])
            added = [existing if existing is not None else mx.zeros((len(self), *empty), like.dtype)]
            for row, own in zip(rows, owns, strict=True):
                if own is None:
                    added.append(mx.zeros((1, *empty), like.dtype))
                else:
                    room = (row.start, width - row.start - len(own))
                    added.append(mx.pad(own.layer(layer)[part][None], [(0, 0), (0, 0), room, (0, 0)]))
            extended.append(mx.concatenate(added, axis=0))
        return extended

    def begin_step(self) -> None:
        """Fix positions and mask for one step. Call before the model."""
        rows = self.rows
        self.positions = mx.array([row.position for row in rows])
        if any(row.start > 0 for row in rows):
            starts = mx.array([row.start for row in rows])
            self.mask = (mx.arange(self.column + 1)[None] >= starts[:, None])[:, None, None]
            mx.eval(self.mask)
        else:
            self.mask = None
        mx.eval(self.positions)

    def end_step(self) -> None:
        """Count the step. Call after the model's output is evaluated."""
        self.column += 1
        for row in self.rows:
            row.position += 1

    def append(self, layer: int, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Write a step's keys and values, `[rows, kv_heads, 1, dim]`; give back all own columns."""
        out = []
        for store, array in ((self.keys, keys), (self.values, values)):
            kept = store[layer]
            if kept is None or kept.shape[2] <= self.column:
                width = (self.column // COLUMN_STEP + 1) * COLUMN_STEP
                have = kept.shape[2] if kept is not None else 0
                room = mx.zeros((array.shape[0], array.shape[1], width - have, array.shape[3]), array.dtype)
                kept = room if kept is None else mx.concatenate([kept, room], axis=2)
            kept[:, :, self.column : self.column + 1] = array
            store[layer] = kept
            out.append(kept[:, :, : self.column + 1])
        return out[0], out[1]

    def own(self, row: Row[T], index: int, start: int) -> Fragment | None:
        """What row number `index` has computed from path position `start` on. None for nothing."""
        length = row.position - start
        if length <= 0:
            return None
        columns = slice(self.column - length, self.column)
        pairs = []
        for keys, values in zip(self.keys, self.values, strict=True):
            assert keys is not None and values is not None
            pairs.append((keys[index, :, columns], values[index, :, columns]))
        return Fragment.pack(pairs)

    def leave(self, gone: Callable[[T], bool]) -> None:
        """Take rows out, and with them whatever columns nobody uses any more."""
        keep = [i for i, row in enumerate(self.rows) if not gone(row.owner)]
        for group in self.groups:
            group.rows = [row for row in group.rows if not gone(row.owner)]
        self.groups = [group for group in self.groups if group.rows]
        if not keep:
            self.column = 0
            self.keys, self.values = [None] * self.layers, [None] * self.layers
            return
        first = min(row.start for row in self.rows)
        index = mx.array(keep)
        for store in (self.keys, self.values):
            for layer, array in enumerate(store):
                if array is not None:
                    store[layer] = mx.contiguous(array[index][:, :, first:])
        for row in self.rows:
            row.start -= first
        self.column -= first
        mx.eval([a for a in (*self.keys, *self.values) if a is not None])


class BranchCache:
    """What one layer of the model takes for its cache while a batch decodes, one token per row."""

    def __init__(self, batch: Batch[Any], layer: int) -> None:
        self.batch = batch
        self.layer = layer

    @property
    def offset(self) -> mx.array:
        """Each row's position in its path, `[rows]`."""
        assert self.batch.positions is not None
        return self.batch.positions

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Take a step's keys and values `[rows, kv_heads, 1, dim]`.

        Gives the own columns, or the whole path of every row where the attention function is not ours.
        """
        own_keys, own_values = self.batch.append(self.layer, keys, values)
        if self.batch.shared:
            return own_keys, own_values
        longest = max(group.length for group in self.batch.groups)
        return self._whole(own_keys, 0, longest), self._whole(own_values, 1, longest)

    def _whole(self, own: mx.array, part: int, longest: int) -> mx.array:
        """The prefix copied out for every row, aligned to its end, and the row's own columns behind it."""
        parts = []
        for group in self.batch.groups:
            shape = (len(group.rows), own.shape[1], group.length, own.shape[3])
            if group.prefix is None:
                copied = mx.zeros(shape, own.dtype)
            else:
                copied = mx.broadcast_to(group.prefix[self.layer][part][None], shape)
            parts.append(mx.pad(copied, [(0, 0), (0, 0), (longest - group.length, 0), (0, 0)]))
        return mx.concatenate([mx.concatenate(parts, axis=0), own], axis=2)

    def make_mask(
        self, N: int, return_array: bool = False, window_size: int | None = None
    ) -> mx.array | None:
        """None where the attention function is ours, which masks by itself; else `[rows, 1, 1, columns]`."""
        if N != 1:
            raise ValueError("a batch of branches takes one token per row and step")
        if window_size is not None:
            raise NotImplementedError("windowed attention layers are not served in a batch of branches")
        if self.batch.shared and not return_array:
            return None
        columns = self.batch.column + 1
        own = (
            self.batch.mask
            if self.batch.mask is not None
            else mx.ones((len(self.batch), 1, 1, columns), mx.bool_)
        )
        longest = max(group.length for group in self.batch.groups)
        lengths = mx.array([group.length for group in self.batch.groups for _ in group.rows])
        before = (mx.arange(longest)[None] >= (longest - lengths)[:, None])[:, None, None]
        return mx.concatenate([before, own], axis=3)


def attend(
    queries: mx.array, own_keys: mx.array, own_values: mx.array, cache: BranchCache, scale: float
) -> mx.array:
    """Attention of one token per row over its group's prefix and its own columns.

    Args:
        queries: `[rows, heads, 1, D]`.
        own_keys, own_values: `[rows, kv_heads, columns, D]` and `[rows, kv_heads, columns, value_dim]`.

    Returns:
        `[rows, heads, 1, value_dim]`.
    """
    batch = cache.batch
    rows, heads, _, dim = queries.shape
    kv_heads = own_keys.shape[1]
    per_kv = heads // kv_heads
    q = (queries * scale).reshape(rows, kv_heads, per_kv, dim)
    own = q @ own_keys.swapaxes(-1, -2)
    if batch.mask is not None:
        own = mx.where(batch.mask, own, mx.finfo(own.dtype).min)
    outputs = []
    low = 0
    for group in batch.groups:
        high = low + len(group.rows)
        prefix = group.prefix[cache.layer] if group.prefix is not None else None
        outputs.append(_attend_group(q[low:high], own[low:high], own_values[low:high], prefix))
        low = high
    out = outputs[0] if len(outputs) == 1 else mx.concatenate(outputs, axis=0)
    return out.reshape(rows, heads, 1, own_values.shape[3])


def _attend_group(
    q: mx.array, own: mx.array, own_values: mx.array, prefix: tuple[mx.array, mx.array] | None
) -> mx.array:
    """One group's share: `q [n, kv_heads, g, D]`, own scores `[n, kv_heads, g, columns]`."""
    if prefix is None:
        return softmax(own) @ own_values
    keys, values = prefix
    n, kv_heads, g, dim = q.shape
    length = keys.shape[1]
    folded = q.transpose(1, 0, 2, 3).reshape(kv_heads, n * g, dim) @ keys.swapaxes(-1, -2)
    before = folded.reshape(kv_heads, n, g, length).transpose(1, 0, 2, 3)
    weights = softmax(mx.concatenate([before, own], axis=-1))
    refolded = weights[..., :length].transpose(1, 0, 2, 3).reshape(kv_heads, n * g, length)
    shared = (refolded @ values).reshape(kv_heads, n, g, -1).transpose(1, 0, 2, 3)
    return shared + weights[..., length:] @ own_values


def install(model: Any) -> bool:
    """Wrap the attention function in the modules that the model's layers come from.

    Returns whether there was any to wrap. Where a model calls another function, its branches get the
    whole path.
    """
    found = False
    for name in {type(module).__module__ for module in model.modules()}:
        module = sys.modules.get(name)
        original = getattr(module, "scaled_dot_product_attention", None)
        if module is None or original is None:
            continue
        found = True
        if not hasattr(original, "for_branches"):
            module.scaled_dot_product_attention = _wrapped(original)  # type: ignore[attr-defined]
    return found


def _wrapped(original: Callable[..., mx.array]) -> Callable[..., mx.array]:
    """An attention function that serves branches, and hands everything else to the original."""

    @functools.wraps(original)
    def scaled_dot_product_attention(
        queries: mx.array,
        keys: mx.array,
        values: mx.array,
        cache: Any = None,
        scale: float = 1.0,
        **rest: Any,
    ) -> mx.array:
        if isinstance(cache, BranchCache) and cache.batch.shared:
            if rest.get("mask") is not None or rest.get("sinks") is not None:
                raise NotImplementedError("this attention takes a mask or sinks of its own")
            return attend(queries, keys, values, cache, scale)
        return original(queries, keys, values, cache=cache, scale=scale, **rest)

    scaled_dot_product_attention.for_branches = True  # type: ignore[attr-defined]
    return scaled_dot_product_attention
