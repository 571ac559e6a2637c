"""Fragments by path: covered is covered, whatever was cut, and the budget holds."""

from __future__ import annotations

import itertools
import random

import mlx.core as mx
import numpy as np
import pytest

from n8loom_tui.loom.fragments import Fragment
from n8loom_tui.loom.radix import Edge, common_length
from n8loom_tui.loom.store import FragmentStore, Held

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


# ------------------------------------------------------------------- states


class State:
    """A state that tells which path it stands behind, and weighs what it is told to."""

    def __init__(self, path: list[int], nbytes: int = 100) -> None:
        self.path = tuple(path)
        self.nbytes = nbytes


def put_states(
    store: FragmentStore, path: list[int], *positions: int, start: int = 0, nbytes: int = 100
) -> None:
    states = {at: State(path[:at], nbytes) for at in positions}
    store.put(path, start, fragment(path, start, len(path)), states)


def state_at(store: FragmentStore, path: list[int], position: int) -> tuple[int, ...] | None:
    state = store.snapshot(path, position)
    return state.path if isinstance(state, State) else None


def test_a_path_goes_on_from_the_nearest_state() -> None:
    store = FragmentStore(1 << 20, states=True)
    path = [1, 2, 3, 4, 5, 6]
    put_states(store, path, 2, 5)
    assert store.match_length(path) == 5
    assert store.match_length([1, 2, 3, 4, 9]) == 2
    assert store.match_length([1, 9]) == store.match_length([1]) == 0
    assert state_at(store, path, 5) == (1, 2, 3, 4, 5)
    assert state_at(store, path, 3) is state_at(store, [1, 9], 2) is None
    assert_is(store.get(path, 0, 6), path, 0, 6)


def test_states_stay_where_they_belong_when_spans_are_cut() -> None:
    store = FragmentStore(1 << 20, states=True)
    path = [1, 2, 3, 4, 5, 6]
    put_states(store, path, 2, 3, 6)
    for other in ([1, 2, 3, 9], [1, 7], [1, 2, 3, 4, 5, 8]):
        put_states(store, other, len(other))
        assert state_at(store, other, len(other)) == tuple(other)
    for position in (2, 3, 6):
        assert state_at(store, path, position) == tuple(path[:position])
    assert store.nbytes == (6 + 1 + 1 + 1) * PER_TOKEN + 6 * 100


def test_states_of_a_span_that_is_cut_do_not_take_each_others_place() -> None:
    """Also where the later one came first, and lies as far behind the cut as the other one did behind the start."""
    store = FragmentStore(1 << 20, states=True)
    path = [1, 2, 3, 4, 5, 6]
    put_states(store, path, 6)
    put_states(store, path, 4)
    put(store, [1, 2, 9], 2)
    for position in (4, 6):
        assert state_at(store, path, position) == tuple(path[:position])
    assert store.nbytes == 7 * PER_TOKEN + 2 * 100


def test_a_state_can_be_put_where_the_path_is_covered_already() -> None:
    store = FragmentStore(1 << 20, states=True)
    path = [1, 2, 3, 4]
    put_states(store, path, 4)
    store.put(path[:2], 2, Fragment.pack([], 0), {2: State(path[:2])})
    assert store.match_length(path[:3]) == 2
    assert store.nbytes == 4 * PER_TOKEN + 200


def test_fragments_of_states_alone_cover_paths_too() -> None:
    store = FragmentStore(1 << 20, states=True)
    path = [1, 2, 3]
    store.put(path, 0, Fragment.pack([], 3), {3: State(path)})
    found = store.get(path, 1, 3)
    assert found is not None
    assert len(found) == 2
    assert store.match_length([*path, 4]) == 3


def test_a_state_is_dropped_before_what_was_used_later() -> None:
    store = FragmentStore(6 * PER_TOKEN + 250, states=True)
    path = [1, 2, 3, 4, 5, 6]
    put_states(store, path, 2, 4)
    assert state_at(store, path, 2) is not None
    store.put(path, 6, Fragment.pack([], 0), {6: State(path)})
    assert [state_at(store, path, at) is not None for at in (2, 4, 6)] == [True, False, True]
    assert store.evictions == 1
    assert store.match_length(path[:5]) == 2
    assert store.known_length(path[:5]) == 4


# --------------------------------------------------------------- pins, budget


def test_what_is_pinned_stays() -> None:
    store = FragmentStore(4 * PER_TOKEN)
    put(store, [1, 2, 3])
    pin = store.pin([1, 2, 3, 9])
    put(store, [4, 5, 6])
    put(store, [1, 2, 7])  # cuts the pinned span
    put(store, [8, 9, 10])
    assert store.match_length([1, 2, 3]) == 3
    assert store.match_length([4, 5, 6]) == 0
    pin.release()
    pin.release()
    put(store, [11, 12, 13, 14])
    assert store.match_length([1, 2, 3]) == 0
    assert store.nbytes == 4 * PER_TOKEN


def test_the_state_that_a_pinned_path_goes_on_from_stays() -> None:
    store = FragmentStore(3 * PER_TOKEN + 150, states=True)
    path = [1, 2, 3]
    put_states(store, path, 2)
    pin = store.pin(path)
    store.put(path, 3, Fragment.pack([], 0), {1: State(path[:1]), 3: State(path)})
    put(store, [4])
    assert store.match_length(path) == 2
    del pin
    put(store, [5])
    assert store.match_length(path) == 0


