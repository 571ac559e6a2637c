"""Fragments by path: covered is covered, whatever was cut, and the budget holds."""

from __future__ import annotations

import itertools
import random

import mlx.core as mx
import numpy as np
import pytest

from n8loom_tui.loom.fragments import Fragment
from n8loom_tui.loom.radix import common_length
from n8loom_tui.loom.store import FragmentStore

PER_TOKEN = 2 * 2 * 2 * 4 * 4
"""Bytes: two layers, keys and values, two heads, four numbers of four bytes."""


def fragment(path: list[int], start: int, stop: int) -> Fragment:
    """A fragment whose numbers tell the whole path up to each token, so that a wrong one shows."""
    marks = [hash(tuple(path[: index + 1])) % 10007 for index in range(start, stop)]
    base = mx.array(marks, dtype=mx.float32)[None, :, None]
    planes = [mx.broadcast_to(base + layer, (2, len(marks), 4)) for layer in range(2)]
    return Fragment.pack([(plane, -plane) for plane in planes])


def assert_is(got: Fragment | None, path: list[int], start: int, stop: int) -> None:
    assert got is not None
    wanted = fragment(path, start, stop)
    assert len(got) == stop - start
    for layer in range(2):
        for a, b in zip(got.layer(layer), wanted.layer(layer), strict=True):
            np.testing.assert_array_equal(a, b)


def put(store: FragmentStore, path: list[int], start: int = 0, stop: int | None = None) -> None:
    store.put(path, start, fragment(path, start, len(path) if stop is None else stop))


def test_what_is_put_can_be_had_in_any_part() -> None:
    store = FragmentStore(1 << 20)
    path = [1, 2, 3, 4, 5]
    put(store, path)
    assert store.match_length(path) == 5
    assert store.match_length([1, 2, 9]) == 2
    assert store.match_length([2]) == store.match_length([]) == 0
    for start in range(5):
        for stop in range(start + 1, 6):
            assert_is(store.get(path, start, stop), path, start, stop)
    assert store.get(path, 2, 2) is None
    assert store.get([1, 2, 9], 0, 3) is None
    assert_is(store.get([1, 2, 9], 0, 2), path, 0, 2)


def test_paths_that_part_share_what_they_have_in_common() -> None:
    store = FragmentStore(1 << 20)
    put(store, [1, 2, 3, 4])
    put(store, [1, 2, 5, 6], start=2)
    put(store, [1, 2, 3, 4, 7], start=3)
    assert store.nbytes == 7 * PER_TOKEN
    for path in ([1, 2, 3, 4, 7], [1, 2, 5, 6]):
        assert_is(store.get(path, 0, len(path)), path, 0, len(path))
        assert_is(store.get(path, 1, 4), path, 1, 4)


def test_putting_again_changes_nothing() -> None:
    store = FragmentStore(1 << 20)
    for _ in range(2):
        put(store, [1, 2, 3, 4])
        put(store, [1, 2])
        put(store, [1, 2, 3], start=1)
    assert store.nbytes == 4 * PER_TOKEN


def test_a_fragment_without_what_stands_before_it_is_not_kept() -> None:
    store = FragmentStore(1 << 20)
    put(store, [1, 2, 3, 4], start=2)
    assert store.match_length([1, 2, 3, 4]) == store.nbytes == 0


def test_random_paths_in_random_pieces_against_a_plain_model() -> None:
    store = FragmentStore(1 << 24)
    numbers = random.Random(2)
    known: set[tuple[int, ...]] = set()
    for _ in range(300):
        path = [numbers.randrange(3) for _ in range(numbers.randrange(1, 12))]
        covered = max(n for n in range(len(path) + 1) if n == 0 or tuple(path[:n]) in known)
        assert store.match_length(path) == covered
        start = numbers.randrange(covered + 1)
        if start < len(path):
            put(store, path, start)
            known |= {tuple(path[:n]) for n in range(1, len(path) + 1)}
        low = numbers.randrange(len(path))
        high = numbers.randrange(low + 1, len(path) + 1)
        assert_is(store.get(path, low, high), path, low, high)
    assert store.nbytes == len(known) * PER_TOKEN


