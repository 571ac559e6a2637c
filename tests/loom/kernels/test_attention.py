"""Attention over shared spans and own columns equals attention over each row's whole context."""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from n8loom_tui.loom.kernels.native import code
from n8loom_tui.loom.kernels.passes import Causal, Heads, Own, Pass, Span
from n8loom_tui.loom.kernels.planned import Plan
from n8loom_tui.loom.kernels.program import Program
from n8loom_tui.loom.kernels.reach import PlainReach
from n8loom_tui.loom.kernels.workspace import Floats, Workspace, address, aligned

RNG = np.random.default_rng(0)
Way = Callable[[Heads, Pass, Floats, int], Floats]
"""Attention of `queries [rows, kv, group, dim]` in a layer: the same shape."""


def numbers(*shape: int) -> Floats:
    return RNG.standard_normal(shape).astype(np.float32)


def plainly(heads: Heads, what: Pass, queries: Floats, layer: int) -> Floats:
    reach = PlainReach(heads, what.rows, what.spans, what.own, Workspace(), what.causal)
    np.copyto(reach.queries, queries.swapaxes(0, 1))
    return reach.attend(layer)


def compiled(heads: Heads, what: Pass, queries: Floats, layer: int, count: int = 1) -> Floats:
    known = code()
    assert known is not None
    out = np.full(queries.shape, np.nan, dtype=np.float32)
    for thread in range(count):
        low, high = (what.rows * part // count for part in (thread, thread + 1))
        if low == high:
            continue
        program = Program(known, 1)
        space = Workspace()
        layers = len(what.own.keys) if what.own is not None else len(what.spans[0].keys)
        plan = Plan(known, heads, layers, what, low, high, space)
        taken = space.take("queries", heads.kv, high - low, heads.group, heads.dim)
        assert address(taken) == plan.queries
        np.copyto(taken, queries[low:high].swapaxes(0, 1))
        program.add(0, "attention", *plan.arguments[layer].tolist(), address(out[low:high]))
        program.finish()
        program.run()
    return out


def in_shares(heads: Heads, what: Pass, queries: Floats, layer: int) -> Floats:
    return compiled(heads, what, queries, layer, count=3)


@pytest.fixture(params=[plainly, compiled, in_shares], ids=lambda way: way.__name__)
def way(request: pytest.FixtureRequest) -> Way:
    if request.param is not plainly and code() is None:
        pytest.skip("no code can be compiled for this processor")
    chosen: Way = request.param
    return chosen


@pytest.fixture(params=[Heads(2, 3, 8), Heads(1, 1, 64), Heads(3, 4, 40)], ids=str)
def heads(request: pytest.FixtureRequest) -> Heads:
    chosen: Heads = request.param
    return chosen


def attention(queries: Floats, keys: Floats, values: Floats) -> Floats:
    """One row: `[kv, group, dim]` over `[kv, columns, dim]`."""
    scores = queries @ keys.swapaxes(1, 2)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    result: Floats = (scores / scores.sum(-1, keepdims=True)) @ values
    return result


def span(heads: Heads, low: int, high: int, start: int, stop: int, room: int = 0) -> Span:
    shape = (heads.kv, stop - start + room, heads.dim)
    return Span(low, high, start, stop, [numbers(*shape)], [numbers(*shape)])


def context(
    spans: Sequence[Span], own: Own | None, row: int, upto: int | None = None
) -> tuple[Floats, Floats]:
    keys, values = [], []
    for each in sorted(spans, key=lambda s: s.start):
        if each.low <= row < each.high:
            count = (each.stop if upto is None else min(each.stop, upto)) - each.start
            keys.append(each.keys[0][:, :count])
            values.append(each.values[0][:, :count])
    if own is not None:
        place, length = own.order[row], own.lengths[row]
        keys.append(own.keys[0][place, :, :length])
        values.append(own.values[0][place, :, :length])
    return np.concatenate(keys, axis=1), np.concatenate(values, axis=1)


def a_pass(rows: int, spans: Sequence[Span], own: Own | None = None, causal: Causal = ()) -> Pass:
    nothing = np.zeros(rows, dtype=np.int64)
    return Pass(nothing, nothing, [], spans, own, causal)


def of_own(heads: Heads, rows: int, room: int, lengths: Sequence[int]) -> Own:
    shape = (rows + 2, heads.kv, room, heads.dim)
    return Own([numbers(*shape)], [numbers(*shape)], RNG.permutation(rows), np.array(lengths))


@pytest.mark.parametrize("rows", [1, 3, 50])
@pytest.mark.parametrize("prefix", [0, 1, 40, 700])
def test_rows_of_a_tree(heads: Heads, rows: int, prefix: int, way: Way) -> None:
    third = rows // 3
    spans = [span(heads, 0, rows, 0, prefix, room=5)] if prefix else []
    if third:
        start = prefix
        spans += [span(heads, 0, third, start, start + 17), span(heads, third, rows, start, start + 4)]
        spans += [span(heads, third, rows - 1, start + 4, start + 90)]
    own = of_own(heads, rows, 64, RNG.integers(1, 60, rows).tolist())
    queries = numbers(rows, heads.kv, heads.group, heads.dim)
    got = way(heads, a_pass(rows, spans, own), queries, 0)
    for row in range(rows):
        wanted = attention(queries[row], *context(spans, own, row))
        np.testing.assert_allclose(got[row], wanted, atol=2e-5)


@pytest.mark.parametrize(("first", "second"), [(1, 0), (9, 5), (200, 60)])
def test_paths_that_are_read_together(heads: Heads, first: int, second: int, way: Way) -> None:
    rows, shared, before = first + second, 20, 6
    spans = [span(heads, 0, first, shared, shared + before + first, room=3)]
    causal = [(0, first, shared + before)]
    if second:
        spans.append(span(heads, first, rows, shared, shared + second))
        causal.append((first, rows, shared))
    spans.append(span(heads, 0, rows, 0, shared))
    queries = numbers(rows, heads.kv, heads.group, heads.dim)
    got = way(heads, a_pass(rows, spans, causal=causal), queries, 0)
    for low, high, start in causal:
        for row in range(low, high):
            wanted = attention(queries[row], *context(spans, None, row, start + row - low + 1))
            np.testing.assert_allclose(got[row], wanted, atol=2e-5)


def test_layers_whose_columns_have_room_for_different_numbers(heads: Heads, way: Way) -> None:
    shapes = [(2, heads.kv, room, heads.dim) for room in (64, 128)]
    own = Own([numbers(*s) for s in shapes], [numbers(*s) for s in shapes], np.arange(2), np.array([40, 40]))
    for layer in range(2):
        queries = numbers(2, heads.kv, heads.group, heads.dim)
        got = way(heads, a_pass(2, [], own), queries, layer)
        for row in range(2):
            keys, values = own.keys[layer][row, :, :40], own.values[layer][row, :, :40]
            np.testing.assert_allclose(got[row], attention(queries[row], keys, values), atol=2e-5)


def test_scores_far_apart(heads: Heads, way: Way) -> None:
    own = of_own(heads, 2, 40, [40, 40])
    np.multiply(own.keys[0], 60, out=own.keys[0])
    queries = numbers(2, heads.kv, heads.group, heads.dim)
    got = way(heads, a_pass(2, [], own), queries, 0)
    for row in range(2):
        np.testing.assert_allclose(got[row], attention(queries[row], *context([], own, row)), atol=2e-4)


def test_numbers_that_are_none_stay_with_their_row(heads: Heads, way: Way) -> None:
    own = of_own(heads, 5, 16, [9] * 5)
    queries = numbers(5, heads.kv, heads.group, heads.dim)
    own.keys[0][own.order[3], :, 4] = np.nan
    with np.errstate(all="ignore"):
        got = way(heads, a_pass(5, [span(heads, 0, 5, 0, 30)], own), queries, 0)
    assert np.isnan(got[3]).all()
    assert np.isfinite(np.delete(got, 3, axis=0)).all()


def test_what_lies_beyond_what_a_row_has_filled_does_not_matter(heads: Heads, way: Way) -> None:
    own = of_own(heads, 3, 48, [5, 17, 33])
    for row, length in zip(own.order, own.lengths, strict=True):
        own.keys[0][row, :, length:] = own.values[0][row, :, length:] = 1e9
    queries = numbers(3, heads.kv, heads.group, heads.dim)
    got = way(heads, a_pass(3, [], own), queries, 0)
    for row in range(3):
        np.testing.assert_allclose(got[row], attention(queries[row], *context([], own, row)), atol=2e-5)


@pytest.mark.skipif(code() is None, reason="no code can be compiled for this processor")
@pytest.mark.parametrize("rows", [3, 40])  # few queries are done by other code than many
@pytest.mark.parametrize("cuts", [[30], [1, 2, 30], [16, 30], [13, 27, 29]])
def test_the_parts_that_a_path_lies_in_make_no_difference_to_the_bit(
    heads: Heads, cuts: list[int], rows: int
) -> None:
    length = 75
    keys, values = (numbers(heads.kv, length, heads.dim) for _ in range(2))
    queries = numbers(rows, heads.kv, heads.group, heads.dim)

    def among(number: int, cuts: list[int], others: Sequence[Span]) -> Floats:
        spans = [
            Span(0, number, low, high, [keys[:, low:high].copy()], [values[:, low:high].copy()])
            for low, high in zip([0, *cuts[:-1]], cuts, strict=True)
        ]
        rest = length - cuts[-1]
        shape = (number, heads.kv, 64, heads.dim)
        own = Own(
            [aligned(shape, np.float32)],
            [aligned(shape, np.float32)],
            np.arange(number),
            np.full(number, rest),
        )
        own.keys[0][:, :, :rest], own.values[0][:, :, :rest] = keys[:, cuts[-1] :], values[:, cuts[-1] :]
        return compiled(heads, a_pass(number, [*spans, *others], own), queries[:number], 0)

    wanted = among(rows, [30], [])
    np.testing.assert_array_equal(among(rows, cuts, []), wanted)
    np.testing.assert_array_equal(among(1, cuts, []), wanted[:1])
    # another row's longer path moves the own columns in the table of scores
    longer = span(heads, 1, 2, 30, 51)
    others = np.arange(rows) != 1
    np.testing.assert_array_equal(among(rows, [30], [longer])[others], wanted[others])


def test_other_processors_give_the_same_attention(heads: Heads, other_machine: None) -> None:
    for way in (compiled, in_shares):
        test_rows_of_a_tree(heads, 50, 40, way)
        test_paths_that_are_read_together(heads, 9, 5, way)
    test_the_parts_that_a_path_lies_in_make_no_difference_to_the_bit(heads, [13, 27, 29], 40)


@pytest.mark.skipif(code() is None, reason="no code can be compiled for this processor")
@pytest.mark.skipif(sys.platform != "linux", reason="memory is placed by hand")
@pytest.mark.parametrize("rows", [3, 30])
@pytest.mark.parametrize("dim", [1, 8, 40, 80])
def test_nothing_beyond_the_end_of_keys_and_values_is_read(dim: int, rows: int) -> None:
    """They lie at the end of memory that the process has: a step beyond would end it."""
    heads, tokens = Heads(1, 2, dim), 9
    page = mmap.PAGESIZE
    kept = [mmap.mmap(-1, 2 * page, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for _ in range(2)]
    arrays = []
    for memory in kept:
        whole = np.frombuffer(memory, dtype=np.uint8)
        libc = ctypes.CDLL(None)
        assert libc.mprotect(ctypes.c_void_p(address(whole) + page), page, 0) == 0
        size = tokens * dim * 4
        arrays.append(whole[page - size : page].view(np.float32).reshape(1, tokens, dim))
        arrays[-1][:] = numbers(1, tokens, dim)
    spans = [Span(0, rows, 0, tokens, arrays[:1], arrays[1:])]
    queries = numbers(rows, 1, 2, dim)
    got = compiled(heads, a_pass(rows, spans), queries, 0)
    for row in range(rows):
        np.testing.assert_allclose(got[row], attention(queries[row], *context(spans, None, row)), atol=2e-5)
