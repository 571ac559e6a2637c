"""Products through the BLAS equal NumPy's, in whichever form they are done."""

from __future__ import annotations

import numpy as np
import pytest

from n8loom_tui.loom.kernels import blas
from n8loom_tui.loom.kernels.blas import Floats, ProductBatch, Products, Weight, address, cut
from n8loom_tui.loom.kernels.workspace import Workspace

needs_blas = pytest.mark.skipif(blas.placed() is None, reason="no OpenBLAS was placed in this process")


def numbers(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.fixture(params=["placed", "none"])
def whichever_blas(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "none":
        monkeypatch.setattr(blas, "placed", lambda: None)


@pytest.mark.usefixtures("whichever_blas")
@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("rows", [1, 2, 7, 32, 56, 57, 300])
@pytest.mark.parametrize(("outputs", "inputs"), [(96, 64), (33, 48), (5, 3), (64, 4000)])
def test_a_weight_applied_equals_the_plain_product(outputs: int, inputs: int, rows: int, pack: bool) -> None:
    weight, bias, x = numbers(outputs, inputs), numbers(outputs, seed=1), numbers(rows, inputs, seed=2)
    out = np.full((rows, outputs), np.nan, dtype=np.float32)
    Weight.of(weight, bias, pack=pack).apply(x, out, Workspace())
    wanted = x.astype(np.float64) @ weight.astype(np.float64).T + bias
    np.testing.assert_allclose(out, wanted, atol=2e-5 * inputs**0.5 + 1e-5)


def test_a_weight_follows_the_number_of_rows() -> None:
    array, space = numbers(70, 40), Workspace()
    weight = Weight.of(array, pack=True)
    for rows in (3, 9, 3, 60, 1):
        x = numbers(rows, 40, seed=rows)
        out = weight.apply(x, np.empty((rows, 70), dtype=np.float32), space)
        np.testing.assert_allclose(out, x @ array.T, atol=1e-4)


@pytest.mark.usefixtures("whichever_blas")
@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("rows", [2, 60])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_shares_of_the_outputs_make_up_the_whole(count: int, rows: int, pack: bool) -> None:
    array, bias, x, space = numbers(230, 70), numbers(230, seed=1), numbers(rows, 70, seed=2), Workspace()
    weight = Weight.of(array, bias, pack=pack)
    out = np.full((rows, 230), np.nan, dtype=np.float32)
    for number in range(count):
        low, high = cut(230, number, count)
        weight.share(number, count).apply(x, out[:, low:high], space)
    np.testing.assert_allclose(out, x @ array.T + bias, atol=1e-4)


@pytest.mark.usefixtures("whichever_blas")
def test_a_product_may_go_into_some_columns_of_a_table() -> None:
    array, x = numbers(64, 40), numbers(3, 40, seed=2)
    table = np.full((3, 100), 7.0, dtype=np.float32)
    Weight.of(array, pack=True).apply(x, table[:, 20:84], Workspace())
    np.testing.assert_allclose(table[:, 20:84], x @ array.T, atol=1e-4)
    assert (table[:, :20] == 7).all()
    assert (table[:, 84:] == 7).all()


@needs_blas
@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_batches_of_products_of_several_sizes(transposed: bool, beta: float) -> None:
    groups, expected = [], []
    a, b, c = numbers(4000, seed=3), numbers(9000, seed=4), numbers(6000, seed=5)
    if beta == 0.0:
        c[:] = np.nan  # what stands there must not matter
    wanted = c.copy()
    at = [0, 0, 0]
    for rows, columns, inner, count in ((3, 34, 16, 4), (1, 1, 1, 2), (9, 20, 33, 3)):
        sizes = (rows * inner, columns * inner, rows * columns)
        places = [
            np.array([start + i * size for i in range(count)]) for start, size in zip(at, sizes, strict=True)
        ]
        for i, j, k in zip(*places, strict=True):
            left = a[i : i + sizes[0]].reshape(rows, inner)
            right = b[j : j + sizes[1]].reshape((columns, inner) if transposed else (inner, columns))
            part = wanted[k : k + sizes[2]].reshape(rows, columns)
            part[:] = (part if beta else 0) + left @ (right.T if transposed else right)
        steps = (inner, inner if transposed else columns, columns)
        whole = [place.astype(np.uint64) for place in places]
        groups.append(Products(rows, columns, inner, steps, *whole, transposed=transposed, beta=beta))
        at = [start + count * size for start, size in zip(at, sizes, strict=True)]
        expected.append(at[2])
    ProductBatch(groups).run(address(a), address(b), address(c))
    np.testing.assert_allclose(c[: expected[-1]], wanted[: expected[-1]], atol=1e-4)
