"""Layers whose weights threads share out make the same of their inputs, however many threads there are."""

from __future__ import annotations

import numpy as np
import pytest

from n8loom_tui.loom.kernels import team
from n8loom_tui.loom.kernels.apart import Projection, Spaces
from n8loom_tui.loom.kernels.weights import Weight
from n8loom_tui.loom.kernels.workspace import Floats

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
@pytest.mark.parametrize("outputs", [170, 40, 7])
def test_a_projection(outputs: int, rows: int, pack: bool) -> None:
    array, bias, x, spaces = (
        numbers(outputs, 64),
        numbers(outputs, seed=1),
        numbers(rows, 64, seed=2),
        Spaces(),
    )
    projection = Projection(Weight.of(array, bias, pack=pack))
    for _ in range(2):
        out = projection.apply(x, np.full((rows, outputs), np.nan, dtype=np.float32), spaces)
        np.testing.assert_allclose(out, x @ array.T + bias, atol=1e-4)
