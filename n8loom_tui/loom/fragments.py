"""Cache fragments: the keys and values of a span of tokens, cut from and fused into a model's KV cache.

`Fragment` is the packed form that the engine keeps, and `Snapshot` what it keeps of layers that have a state
instead. `KVFrag` and the functions on it are n8loom's documented interface: one `KVFrag` per layer, with keys
`[batch, kv_heads, tokens, head_dim]` and values `[batch, kv_heads, tokens, value_dim]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import mlx.core as mx
from mlx_lm.models.cache import KVCache


class KVFrag(NamedTuple):
    """One layer's keys and values for a span of tokens."""

    keys: mx.array
    values: mx.array


def _end(cache: KVCache, end_idx: int) -> int:
    """Where a fragment ends: `end_idx`, or counted back from the cache's end, -1 being the end itself."""
    length = int(cache.offset)
    return min(end_idx if end_idx >= 0 else length + 1 + end_idx, length)


def frag_cache(cache: list[KVCache], start_idx: int = 0, end_idx: int = -1) -> list[KVFrag]:
    """Cut the tokens from `start_idx` up to `end_idx` (-1: to the cache's end) out of every layer, as copies.

    Raises:
        ValueError: the cache is empty.
    """
    frags = []
    for layer in cache:
        if layer.keys is None:
            raise ValueError("the cache is empty: nothing to cut a fragment from")
        span = slice(start_idx, max(start_idx, _end(layer, end_idx)))
        frags.append(KVFrag(mx.contiguous(layer.keys[:, :, span]), mx.contiguous(layer.values[:, :, span])))
    mx.eval(frags)
    return frags


def clip_frag(frags: list[KVFrag], token_limit: int) -> list[KVFrag]:
    """Keep the first `token_limit` tokens of every layer's fragment, as copies."""
    clipped = [
        KVFrag(mx.contiguous(f.keys[:, :, :token_limit]), mx.contiguous(f.values[:, :, :token_limit]))
        for f in frags
    ]
    mx.eval(clipped)
    return clipped


def frag_batch_gen(
    cache: list[KVCache], total_prompt_len: int, generated_lengths: list[int]
) -> list[list[KVFrag]]:
    """Cut each branch's generated span out of a batched cache: for each branch, a fragment per layer.

    `cache` is what `generate_batched` returns. A fragment may be one token short: the last token that was
    sampled was never fed to the model.
    """
    frags = []
    for row, length in enumerate(generated_lengths):
        span = slice(total_prompt_len, total_prompt_len + length)
        frags.append(
            [
                KVFrag(
                    mx.contiguous(layer.keys[row : row + 1, :, : layer.offset][:, :, span]),
                    mx.contiguous(layer.values[row : row + 1, :, : layer.offset][:, :, span]),
                )
                for layer in cache
            ]
        )
    mx.eval(frags)
    return frags


def fuse_cache_frags(frags: list[list[KVFrag]]) -> list[KVCache]:
    """Join fragments along the tokens into full caches. `frags[layer]`: that layer's fragments in order."""
    caches = []
    for layer in frags:
        cache = KVCache()
        cache.keys = mx.concatenate([frag.keys for frag in layer], axis=2)
        cache.values = mx.concatenate([frag.values for frag in layer], axis=2)
        cache.offset = cache.keys.shape[2]
        caches.append(cache)
    return caches


def _copied(view: mx.array) -> mx.array:
    """A copy of its own. `mx.contiguous` gives a view back where that wastes less than 16 KB."""
    return mx.where(True, view, view) if view.size else mx.zeros(view.shape, view.dtype)


def _stacked(arrays: list[mx.array]) -> mx.array:
    return mx.stack(arrays) if len(arrays) > 1 else _copied(arrays[0][None])


def _cut(array: mx.array, start: int, stop: int) -> mx.array:
    """The tokens from `start` up to `stop` of `[layers, kv_heads, tokens, dim]`, as a copy."""
    view = array[:, :, start:stop]
    return mx.contiguous(view) if array.shape[0] * array.shape[1] > 1 else _copied(view)


