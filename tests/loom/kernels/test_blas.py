"""Products through the BLAS equal NumPy's, in whichever form they are done."""

from __future__ import annotations

import numpy as np
import pytest

from n8loom_tui.loom.kernels import blas
from n8loom_tui.loom.kernels.blas import Floats, ProductBatch, Products, Weight, address

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
    Weight(weight, bias, pack=pack).apply(x, out)
    wanted = x.astype(np.float64) @ weight.astype(np.float64).T + bias
    np.testing.assert_allclose(out, wanted, atol=2e-5 * inputs**0.5 + 1e-5)


def test_a_weight_follows_the_number_of_rows() -> None:
    weight = Weight(numbers(70, 40), pack=True)
    for rows in (3, 9, 3, 60, 1):
        x = numbers(rows, 40, seed=rows)
        out = weight.apply(x, np.empty((rows, 70), dtype=np.float32))
        np.testing.assert_allclose(out, x @ weight.array.T, atol=1e-4)


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


@needs_blas
def test_products_are_shared_out_and_openblas_has_its_threads_back() -> None:
    """The fixture shares out already: within it OpenBLAS keeps to one thread, and so it does further in."""
    found = blas.placed()
    assert found is not None
    assert found.threads() == 1
    with blas.shared_out():
        assert found.threads() == 1
    assert found.threads() == 1
    assert blas._workers >= 1


@needs_blas
@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_any_number_of_threads_gives_the_same(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_workers", workers)
    monkeypatch.setattr(blas, "WORTH_SHARING", 1)
    for rows in (2, 33, 90):
        weight, x = Weight(numbers(170, 64), pack=True), numbers(rows, 64, seed=rows)
        out = weight.apply(x, np.empty((rows, 170), dtype=np.float32))
        np.testing.assert_allclose(out, x @ weight.array.T, atol=1e-4)
