"""The noise is a standard Gumbel variable for each seed, step and token id, and nothing else decides it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from n8loom_tui.loom.noise import counters, gumbel, loud
from n8loom_tui.loom.seeds import GOLDEN, MASK, mix


def plain(seed: int, step: int, token: int) -> float:
    """The noise by whole numbers of Python."""
    counter = mix((seed & MASK) ^ mix(step))
    uniform = (mix((counter + token - GOLDEN) & MASK) >> 12) * 2.0**-52 + 2.0**-53
    return -math.log(-math.log(uniform))


def test_noise_is_what_the_formula_says() -> None:
    seeds, steps = [0, 5, -3, (1 << 64) + 7, 1 << 63], [0, 1, 2, 70000, 5]
    noise = gumbel(counters(seeds, steps)[:, None], np.tile(np.arange(30), (5, 1)))
    wanted = [[plain(*branch, token) for token in range(30)] for branch in zip(seeds, steps, strict=True)]
    np.testing.assert_allclose(noise, wanted, rtol=1e-12)


def test_noise_has_the_mean_and_the_variance_of_a_gumbel_variable() -> None:
    noise = gumbel(counters([11], [3]), np.arange(200_000))
    assert noise.mean() == pytest.approx(np.euler_gamma, abs=0.02)
    assert noise.var() == pytest.approx(math.pi**2 / 6, abs=0.03)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("noise", [-5.0, 0.0, 3.0, 8.0, 40.0])
def test_all_loud_tokens_are_found(noise: float) -> None:
    for seed in range(5):
        (counter,) = counters([seed], [2])
        every = gumbel(counter, np.arange(5000))
        found = loud(counter, 5000, noise)
        assert set(np.flatnonzero(every >= noise)) <= set(found.tolist())
        assert (every[found] >= noise - 1e-3).all()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("size", [1, 3, 17, 5003])
def test_only_tokens_of_the_vocabulary_are_loud(size: int) -> None:
    """One vocabulary after a larger one, and its size whatever it is."""
    for seed in range(20):
        (counter,) = counters([seed], [1])
        assert loud(counter, 6000, -math.inf).tolist() == list(range(6000))
        assert loud(counter, size, -math.inf).tolist() == list(range(size))
        every = gumbel(counter, np.arange(size))
        assert loud(counter, size, 1.0).tolist() == np.flatnonzero(every >= 1.0).tolist()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("counter", [(7 << 30) - 2000, (1 << 64) - 2000, 1 << 30])
def test_loud_tokens_are_found_across_a_carry(counter: int) -> None:
    every = gumbel(np.uint64(counter), np.arange(5000))
    found = loud(np.uint64(counter), 5000, 5.0)
    assert set(np.flatnonzero(every >= 5.0)) == set(found.tolist())
