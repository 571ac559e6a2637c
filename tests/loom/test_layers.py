"""What is told apart in a model's caches."""

from __future__ import annotations

import copy
from typing import Any

import mlx.core as mx
import pytest
from mlx_lm.models.cache import ArraysCache, CacheList, ChunkedKVCache, KVCache, RotatingKVCache

from n8loom_tui.loom.layers import Leaf, LeafKind, assemble, flatten, layout_of


class Model:
    """Nothing but caches. `unused` are the leaves that it never touches; `asks` is the window that it masks."""

    def __init__(self, *caches: Any, unused: tuple[int, ...] = (), asks: int | None = None) -> None:
        self.caches = caches
        self.unused = unused
        self.asks = asks

    def make_cache(self) -> list[Any]:
        return copy.deepcopy(list(self.caches))

    def __call__(self, tokens: mx.array, cache: list[Any]) -> None:
        for index, leaf in enumerate(flatten(cache)):
            if isinstance(leaf, RotatingKVCache):
                leaf.make_mask(tokens.shape[1], window_size=self.asks)
            if not isinstance(leaf, ArraysCache) and index not in self.unused:
                leaf.update_and_fetch(*[mx.zeros((1, 1, tokens.shape[1], 4))] * 2)


def test_kinds_windows_and_lists_in_the_models_order() -> None:
    layout = layout_of(
        Model(RotatingKVCache(max_size=8), CacheList(ArraysCache(2), KVCache()), ArraysCache(3), KVCache())
    )

    kv, state = LeafKind.KV, LeafKind.STATE
    assert layout.leaves == (Leaf(kv, 8), Leaf(state, size=2), Leaf(kv), Leaf(state, size=3), Leaf(kv))
    assert layout.kv == (0, 2, 4)
    assert layout.state == (1, 3)
    assert not layout.opaque


@pytest.mark.parametrize(
    ("cache", "name"),
    [
        (ChunkedKVCache(8), "ChunkedKVCache"),
        (RotatingKVCache(max_size=8, keep=4), "RotatingKVCache"),
        (CacheList(KVCache(), CacheList(KVCache())), "CacheList"),
    ],
)
def test_caches_of_neither_kind_are_named(cache: Any, name: str) -> None:
    layout = layout_of(Model(KVCache(), cache))

    assert layout.opaque
    assert layout.unknown == (name,)


def test_leaves_go_back_into_the_lists_they_came_from() -> None:
    model = Model(KVCache(), CacheList(ArraysCache(2), KVCache()))
    leaves = flatten(model.make_cache())

    whole, listed = assemble(layout_of(model), leaves)

    assert whole is leaves[0]
    assert [listed[0], listed[1]] == leaves[1:]


def test_a_window_is_as_wide_as_the_model_masks_it() -> None:
    layout = layout_of(Model(RotatingKVCache(max_size=8), KVCache(), RotatingKVCache(max_size=8), asks=9))

    assert [leaf.window for leaf in layout.leaves] == [9, None, 9]


def test_a_cache_that_the_model_never_uses_keeps_nothing() -> None:
    layout = layout_of(Model(KVCache(), CacheList(KVCache(), KVCache()), unused=(1,)))

    assert [leaf.kind for leaf in layout.leaves] == [LeafKind.KV, LeafKind.NONE, LeafKind.KV]
    assert layout.kv == (0, 2)
