"""What the layers of a model keep of the tokens that they have read.

mlx-lm makes one cache per layer. A cache is a *leaf*, or a list of leaves (a layer with attention and a
recurrent part). There are two kinds. Keys and values hold something per token: any span of them can be cut out
and put elsewhere. A state (recurrent, convolution) holds what all tokens so far come down to: it belongs to one
position of a path, and only from there can the path be read on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import ArraysCache, CacheList, KVCache, RotatingKVCache, make_prompt_cache


class LeafKind(Enum):
    """What a leaf keeps."""

    KV = auto()
    """Keys and values per token, `[rows, kv_heads, tokens, dim]`."""
    STATE = auto()
    """Arrays `[rows, …]` without a token axis."""
    NONE = auto()
    """Nothing: the model makes this cache and never uses it."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf. `window`: how many tokens a sliding window sees, the token itself included; None for all.

    A window's keys and values are kept for every token, so that a path can be cut anywhere; the mask hides
    what lies outside. `size`: how many arrays a state has.
    """

    kind: LeafKind
    window: int | None = None
    size: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """What a model keeps, cache by cache: a leaf, or a tuple of leaves for a `CacheList`.

    `unknown` names the cache classes that are of neither kind.
    """

    layers: tuple[Leaf | tuple[Leaf, ...], ...]
    unknown: tuple[str, ...] = ()

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """All leaves in order."""
        return tuple(
            leaf for layer in self.layers for leaf in (layer if isinstance(layer, tuple) else (layer,))
        )

    @property
    def kv(self) -> tuple[int, ...]:
        """The indices of the leaves with keys and values."""
        return tuple(i for i, leaf in enumerate(self.leaves) if leaf.kind is LeafKind.KV)

    @property
    def state(self) -> tuple[int, ...]:
        """The indices of the leaves with a state."""
        return tuple(i for i, leaf in enumerate(self.leaves) if leaf.kind is LeafKind.STATE)

    @property
    def plain(self) -> bool:
        """Whether every cache is a plain `KVCache`."""
        return not self.unknown and all(layer == Leaf(LeafKind.KV) for layer in self.layers)

    @property
    def stateful(self) -> bool:
        """Whether a path can be gone on with only from where its state was kept."""
        return self.opaque or bool(self.state)

    @property
    def opaque(self) -> bool:
        """Whether there is a cache of neither kind: only the model's own caches can then be used."""
        return bool(self.unknown)


class _Asked(RotatingKVCache):  # type: ignore[misc]
    """A window's cache that remembers which window the model asked it to mask."""

    asked: int | None = None

    def make_mask(self, N: int, window_size: int | None = None, return_array: bool = False) -> Any:
        self.asked = window_size
        return super().make_mask(N, window_size=window_size, return_array=return_array)


def _leaf(cache: Any) -> Leaf | None:
    """The leaf that a cache is; None for one of neither kind."""
    if type(cache) is KVCache:
        return Leaf(LeafKind.KV)
    if type(cache) is RotatingKVCache and cache.keep == 0:
        return Leaf(LeafKind.KV, window=int(cache.max_size))
    if isinstance(cache, ArraysCache):
        return Leaf(LeafKind.STATE, size=len(cache.cache))
    return None


def layout_of(model: Any) -> Layout:
    """The layout of a model's caches."""
    layers: list[Leaf | tuple[Leaf, ...]] = []
    unknown: set[str] = set()
    for cache in make_prompt_cache(model):
        parts = cache.caches if type(cache) is CacheList else (cache,)
        leaves = tuple(leaf for leaf in map(_leaf, parts) if leaf is not None)
        unknown |= {type(part).__name__ for part in parts if _leaf(part) is None}
        layers.append(leaves if type(cache) is CacheList else leaves[0] if leaves else ())
    layout = Layout(tuple(layers), tuple(sorted(unknown)))
    return layout if layout.opaque else _observed(model, layout)


def _observed(model: Any, layout: Layout) -> Layout:
    """The layout put right by what the model does: the windows it asks for, and the caches it never uses.

    plamo3 masks a window one token wider than its cache holds. nemotron-nas has caches for layers that replace
    attention by something without any.
    """
    caches = [
        _Asked(leaf.window) if leaf.window is not None else fresh
        for leaf, fresh in zip(layout.leaves, flatten(make_prompt_cache(model)), strict=True)
    ]
    model(mx.array([[0, 0]]), cache=assemble(layout, caches))  # builds the graph; nothing is computed
    asked: dict[int, int] = {}
    for cache in caches:
        if isinstance(cache, _Asked):
            asked[cache.max_size] = max(asked.get(cache.max_size, 0), cache.asked or cache.max_size)
    leaves = []
    for leaf, cache in zip(layout.leaves, caches, strict=True):
        if leaf.kind is LeafKind.KV and cache.keys is None:
            leaves.append(Leaf(LeafKind.NONE))
        elif leaf.window is not None:
            leaves.append(replace(leaf, window=asked[leaf.window]))
        else:
            leaves.append(leaf)
    rest = iter(leaves)
    return Layout(
        tuple(
            tuple(next(rest) for _ in each) if isinstance(each, tuple) else next(rest)
            for each in layout.layers
        )
    )


def flatten(caches: list[Any]) -> list[Any]:
    """The leaves of a model's caches, in the layout's order."""
    return [leaf for cache in caches for leaf in (cache.caches if isinstance(cache, CacheList) else (cache,))]


def assemble(layout: Layout, leaves: list[Any]) -> list[Any]:
    """The caches that a model takes, from one object per leaf: the opposite of `flatten`."""
    rest = iter(leaves)
    return [
        CacheList(*(next(rest) for _ in layer)) if isinstance(layer, tuple) else next(rest)
        for layer in layout.layers
    ]
