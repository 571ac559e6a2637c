"""The rows' own columns in NumPy."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from n8loom_tui.loom.kernels.rows import NumpyColumns

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
