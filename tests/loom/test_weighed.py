"""Rows of logits weigh what 64-bit floats say, however they are gone through."""

from __future__ import annotations

import math

import numpy as np
import pytest

from n8loom_tui.loom.kernels.team import shared_out
from n8loom_tui.loom.weighed import LINE, weighed

pytestmark = pytest.mark.usefixtures("way")


def rows(size: int) -> np.ndarray:
    """Rows of all kinds: flat, steep, high, low, with tokens that are ruled out."""
    rng = np.random.default_rng(size)
    table = rng.normal(0, 1, (6, size)).astype(np.float32)
    table[1] *= 40
    table[2] += 3000
    table[3] -= 5000
    table[4, rng.random(size) < 0.7] = -math.inf
    table[4, -1] = 2.0
    table[5] = -7.0
    return table


@pytest.mark.parametrize("size", [1, 5, 63, 4095, 4096, 4097, 20001, 49152])
def test_total_entropy_and_the_largest(size: int) -> None:
    table = rows(size)
    exact = table.astype(np.float64)
    best = exact.max(axis=1)
    shares = np.exp(exact - best[:, None])
    total = shares.sum(axis=1)
    with np.errstate(invalid="ignore"):
        entropy = np.log(total) - np.nansum(shares * (exact - best[:, None]), axis=1) / total
    found = weighed(table)
    assert not found.broken.any()
    np.testing.assert_array_equal(found.best, best)
    np.testing.assert_allclose(found.total, total, rtol=1e-5)
    np.testing.assert_allclose(found.entropy, entropy, rtol=1e-4, atol=1e-4)
    columns = min(LINE, size)
    for column in {0, columns // 2, columns - 1}:
        np.testing.assert_array_equal(found.maxima[:, column], table[:, column::columns].max(axis=1))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.nan])
@pytest.mark.parametrize("place", [0, 17, 9000])
def test_what_is_no_number_breaks_its_own_row_alone(value: float, place: int) -> None:
    table = rows(9001)
    whole = weighed(table)
    table[2, place] = value
    found = weighed(table)
    assert found.broken.tolist() == [False, False, True, False, False, False]
    others = ~found.broken
    for name in ("best", "total", "entropy", "maxima"):
        np.testing.assert_array_equal(getattr(found, name)[others], getattr(whole, name)[others])


def test_threads_that_share_rows_out_find_the_same() -> None:
    table = np.tile(rows(49152), (6, 1))
    alone = weighed(table, 64)
    with shared_out():
        together = weighed(table, 64)
    for name in ("broken", "best", "total", "entropy", "maxima", "keys"):
        np.testing.assert_array_equal(getattr(together, name), getattr(alone, name))