@dataclass(frozen=True, slots=True)
class Fragment:
    """The keys and values of a span of `length` tokens, of all leaves that have any, packed into few arrays.

    Leaves of the same shape share a pair of arrays: `keys[s]` is `[leaves, kv_heads, tokens, head_dim]` for
    the s-th shape. `slots[i]` is `(s, index)`, where the i-th of these leaves lies. A model of states alone has
    fragments without any array.
    """

    length: int
    keys: tuple[mx.array, ...]
    values: tuple[mx.array, ...]
    slots: tuple[tuple[int, int], ...]

    @staticmethod
    def pack(leaves: Sequence[tuple[mx.array, mx.array]], length: int | None = None) -> Fragment:
        """Pack one `(keys, values)` pair per leaf, each `[kv_heads, tokens, dim]`.

        `length` says how many tokens they cover, where no leaf tells it.
        """
        shapes: dict[tuple[int, ...], int] = {}
        keys: list[list[mx.array]] = []
        values: list[list[mx.array]] = []
        slots = []
        for k, v in leaves:
            shape = (k.shape[0], k.shape[2], v.shape[0], v.shape[2])
            index = shapes.setdefault(shape, len(shapes))
            if index == len(keys):
                keys.append([])
                values.append([])
            slots.append((index, len(keys[index])))
            keys[index].append(k)
            values[index].append(v)
        if length is None:
            length = int(leaves[0][0].shape[1])
        fragment = Fragment(length, tuple(map(_stacked, keys)), tuple(map(_stacked, values)), tuple(slots))
        mx.eval(fragment.keys, fragment.values)
        return fragment

    @staticmethod
    def fuse(fragments: Sequence[Fragment]) -> Fragment:
        """Join fragments along the tokens."""
        if len(fragments) == 1:
            return fragments[0]
        return Fragment.fuse_parts([(fragment, 0, len(fragment)) for fragment in fragments])

    @staticmethod
    def fuse_parts(parts: Sequence[tuple[Fragment, int, int]]) -> Fragment:
        """Join spans of fragments, each given by its start and stop, with one copy."""
        first, start, stop = parts[0]
        if len(parts) == 1:
            return first.part(start, stop)

        def joined(name: str, shape: int) -> mx.array:
            arrays = ((getattr(f, name)[shape], a, b, b - a == len(f)) for f, a, b in parts)
            return mx.concatenate([x if whole else x[:, :, a:b] for x, a, b, whole in arrays], axis=2)

        shapes = range(len(first.keys))
        fused = Fragment(
            sum(stop - start for _, start, stop in parts),
            tuple(joined("keys", shape) for shape in shapes),
            tuple(joined("values", shape) for shape in shapes),
            first.slots,
        )
        mx.eval(fused.keys, fused.values)
        return fused

    @staticmethod
    def of(frags: Sequence[KVFrag]) -> Fragment:
        """The packed form of n8loom's."""
        return Fragment.pack([(frag.keys[0], frag.values[0]) for frag in frags])

    def __len__(self) -> int:
        """How many tokens it covers."""
        return self.length

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return sum(array.nbytes for array in (*self.keys, *self.values))

    def part(self, start: int, stop: int) -> Fragment:
        """The tokens from `start` up to `stop`, as a copy (a view would keep the whole alive)."""
        if start == 0 and stop == len(self):
            return self
        piece = Fragment(
            stop - start,
            tuple(_cut(keys, start, stop) for keys in self.keys),
            tuple(_cut(values, start, stop) for values in self.values),
            self.slots,
        )
        mx.eval(piece.keys, piece.values)
        return piece

    def layer(self, index: int) -> tuple[mx.array, mx.array]:
        """The keys `[kv_heads, tokens, head_dim]` and values of the i-th leaf that has any, as views."""
        return self.span(index, 0, len(self))

    def span(self, index: int, start: int, stop: int) -> tuple[mx.array, mx.array]:
        """The same, of the tokens from `start` up to `stop`."""
        shape, at = self.slots[index]
        keys, values = (  # an index in place of the slice would copy
            arrays[shape][at : at + 1, :, start:stop].squeeze(0) for arrays in (self.keys, self.values)
        )
        return keys, values

    def frags(self) -> list[KVFrag]:
        """n8loom's form: one `KVFrag` per leaf, batch 1."""
        layers = (self.layer(index) for index in range(len(self.slots)))
        return [KVFrag(keys[None], values[None]) for keys, values in layers]

    def caches(self) -> list[KVCache]:
        """Fresh mlx-lm caches that hold this span. They copy before they change anything."""
        return fuse_cache_frags([[frag] for frag in self.frags()])


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the leaves with a state hold at one position of a path.

    `arrays[i]` are the arrays of the i-th of these leaves, each `[1, …]`; None for one that is still unset.
    """

    arrays: tuple[tuple[mx.array | None, ...], ...]

    @staticmethod
    def of(leaves: Sequence[Any], row: int = 0) -> Snapshot:
        """The state of one row, copied out of the model's (`ArraysCache`) leaves."""
        snapshot = Snapshot(
            tuple(
                tuple(None if array is None else _copied(array[row : row + 1]) for array in leaf.cache)
                for leaf in leaves
            )
        )
        mx.eval([array for arrays in snapshot.arrays for array in arrays if array is not None])
        return snapshot

    @staticmethod
    def stacked(snapshots: Sequence[Snapshot]) -> Snapshot:
        """Several rows' states as one, `[rows, …]`. Where one row's is unset, all are."""

        def joined(arrays: tuple[mx.array | None, ...]) -> mx.array | None:
            there = [array for array in arrays if array is not None]
            return mx.concatenate(there) if len(there) == len(arrays) else None

        leaves = zip(*(snapshot.arrays for snapshot in snapshots), strict=True)
        return Snapshot(tuple(tuple(map(joined, zip(*leaf, strict=True))) for leaf in leaves))

    def fill(self, leaves: Sequence[Any]) -> None:
        """Put the state into fresh leaves. What a model does to them leaves the snapshot as it is."""
        for leaf, arrays in zip(leaves, self.arrays, strict=True):
            leaf.cache = [None if array is None else array[:] for array in arrays]

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return sum(array.nbytes for arrays in self.arrays for array in arrays if array is not None)
