"""Layers whose weights threads share out make the same of their inputs, however many threads there are."""

from __future__ import annotations

import numpy as np
import pytest

from n8loom_tui.loom.kernels import team
from n8loom_tui.loom.kernels.apart import GatedMlp, Projection, Spaces
from n8loom_tui.loom.kernels.blas import Floats, Weight

WORKERS = [1, 2, 3, 5]


def numbers(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.fixture(params=WORKERS)
def _workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "_workers", request.param)
    monkeypatch.setattr(team, "WORTH_SHARING", 1)


@pytest.mark.usefixtures("_workers")
@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("rows", [1, 2, 33, 90])
def test_a_projection(rows: int, pack: bool) -> None:
    array, bias, x, spaces = numbers(170, 64), numbers(170, seed=1), numbers(rows, 64, seed=2), Spaces()
    projection = Projection(Weight.of(array, bias, pack=pack))
    for _ in range(2):
        out = projection.apply(x, np.full((rows, 170), np.nan, dtype=np.float32), spaces)
        np.testing.assert_allclose(out, x @ array.T + bias, atol=1e-4)


@pytest.mark.usefixtures("_workers")
@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 60])
@pytest.mark.parametrize("columns", [96, 100, 20])
def test_a_gated_mlp(columns: int, rows: int, pack: bool) -> None:
    gate, up, down = numbers(columns, 48), numbers(columns, 48, seed=1), numbers(40, columns, seed=2)
    biases, bias, x = numbers(2 * columns, seed=3), numbers(40, seed=4), numbers(rows, 48, seed=5)
    both = Weight.of(np.concatenate([gate, up]), biases, sections=(columns, columns), pack=pack)
    got = GatedMlp(both, Weight.of(down, bias, pack=pack)).apply(x, Spaces()).sum(axis=0)
    gated = x @ gate.T + biases[:columns]
    wanted = (gated / (1 + np.exp(-gated)) * (x @ up.T + biases[columns:])) @ down.T + bias
    np.testing.assert_allclose(got, wanted, atol=2e-3, rtol=1e-4)
