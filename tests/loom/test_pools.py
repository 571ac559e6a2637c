"""The repetition penalty is mlx-lm's, and moves tokens to their places among the candidates."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.sample_utils import make_repetition_penalty

from n8loom_tui.loom.distribution import Distributions
from n8loom_tui.loom.draws import Draw
from n8loom_tui.loom.penalty import Recent
from n8loom_tui.loom.pools import Pools, pools
from n8loom_tui.loom.protocol import SamplingParams


def random_logits(seed: int, size: int) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(size) * 4).astype(np.float32)


def pool_of(logits: np.ndarray, params: SamplingParams, context: list[int], count: int) -> Pools:
    model = Distributions(logits[None], count)
    rows = np.arange(1)
    return pools(model, rows, count, Recent.of(model.table, rows, [Draw(params, 0, 0, context)]))


def mlx_lms(logits: np.ndarray, penalty: float, size: int, context: list[int]) -> np.ndarray:
    if not size:
        return logits
    return np.array(make_repetition_penalty(penalty, size)(mx.array(context), mx.array(logits)[None]))[0]


@pytest.mark.parametrize("penalty", [1.3, 0.5, 2.0])
@pytest.mark.parametrize("count", [20, 200])
def test_repetition_penalty_is_mlx_lms(penalty: float, count: int) -> None:
    """Of all tokens, or of as many of the most probable ones as none can be missing among."""
    rng = np.random.default_rng(1)
    for size in (0, 3, 20, 100):
        logits = random_logits(size, 200)
        before = logits.copy()
        context = rng.integers(0, 200, 60).tolist()
        params = SamplingParams(repetition_penalty=penalty, repetition_context_size=size)
        pool = pool_of(logits, params, context, count)
        wanted = mlx_lms(before, penalty, size, context)
        order = np.argsort(-wanted, kind="stable")[: pool.trusted[0]]
        assert order.size >= count // 2 or penalty > 1
        assert pool.tokens[0, : order.size].tolist() == order.tolist()
        np.testing.assert_allclose(pool.values[0, : order.size], wanted[order], rtol=1e-6)
        assert set(np.flatnonzero(wanted > pool.edge[0] + 1e-5)) <= set(order)
        total = np.exp(wanted.astype(np.float64) - wanted.max()).sum()
        assert pool.total[0] == pytest.approx(total, rel=1e-5)
        np.testing.assert_array_equal(logits, before)


def test_the_total_is_right_where_the_penalty_takes_nearly_all_of_it() -> None:
    logits = random_logits(2, 9000) / 4
    logits[5] = 50.0
    for penalty in (1.5, 20.0):
        params = SamplingParams(repetition_penalty=penalty)
        wanted = logits.astype(np.float64)
        wanted[5] /= penalty
        pool = pool_of(logits, params, [5], 64)
        assert pool.total[0] == pytest.approx(np.exp(wanted - wanted.max()).sum(), rel=1e-5)


def test_repetition_penalty_ignores_ids_that_are_none() -> None:
    logits = random_logits(3, 10)
    pool = pool_of(logits, SamplingParams(repetition_penalty=1.5), [-4, 99], 10)
    assert pool.tokens[0].tolist() == np.argsort(-logits, kind="stable").tolist()
    np.testing.assert_array_equal(pool.values[0], np.sort(logits)[::-1])
