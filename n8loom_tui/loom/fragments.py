"""Cache fragments: the keys and values of a span of tokens, cut from and fused into a model's KV cache.

`Fragment` is the packed form that the engine keeps. `KVFrag` and the functions on it are n8loom's documented
interface: one `KVFrag` per layer, with keys `[batch, kv_heads, tokens, head_dim]` and values
`[batch, kv_heads, tokens, value_dim]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


@dataclass(frozen=True, slots=True)
class Fragment:
    """The keys and values of a span of tokens for all layers, packed into few arrays.

    Layers of the same shape share a pair of arrays: `keys[s]` is `[layers, kv_heads, tokens, head_dim]` for
    the s-th shape. `slots[layer]` is `(s, index)`, where a layer's part lies.
    """

    keys: tuple[mx.array, ...]
    values: tuple[mx.array, ...]
    slots: tuple[tuple[int, int], ...]

    @staticmethod
    def pack(layers: Sequence[tuple[mx.array, mx.array]]) -> Fragment:
        """Pack one `(keys, values)` pair per layer, each `[kv_heads, tokens, dim]`."""
        shapes: dict[tuple[int, ...], int] = {}
        keys: list[list[mx.array]] = []
        values: list[list[mx.array]] = []
        slots = []
        for k, v in layers:
            shape = (k.shape[0], k.shape[2], v.shape[0], v.shape[2])
            index = shapes.setdefault(shape, len(shapes))
            if index == len(keys):
                keys.append([])
                values.append([])
            slots.append((index, len(keys[index])))
            keys[index].append(k)
            values[index].append(v)
        fragment = Fragment(tuple(map(mx.stack, keys)), tuple(map(mx.stack, values)), tuple(slots))
        mx.eval(fragment.keys, fragment.values)
        return fragment

    @staticmethod
    def fuse(fragments: Sequence[Fragment]) -> Fragment:
        """Join fragments along the tokens."""
        if len(fragments) == 1:
            return fragments[0]
        first = fragments[0]
        fused = Fragment(
            tuple(mx.concatenate([f.keys[s] for f in fragments], axis=2) for s in range(len(first.keys))),
            tuple(mx.concatenate([f.values[s] for f in fragments], axis=2) for s in range(len(first.keys))),
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
        return int(self.keys[0].shape[2])

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return sum(array.nbytes for array in (*self.keys, *self.values))

    def part(self, start: int, stop: int) -> Fragment:
        """The tokens from `start` up to `stop`, as a copy (a view would keep the whole alive)."""
        if start == 0 and stop == len(self):
            return self
        piece = Fragment(
            tuple(mx.contiguous(k[:, :, start:stop]) for k in self.keys),
            tuple(mx.contiguous(v[:, :, start:stop]) for v in self.values),
            self.slots,
        )
        mx.eval(piece.keys, piece.values)
        return piece

    def layer(self, index: int) -> tuple[mx.array, mx.array]:
        """One layer's keys `[kv_heads, tokens, head_dim]` and values, as views."""
        shape, position = self.slots[index]
        return self.keys[shape][position], self.values[shape][position]

    def frags(self) -> list[KVFrag]:
        """n8loom's form: one `KVFrag` per layer, batch 1."""
        layers = (self.layer(index) for index in range(len(self.slots)))
        return [KVFrag(keys[None], values[None]) for keys, values in layers]

    def caches(self) -> list[KVCache]:
        """Fresh mlx-lm caches that hold this span. They copy before they change anything."""
        return fuse_cache_frags([[frag] for frag in self.frags()])