def test_what_is_reserved_counts_against_the_budget() -> None:
    store = FragmentStore(10 * PER_TOKEN)
    for first in range(5):
        put(store, [first, 1])
    store.reserve("batch", 3 * PER_TOKEN)
    store.reserve("batch", 4 * PER_TOKEN)
    assert store.nbytes == 6 * PER_TOKEN
    assert store.reserved == 4 * PER_TOKEN
    store.reserve("batch", 0)
    put(store, [8, 1])
    store.make_room(5 * PER_TOKEN)
    assert store.nbytes == 4 * PER_TOKEN
    assert store.match_length([8, 1]) == 2


def test_what_is_held_of_a_span() -> None:
    store = FragmentStore(1 << 20, states=True)
    path = [1, 2, 3, 4]
    put_states(store, path, 1, 3)
    assert store.held([*path, 5], 2, 5) == Held(2, 2 * PER_TOKEN + 100)
    assert store.held([9], 0, 1) == Held(0, 0)


# ------------------------------------------------------------------ evictions


def test_what_was_evicted_is_known_and_comes_back() -> None:
    store = FragmentStore(4 * PER_TOKEN)
    put(store, [1, 2, 3, 4])
    put(store, [5, 6, 7])
    assert store.match_length([1, 2, 3, 4]) == 0
    assert store.known_length([1, 2, 3, 9]) == 3
    put(store, [1, 2])
    assert store.known_length([1, 2, 3, 4]) == 4
    assert store.match_length([1, 2, 3, 4]) == 2
    put(store, [1, 2, 3, 4], start=2)
    assert_is(store.get([1, 2, 3, 4], 0, 4), [1, 2, 3, 4], 0, 4)
    assert (store.evictions, store.evicted_bytes) == (2, 7 * PER_TOKEN)


def test_only_so_many_evictions_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("n8loom_tui.loom.store.REMEMBERED", 30)
    store = FragmentStore(4 * PER_TOKEN)
    paths = [[first, *range(100, 109)] for first in range(50)]
    for path in paths:
        put(store, path)
    known = sum(store.known_length(path) for path in paths)
    assert 20 <= known <= 30 + 10
    assert store.known_length(paths[0]) == 0


def test_only_so_many_evicted_spans_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("n8loom_tui.loom.store.REMEMBERED_SPANS", 5)
    store = FragmentStore(2 * PER_TOKEN)
    for first in range(50):
        put(store, [first])
    assert 5 <= sum(store.known_length([first]) for first in range(50)) <= 5 + 2


def test_a_chain_of_nodes_is_few_spans_and_a_pin_keeps_what_was_joined() -> None:
    store = FragmentStore(1 << 24)
    path = list(range(300))
    pins = []
    for length in range(1, 301):
        put(store, path[:length], start=length - 1)
        if length == 40:
            pins.append(store.pin(path[:length]))
    assert len(store.pieces(path, 0, 300)) <= 10
    assert_is(store.get(path, 3, 299), path, 3, 299)
    put(store, [*path[:40], 999, 998], start=40)
    assert_is(store.get(path, 0, 300), path, 0, 300)
    put(store, [7])
    store.budget = 0
    store.make_room(0)
    assert_is(store.get(path, 0, 40), path, 0, 40)
    pins.pop().release()
    put(store, [8])
    store.make_room(0)
    assert store.nbytes <= PER_TOKEN


def test_random_paths_under_a_budget_are_exact_and_counted() -> None:
    numbers = random.Random(4)
    store = FragmentStore(40 * PER_TOKEN + 600, states=True)
    pins = []
    for step in range(700):
        path = [numbers.randrange(3) for _ in range(numbers.randrange(1, 12))]
        start = numbers.randrange(store.held(path, 0, len(path)).tokens + 1)
        at = numbers.randrange(start, len(path) + 1)
        put_states(store, path, at, start=start)
        assert_is(store.get(path, 0, len(path)), path, 0, len(path))
        assert at == 0 or state_at(store, path, at) == tuple(path[:at])
        assert store.match_length(path) <= store.known_length(path) <= len(path)
        if step % 7 == 0:
            pins.append((path, store.pin(path)))
        if len(pins) > 2:
            pinned, pin = pins.pop(0)
            assert store.held(pinned, 0, 99).tokens == len(pinned)
            pin.release()
        edges = [edge for edge in every(store) if edge.fragment is not None]
        marks = [mark for edge in edges for mark in edge.marks.values() if mark.state is not None]
        held = sum(len(edge.fragment or ()) for edge in edges)
        assert store.nbytes == held * PER_TOKEN + sum(mark.state.nbytes for mark in marks if mark.state)
        assert all(mark.edge is edge for edge in edges for mark in edge.marks.values())
        pinned_bytes = 3 * (12 * PER_TOKEN + 100)
        assert store.nbytes <= store.budget + pinned_bytes
    assert store.evictions > 200


def every(store: FragmentStore) -> list[Edge]:
    edges, stack = [], list(store._root.children.values())
    while stack:
        edges.append(stack.pop())
        stack.extend(edges[-1].children.values())
    return edges


def test_long_fragments_are_kept_in_short_spans() -> None:
    store = FragmentStore(1 << 24)
    path = list(range(1300))
    put(store, path)
    assert max(len(edge.tokens) for edge in every(store)) == 512
    assert_is(store.get(path, 500, 1100), path, 500, 1100)
