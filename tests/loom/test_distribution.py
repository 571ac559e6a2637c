"""The most probable tokens of rows are those that a sort of the whole vocabulary puts first."""

from __future__ import annotations

import math

import numpy as np
import pytest

from n8loom_tui.loom.distribution import Distributions
from n8loom_tui.loom.ranking import NOTHING, unpacked

pytestmark = pytest.mark.usefixtures("way")


def rows(size: int) -> np.ndarray:
    """Rows of all kinds: plain, all alike, with many equal ones, with tokens that are ruled out, with both zeros, with
    some best ones that are equal."""
    rng = np.random.default_rng(size)
    table = rng.normal(0, 3, (6, size)).astype(np.float32)
    table[1] = -7.0
    table[2] = np.round(table[2])
    table[3, rng.random(size) < 0.99] = -math.inf
    table[3, -1] = 2.0
    table[4] = np.where(rng.random(size) < 0.5, np.float32(0.0), np.float32(-0.0))
    table[5, rng.permutation(size)[:90]] = 30.0
    return table


def sorted_whole(row: np.ndarray, count: int) -> list[int]:
    order = np.lexsort((np.arange(row.size), -(row + np.float32(0))))[:count]
    return [int(token) for token in order if row[token] > -math.inf]


@pytest.mark.parametrize("size", [1, 5, 63, 4095, 4097, 20001, 49152])
@pytest.mark.parametrize("count", [1, 5, 64, 165, 300, 1024, 5000])
def test_the_most_probable_tokens_come_first(size: int, count: int) -> None:
    table = rows(size)
    model = Distributions(table, count)
    for some in (np.arange(6), np.array([3, 1]), np.array([5])):
        keys = model.ranked(some, count)
        for row, found in zip(some, keys, strict=True):
            wanted = sorted_whole(table[row], count)
            values, tokens = unpacked(found[: len(wanted)])
            assert tokens.tolist() == wanted
            np.testing.assert_array_equal(values, table[row][wanted])
            assert (found[len(wanted) :] == NOTHING).all()


def test_of_a_broken_row_nothing_is_said() -> None:
    table = rows(9001)
    table[0, 17] = math.nan
    model = Distributions(table, 8)
    assert model.broken.tolist() == [True, False, False, False, False, False]
    assert (model.keys[0] == NOTHING).all()
    assert unpacked(model.keys[2])[1].tolist() == sorted_whole(table[2], 8)
