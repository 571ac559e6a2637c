"""The filters keep what mlx-lm's keep."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.sample_utils import apply_min_p, apply_top_k, apply_top_p

from n8loom_tui.loom.distribution import Distributions
from n8loom_tui.loom.draws import Draw
from n8loom_tui.loom.filters import Filters, leaves
from n8loom_tui.loom.filters import kept as kept_of
from n8loom_tui.loom.penalty import Recent
from n8loom_tui.loom.pools import pools
from n8loom_tui.loom.protocol import SamplingParams

SIZES = (50, 3000)


def random_logits(seed: int, size: int, spread: float = 4.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(size) * spread).astype(np.float32)


def kept(logits: np.ndarray, **settings: Any) -> set[int]:
    """What our filters leave, short of what is too improbable ever to be drawn."""
    params = SamplingParams(**{"min_p": 0.0, **settings})
    model = Distributions(logits[None], 1)
    rows = np.arange(1)
    pool = pools(model, rows, logits.size, Recent.of(model.table, rows, [Draw(params, 0, 0)]))
    keep, certain = kept_of(pool, Filters.of([params]))
    assert certain.all()
    return set(pool.tokens[0, : keep[0]].tolist())


def log_probabilities(logits: np.ndarray) -> mx.array:
    array = mx.array(logits)[None]
    return array - mx.logsumexp(array, axis=-1, keepdims=True)


def finite(row: mx.array) -> set[int]:
    return set(np.flatnonzero(np.isfinite(np.array(row)[0])).tolist())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.9, 0.99])
def test_top_p_keeps_what_mlx_lm_keeps(size: int, top_p: float) -> None:
    for seed in range(10):
        logits = random_logits(seed, size)
        theirs = finite(apply_top_p(log_probabilities(logits), top_p))
        order = np.argsort(-logits)
        mass = np.exp((logits[order] - logits.max()).astype(np.float64))
        above = dict(zip(order.tolist(), (np.cumsum(mass) - mass) / mass.sum(), strict=True))
        for token in kept(logits, top_p=top_p) ^ theirs:
            assert abs(above[token] - top_p) < 1e-5  # on the very border float32 sums decide


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("least", [1, 5])
@pytest.mark.parametrize("min_p", [0.001, 0.05, 0.5, 1.0])
def test_min_p_keeps_what_mlx_lm_keeps(size: int, least: int, min_p: float) -> None:
    for seed in range(10):
        logits = random_logits(seed, size)
        wanted = finite(apply_min_p(log_probabilities(logits), min_p, least))
        assert kept(logits, min_p=min_p, min_tokens_to_keep=least) == wanted


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("top_k", [1, 5, 40])
def test_top_k_keeps_what_mlx_lm_keeps(size: int, top_k: int) -> None:
    for seed in range(10):
        logits = random_logits(seed, size)
        assert kept(logits, top_k=top_k) == finite(apply_top_k(log_probabilities(logits), top_k))


@pytest.mark.parametrize("least", [1, 4])
def test_all_filters_together_keep_what_mlx_lm_keeps(least: int) -> None:
    for seed in range(30):
        logits = random_logits(seed, 3000)
        row = apply_top_p(log_probabilities(logits), 0.9)
        row = apply_top_k(apply_min_p(row, 0.02, least), 30)
        assert kept(logits, top_p=0.9, min_p=0.02, top_k=30, min_tokens_to_keep=least) == finite(row)


def test_top_k_beyond_the_vocabulary_keeps_all() -> None:
    logits = random_logits(0, 20, 1.0)
    assert kept(logits, top_k=500) == set(range(20))


def test_equal_logits_at_the_border_are_kept_by_their_ids() -> None:
    logits = np.zeros(5000, dtype=np.float32)
    logits[[70, 4000]] = 1.0
    assert kept(logits, top_k=5) == {70, 4000, 0, 1, 2}


def test_it_is_not_certain_what_is_left_where_more_may_pass_than_is_looked_at() -> None:
    logits = np.linspace(0, -10, 3000, dtype=np.float32)
    model = Distributions(logits[None], 64)
    rows = np.arange(1)

    def certain(**settings: Any) -> bool:
        params = SamplingParams(**{"min_p": 0.0, **settings})
        pool = pools(model, rows, 64, Recent.of(model.table, rows, [Draw(params, 0, 0)]))
        return bool(kept_of(pool, Filters.of([params]))[1].all())

    assert certain(top_k=64)
    assert certain(top_p=0.1)
    assert certain(min_p=0.9)
    assert certain(temp=0.0)
    assert not certain(top_k=65)
    assert not certain(top_p=0.5)
    assert not certain(min_p=0.5)
    assert not certain()


@pytest.mark.parametrize(
    "settings",
    [
        {"top_p": 0.9},
        {"top_p": 0.999999},
        {"top_k": 1500},
        {"min_p": 0.2, "min_tokens_to_keep": 1700},
        {"min_p": 0.2, "min_tokens_to_keep": 3, "top_p": 0.99},
        {"top_p": 0.8, "top_k": 900},
    ],
    ids=str,
)
@pytest.mark.parametrize("penalty", [1.0, 1.4])
def test_one_token_is_left_as_if_all_were_looked_at(settings: dict[str, Any], penalty: float) -> None:
    params = SamplingParams(**{"min_p": 0.0, "repetition_penalty": penalty, **settings})
    for logits in (random_logits(4, 3000, 1.0), np.round(random_logits(5, 3000, 1.0) * 2) / 2):
        model = Distributions(logits[None], 64)
        rows, filters = np.arange(1), Filters.of([params])
        recent = Recent.of(model.table, rows, [Draw(params, 0, 0, np.argsort(-logits)[:18].tolist())])
        pool, whole = pools(model, rows, 64, recent), pools(model, rows, 3000, recent)
        (keep,), certain = kept_of(whole, filters)
        assert certain.all()
        penalised = recent.penalised(0, logits)
        places = np.minimum([0, 63, 200, keep - 2, keep - 1, keep, keep + 1, 2500], 2999)
        for token in whole.tokens[0, places].tolist():
            wanted = token in whole.tokens[0, :keep]
            assert leaves(filters, pool, 0, penalised, token) == wanted
