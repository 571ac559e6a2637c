"""The rows' own columns in NumPy."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from n8loom_tui.loom.fragments import Fragment
from n8loom_tui.loom.kernels.rows import NumpyColumns, Views
from n8loom_tui.loom.kernels.workspace import address, addresses
from n8loom_tui.loom.radix import Edge, Piece

HEADS, DIM = 2, 4


def own(tokens: int, value: float, heads: int = HEADS) -> tuple[mx.array, mx.array]:
    keys, values = (mx.full((heads, tokens, DIM), value) for _ in range(2))
    return keys, values


@pytest.mark.parametrize("heads", [HEADS, 7])
def test_a_failed_addition_leaves_the_rows_as_they_were(heads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = NumpyColumns()
    columns.add([own(3, 1.0), None])

    def full(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        if heads == HEADS:
            patch.setattr(np, "zeros", full)
        with pytest.raises((ValueError, MemoryError)):
            columns.add([own(40, 2.0, heads), None, None])
    columns.add([own(2, 3.0)])
    for row, (tokens, value) in enumerate([(3, 1.0), (0, 0.0), (2, 3.0)]):
        keys, values = columns.cut(row, 0, tokens)
        assert np.array(keys).shape == np.array(values).shape == (HEADS, tokens, DIM)
        assert (np.array(keys) == value).all() and (np.array(values) == value).all()


def test_views_of_layers_that_lie_differently_in_memory_are_brought_to_one_form() -> None:
    """What attends is told once, for all layers, how far it is from one head to the next."""
    large = mx.arange(HEADS * 9 * DIM).reshape(HEADS, 9, DIM).astype(mx.float32)
    across = mx.arange(HEADS * 5 * DIM).reshape(HEADS, DIM, 5).astype(mx.float32).swapaxes(1, 2)
    pairs = [(large[:, 2:7], large[:, :5]), own(5, 3.0), (across, large[:, 4:])]
    mx.eval(pairs)
    views = Views.of(pairs)
    for part, layers in enumerate((views.keys, views.values)):
        assert len({array.strides for array in layers}) == 1
        assert all(array[0].flags.c_contiguous for array in layers)
        for pair, array in zip(pairs, layers, strict=True):
            np.testing.assert_array_equal(array, pair[part])


@pytest.mark.parametrize("across", [False, True])
def test_a_piece_that_is_lent_is_seen_where_it_lies(across: bool) -> None:
    """Unless the tokens of a head are not one behind the other there."""
    layers, tokens = 3, 9
    keys, values = (
        mx.random.normal((layers, HEADS, DIM, tokens)).swapaxes(2, 3)
        if across
        else mx.random.normal((layers, HEADS, tokens, DIM))
        for _ in range(2)
    )
    mx.eval(keys, values)
    fragment = Fragment(tokens, (keys,), (values,), tuple((0, layer) for layer in range(layers)))
    piece = Piece(Edge(list(range(tokens)), fragment, None), fragment, 2, 7)
    views = Views.lent(piece)
    for part, whole, name in ((0, keys, "keys"), (1, values, "values")):
        seen = getattr(views, name)
        assert [address(array) for array in seen] == addresses(seen).tolist()
        assert np.shares_memory(seen[0], np.array(whole, copy=False)) is not across
        for array, pair in zip(seen, piece.pairs(), strict=True):
            assert array[0].flags.c_contiguous
            np.testing.assert_array_equal(array, pair[part])
