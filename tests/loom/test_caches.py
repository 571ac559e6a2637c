"""The caches that paths are read with: what a layer sees through them is what it would see of the path alone."""

from __future__ import annotations

import random

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.models.cache import KVCache, RotatingKVCache

from n8loom_tui.loom.caches import Pair, PathCache, PathsCache

HEADS, DIM = 2, 4


def tokens(count: int, seed: int) -> mx.array:
    """Queries, keys and values alike, `[1, heads, tokens, dim]`."""
    return mx.random.normal((1, HEADS, count, DIM), key=mx.random.key(seed))


def attention(x: mx.array, seen: Pair, mask: mx.array | str | None) -> np.ndarray:
    keys, values = seen
    return np.array(mx.fast.scaled_dot_product_attention(x, keys, values, scale=0.7, mask=mask))


def expected(path: mx.array, window: int | None) -> np.ndarray:
    """Attention of every token of a path over those before it, computed in the plainest way."""
    x = np.array(path[0], dtype=np.float64)
    scores = 0.7 * x @ x.swapaxes(-1, -2)
    at = np.arange(x.shape[1])
    hidden = at[None] > at[:, None]
    if window is not None:
        hidden |= at[:, None] - at[None] >= window
    scores[:, hidden] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True)) @ x


def read(cache: PathCache | PathsCache, chunk: mx.array, *, array: bool, window: int | None) -> np.ndarray:
    mask = cache.make_mask(chunk.shape[2], return_array=array, window_size=window)
    seen = cache.update_and_fetch(chunk, chunk)
    for kept, got in zip(cache.keys_and_values(), seen, strict=True):
        np.testing.assert_array_equal(kept, got)
    return attention(chunk, seen, mask)


@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize(
    ("window", "asked"), [(None, None), (5, None), (5, 5), (5, 3), (5, 9), (None, 4), (40, None)]
)
def test_a_path_in_chunks(window: int | None, asked: int | None, array: bool) -> None:
    path = tokens(40, 1)
    wanted = expected(path, min(filter(None, (window, asked)), default=None))
    numbers = random.Random(2)
    for known in (0, 1, 4, 17):
        beginning = (path[0, :, :known], path[0, :, :known]) if known else None
        cache = PathCache(beginning, window, capacity=numbers.choice([0, 30]))
        at = known
        while at < 40:
            size = min(40 - at, numbers.choice([1, 1, 2, 9]))
            got = read(cache, path[:, :, at : at + size], array=array, window=asked)
            np.testing.assert_allclose(got[0], wanted[:, at : at + size], atol=1e-5, rtol=0)
            at += size
            assert cache.offset == at
        np.testing.assert_array_equal(cache.keys[:, :, :40], path)


def test_the_fragment_it_begins_with_is_left_as_it_is() -> None:
    known = tokens(6, 3)[0]
    before = np.array(known)
    for capacity in (0, 100):
        cache = PathCache((known, known), None, capacity)
        for _ in range(3):
            cache.update_and_fetch(tokens(2, 4), tokens(2, 4))
    np.testing.assert_array_equal(known, before)


@pytest.mark.parametrize("window", [None, 6])
def test_it_stands_in_for_mlx_lms_own(window: int | None) -> None:
    """Masks and keys of the same shapes, as attention code that looks at them expects."""
    theirs = KVCache() if window is None else RotatingKVCache(max_size=window)
    ours = PathCache(None, window)
    for size in (3, 1, 1, 4, 7, 1, 2):
        masks = [cache.make_mask(size, return_array=True, window_size=None) for cache in (theirs, ours)]
        shapes = [mask.shape if isinstance(mask, mx.array) else mask for mask in masks]
        chunk = tokens(size, size)
        keys = [cache.update_and_fetch(chunk, chunk)[0] for cache in (theirs, ours)]
        assert keys[0].shape[2] >= keys[1].shape[2] >= min(keys[0].shape[2], (window or 99) + size - 1)
        if size > 1:
            assert shapes[1][-1] == keys[1].shape[2]
            assert shapes[0] == shapes[1] or window is not None


def test_values_without_any_width() -> None:
    cache = PathCache(None, None, capacity=10)
    for size in (3, 1, 20):
        keys, values = cache.update_and_fetch(tokens(size, 1), mx.zeros((1, HEADS, size, 0)))
        mx.eval(keys, values)
    assert cache.values.shape[2:] == (cache.keys.shape[2], 0)
    assert keys.shape[2] == values.shape[2] == 24


def rows_of(lengths: list[int], common: int, window: int | None) -> tuple[PathsCache, list[mx.array]]:
    """Rows with a common beginning and so many tokens of their own beyond it; and their whole paths."""
    trunk = tokens(common, 1)
    paths = [mx.concatenate([trunk, tokens(60, seed)], axis=2) for seed in range(2, 2 + len(lengths))]
    width = max(lengths)
    own = None
    if width:
        own_rows = [
            mx.pad(path[0, :, common : common + n], [(0, 0), (width - n, 0), (0, 0)])
            for path, n in zip(paths, lengths, strict=True)
        ]
        own = (mx.stack(own_rows), mx.stack(own_rows))
    shared = (trunk[0], trunk[0]) if common else None
    return PathsCache(shared, own, [width - n for n in lengths], window), paths


@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize(("window", "asked"), [(None, None), (5, None), (5, 3), (5, 9), (None, 4)])
@pytest.mark.parametrize("lengths", [[0, 0, 0], [4, 4], [0, 3, 7, 1]])
@pytest.mark.parametrize("common", [0, 1, 11])
def test_several_paths_are_each_read_as_if_alone(
    common: int, lengths: list[int], window: int | None, asked: int | None, array: bool
) -> None:
    if not (common or all(lengths) or not any(lengths)):
        lengths = [n + 1 for n in lengths]
    cache, paths = rows_of(lengths, common, window)
    wanted = [expected(path, min(filter(None, (window, asked)), default=None)) for path in paths]
    rows = list(range(len(lengths)))
    positions = [common + n for n in lengths]
    for size in (1, 3, 1, 8, 2):
        np.testing.assert_array_equal(cache.offset, positions[0] if len(set(positions)) == 1 else positions)
        chunk = mx.concatenate(
            [paths[r][:, :, at : at + size] for r, at in zip(rows, positions, strict=True)]
        )
        got = read(cache, chunk, array=array, window=asked)
        for row, r in enumerate(rows):
            at = positions[row]
            np.testing.assert_allclose(got[row], wanted[r][:, at : at + size], atol=1e-5, rtol=0)
        positions = [at + size for at in positions]
        if size == 3:
            rows, positions = rows[1:], positions[1:]
            cache.keep(list(range(1, len(rows) + 1)))
