"""Attention over shared spans and own columns equals attention over each row's whole context."""

from __future__ import annotations

import numpy as np
import pytest

from n8loom_tui.loom.kernels import reach as module
from n8loom_tui.loom.kernels.reach import Heads, Own, Reach, Span, reach
from n8loom_tui.loom.kernels.workspace import Floats, Workspace

RNG = np.random.default_rng(0)
HEADS = Heads(kv=2, group=3, dim=8)


def numbers(*shape: int) -> Floats:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.fixture(params=["compiled", "numpy"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "numpy":
        monkeypatch.setattr(module, "code", lambda: None)


def attention(queries: Floats, keys: Floats, values: Floats) -> Floats:
    """One row: `[kv, group, dim]` over `[kv, columns, dim]`."""
    scores = np.exp(queries @ keys.swapaxes(1, 2))
    return (scores / scores.sum(-1, keepdims=True)) @ values


def span(low: int, high: int, start: int, stop: int, room: int = 0) -> Span:
    shape = (HEADS.kv, stop - start + room, HEADS.dim)
    return Span(low, high, start, stop, [numbers(*shape)], [numbers(*shape)])


def context(spans: list[Span], own: Own | None, row: int, upto: int | None = None) -> tuple[Floats, Floats]:
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


def attended(seen: Reach, layer: int = 0) -> Floats:
    """`[kv, rows, group, dim]`."""
    kv, rows, group, dim = seen.queries.shape
    out = np.full((rows, kv, group, dim), np.nan, dtype=np.float32)
    seen.attend(layer, out)
    return out.swapaxes(0, 1)


@pytest.mark.parametrize("rows", [1, 3, 50])
@pytest.mark.parametrize("prefix", [0, 1, 40, 700])
def test_rows_of_a_tree(rows: int, prefix: int) -> None:
    third = rows // 3
    spans = [span(0, rows, 0, prefix, room=5)] if prefix else []
    if third:
        start = prefix
        spans += [span(0, third, start, start + 17), span(third, rows, start, start + 4)]
        spans += [span(third, rows - 1, start + 4, start + 90)]
    room = (rows + 2, HEADS.kv, 64, HEADS.dim)
    own = Own([numbers(*room)], [numbers(*room)], RNG.permutation(rows), RNG.integers(1, 60, rows))
    seen = reach(HEADS, rows, spans, own, Workspace())
    seen.queries[:] = numbers(*seen.queries.shape)
    got = attended(seen)
    for row in range(rows):
        wanted = attention(seen.queries[:, row], *context(spans, own, row))
        np.testing.assert_allclose(got[:, row], wanted, atol=1e-5)


@pytest.mark.parametrize(("first", "second"), [(1, 0), (9, 5), (200, 60)])
def test_paths_that_are_read_together(first: int, second: int) -> None:
    rows, shared, before = first + second, 20, 6
    spans = [span(0, first, shared, shared + before + first, room=3)]
    causal = [(0, first, shared + before)]
    if second:
        spans.append(span(first, rows, shared, shared + second))
        causal.append((first, rows, shared))
    spans.append(span(0, rows, 0, shared))
    seen = reach(HEADS, rows, spans, None, Workspace(), causal)
    seen.queries[:] = numbers(*seen.queries.shape)
    got = attended(seen)
    for low, high, start in causal:
        for row in range(low, high):
            wanted = attention(seen.queries[:, row], *context(spans, None, row, start + row - low + 1))
            np.testing.assert_allclose(got[:, row], wanted, atol=1e-5)


def test_layers_whose_columns_have_room_for_different_numbers() -> None:
    shapes = [(2, HEADS.kv, room, HEADS.dim) for room in (64, 128)]
    own = Own([numbers(*s) for s in shapes], [numbers(*s) for s in shapes], np.arange(2), np.array([40, 40]))
    seen = reach(HEADS, 2, [], own, Workspace())
    for layer in range(2):
        seen.queries[:] = numbers(*seen.queries.shape)
        got = attended(seen, layer)
        for row in range(2):
            keys, values = own.keys[layer][row, :, :40], own.values[layer][row, :, :40]
            np.testing.assert_allclose(got[:, row], attention(seen.queries[:, row], keys, values), atol=1e-5)