def test_the_budget_holds_and_the_least_recently_used_leaf_goes_first() -> None:
    store = FragmentStore(10 * PER_TOKEN)
    trunk = [1, 2, 3, 4]
    put(store, trunk)
    put(store, [*trunk, 10, 11, 12], start=4)
    put(store, [*trunk, 20, 21, 22], start=4)
    assert store.nbytes == 10 * PER_TOKEN
    store.get([*trunk, 10, 11, 12], 0, 7)
    put(store, [*trunk, 30, 31], start=4)
    assert store.match_length([*trunk, 20]) == 4
    assert store.match_length([*trunk, 10, 11, 12]) == 7
    assert store.match_length([*trunk, 30, 31]) == 6
    assert store.nbytes == 9 * PER_TOKEN
    assert store.evicted_bytes == 3 * PER_TOKEN


@pytest.mark.parametrize("order", list(itertools.permutations([10, 20, 30])))
def test_leaves_go_in_the_order_of_their_last_use(order: tuple[int, ...]) -> None:
    store = FragmentStore(3 * PER_TOKEN)
    for leaf in (10, 20, 30):
        put(store, [leaf])
    for leaf in order:
        store.get([leaf], 0, 1)
    for index in range(3):
        put(store, [40 + index])
        assert [leaf for leaf in order if store.match_length([leaf])] == list(order[index + 1 :])


def test_a_path_just_used_is_never_dropped() -> None:
    store = FragmentStore(1)
    put(store, [1, 2, 3])
    assert store.match_length([1, 2, 3]) == 3
    put(store, [4, 5])
    assert store.match_length([1, 2, 3]) == 0
    assert store.match_length([4, 5]) == 2


def test_nothing_is_dropped_while_it_is_held() -> None:
    store = FragmentStore(4 * PER_TOKEN)
    store.hold()
    for first in range(5):
        put(store, [first, 1, 2])
    assert store.nbytes == 15 * PER_TOKEN
    store.release()
    assert store.nbytes <= 4 * PER_TOKEN
    assert store.match_length([4, 1, 2]) == 3


def test_a_chain_of_single_tokens_of_any_depth() -> None:
    store = FragmentStore(200 * PER_TOKEN)
    path = list(range(1500))
    for length in range(1, 400):
        put(store, path[:length], start=length - 1)
    assert_is(store.get(path, 0, 399), path, 0, 399)
    put(store, [7, 7])
    assert store.nbytes <= 200 * PER_TOKEN
    covered = store.match_length(path)
    assert_is(store.get(path, 0, covered), path, 0, covered)


def test_clear() -> None:
    store = FragmentStore(1 << 20)
    put(store, [1, 2])
    store.clear()
    assert store.nbytes == store.match_length([1, 2]) == 0


@pytest.mark.parametrize(
    ("a", "b", "start", "wanted"),
    [([1, 2, 3], [1, 2, 3], 0, 3), ([1, 2, 3], [2, 3, 4], 1, 2), ([1, 2], [3], 0, 0), ([], [1], 0, 0)],
)
def test_common_length(a: list[int], b: list[int], start: int, wanted: int) -> None:
    assert common_length(a, b, start) == wanted


def test_fragments_cut_and_fused_are_the_same_again() -> None:
    path = list(range(9))
    whole = fragment(path, 0, 9)
    assert_is(Fragment.fuse([whole.part(0, 2), whole.part(2, 3), whole.part(3, 9)]), path, 0, 9)
    assert_is(Fragment.of(whole.frags()), path, 0, 9)
    assert whole.nbytes == 9 * PER_TOKEN
    assert [cache.offset for cache in whole.caches()] == [9, 9]


def test_layers_of_different_shapes_are_packed_apart() -> None:
    layers = [
        (mx.full((heads, 3, 4), float(index)), mx.full((heads, 3, 6), -float(index)))
        for index, heads in enumerate([2, 1, 2])
    ]
    packed = Fragment.pack(layers)
    assert [keys.shape for keys in packed.keys] == [(2, 2, 3, 4), (1, 1, 3, 4)]
    for index, (keys, values) in enumerate(layers):
        np.testing.assert_array_equal(packed.layer(index)[0], keys)
        np.testing.assert_array_equal(packed.layer(index)[1], values)
