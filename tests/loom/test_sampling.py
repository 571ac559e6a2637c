"""The filters keep what mlx-lm's keep, and the draws follow the distribution."""

from __future__ import annotations

import math
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.sample_utils import apply_min_p, apply_top_k, apply_top_p, make_repetition_penalty

from n8loom_tui.loom.protocol import Fork, SamplingParams
from n8loom_tui.loom.sampling import NEGLIGIBLE, BrokenLogits, _allowed, _noise, choose, penalise

SIZES = (50, 3000)


def random_logits(seed: int, size: int, spread: float = 4.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(size) * spread).astype(np.float32)


def kept(logits: np.ndarray, **settings: Any) -> set[int]:
    """What our filters leave, short of what is too improbable ever to be drawn."""
    best = float(logits.max())
    total = float(np.exp(logits - best).sum(dtype=np.float64))
    allowed = _allowed(logits, best, total, SamplingParams(**{"min_p": 0.0, **settings}))
    return set(np.flatnonzero(allowed).tolist())


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


@pytest.mark.parametrize("penalty", [1.3, 0.5, 2.0])
def test_repetition_penalty_is_mlx_lms(penalty: float) -> None:
    rng = np.random.default_rng(1)
    for size in (0, 3, 20, 100):
        logits = random_logits(size, 200)
        before = logits.copy()
        context = rng.integers(0, 200, 60).tolist()
        params = SamplingParams(repetition_penalty=penalty, repetition_context_size=size)
        got = penalise(logits, params, context)
        wanted = before
        if size:
            original = make_repetition_penalty(penalty, size)
            wanted = np.array(original(mx.array(context), mx.array(before)[None]))[0]
        np.testing.assert_allclose(got, wanted, rtol=1e-6)
        np.testing.assert_array_equal(logits, before)


def test_repetition_penalty_ignores_ids_that_are_none() -> None:
    logits = random_logits(3, 10)
    params = SamplingParams(repetition_penalty=1.5)
    np.testing.assert_array_equal(penalise(logits, params, [-4, 99]), logits)


def plain_choice(logits: np.ndarray, params: SamplingParams, seed: int, context: list[int]) -> int:
    """The token that the parameters ask for, found the long way: all candidates sorted, all scored."""
    logits = penalise(logits, params, context)
    best = float(logits.max())
    if params.temp == 0:
        return int(logits.argmax())
    total = float(np.exp((logits - best).astype(np.float64)).sum())
    order = np.lexsort((np.arange(logits.size), -logits))
    values = logits[order].astype(np.float64)
    keep = np.count_nonzero(values >= best - NEGLIGIBLE * max(params.temp, 1.0))
    if 0 < params.top_p < 1:
        probs = np.exp(values - best) / total
        keep = min(keep, np.count_nonzero(np.cumsum(probs) - probs < params.top_p))
    if params.min_p > 0:
        passing = np.count_nonzero(values >= best + math.log(params.min_p))
        keep = min(keep, max(passing, params.min_tokens_to_keep))
    if params.top_k > 0:
        keep = min(keep, params.top_k)
    tokens = order[: max(keep, 1)]
    return int(tokens[np.argmax((values[: tokens.size] - best) / params.temp + _noise(seed, 3, tokens))])


@pytest.mark.parametrize(
    "settings",
    [
        {"temp": 0.0},
        {"min_p": 0.0},
        {"temp": 3.0, "min_p": 0.0},
        {"min_p": 0.05},
        {"min_p": 0.0, "top_p": 0.5},
        {"min_p": 0.0, "top_p": 0.97},
        {"min_p": 0.0, "top_k": 40},
        {"min_p": 0.0, "top_k": 400},
        {"min_p": 0.3, "min_tokens_to_keep": 100},
        {"min_p": 0.01, "top_p": 0.95, "top_k": 50, "min_tokens_to_keep": 5},
    ],
    ids=str,
)
@pytest.mark.parametrize("penalty", [1.0, 1.3, 0.8])
def test_the_short_way_chooses_what_the_long_way_does(settings: dict[str, Any], penalty: float) -> None:
    """Whether the filters stay within the shortlist or go far beyond it."""
    params = SamplingParams(**{"repetition_penalty": penalty, **settings})
    for seed, (size, spread) in enumerate([(90, 3.0), (5003, 4.0), (5003, 1.0), (20000, 2.5), (4096, 8.0)]):
        logits = random_logits(seed, size, spread)
        context = [*np.argsort(-logits)[:6].tolist(), 3, 5, 8]
        for draw in range(12):
            wanted = plain_choice(logits, params, draw, context)
            assert choose(logits, params, draw, 3, context).token == wanted


def test_equal_logits_at_the_border_are_kept_by_their_ids() -> None:
    logits = np.zeros(5000, dtype=np.float32)
    logits[[70, 4000]] = 1.0
    assert kept(logits, top_k=5) == {70, 4000, 0, 1, 2}
    drawn = {choose(logits, SamplingParams(min_p=0.0, top_k=5), seed, 0).token for seed in range(100)}
    assert drawn == {70, 4000, 0, 1, 2}


@pytest.mark.parametrize("size", [3, 60, 3000, 20001])
def test_alternatives_are_the_most_probable_tokens_of_the_model_itself(size: int) -> None:
    logits = random_logits(13, size)
    params = SamplingParams(temp=2.0, top_k=3, repetition_penalty=1.8)
    choice = choose(logits, params, 3, 0, context=[int(logits.argmax())])
    exact = logits.astype(np.float64)
    logprobs = exact - np.log(np.exp(exact).sum())
    wanted = np.argsort(-logprobs, kind="stable")[:8]
    assert [other.token for other in choice.alternatives] == wanted.tolist()
    np.testing.assert_allclose([other.logprob for other in choice.alternatives], logprobs[wanted], atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 100])
def test_as_many_alternatives_as_were_asked_for(count: int) -> None:
    logits = random_logits(14, 9000)
    choice = choose(logits, SamplingParams(top_logprobs=count), 0, 0)
    assert [a.token for a in choice.alternatives] == np.argsort(-logits, kind="stable")[:count].tolist()


def test_all_that_reach_a_forks_probability_are_told() -> None:
    logits = np.full(9000, -20.0, dtype=np.float32)
    logits[100:119] = 1.0
    choice = choose(logits, SamplingParams(temp=0, top_logprobs=2, until=(Fork(0.05),)), 0, 0)
    assert {a.token for a in choice.alternatives if math.exp(a.logprob) >= 0.05} == set(range(100, 119))


@pytest.mark.parametrize("spread", [0.0, 1.0, 4.0, 40.0])
def test_entropy_is_that_of_the_model_itself(spread: float) -> None:
    logits = random_logits(15, 20001, spread)
    row = (logits - logits.max()).astype(np.float64)
    probs = np.exp(row) / np.exp(row).sum()
    wanted = -float((probs[probs > 0] * np.log(probs[probs > 0])).sum())
    choice = choose(logits, SamplingParams(temp=0.1, min_p=0.9), 1, 0)
    assert choice.entropy == pytest.approx(wanted, abs=1e-4)


def assert_follows(logits: np.ndarray, params: SamplingParams, expected: np.ndarray) -> None:
    """Draws with many seeds and steps follow `expected` (a chi-square bound of 6 standard deviations)."""
    draws = 8000
    counts = np.zeros(len(logits))
    for index in range(draws):
        counts[choose(logits, params, seed=index // 40, step=index % 40).token] += 1
    assert counts[expected == 0].sum() == 0
    common = expected * draws >= 5
    cells = np.append(counts[common], counts[~common].sum())
    wanted = np.append(expected[common], expected[~common].sum()) * draws
    cells, wanted = cells[wanted > 0], wanted[wanted > 0]
    chi_square = float((np.square(cells - wanted) / wanted).sum())
    freedom = len(cells) - 1
    assert chi_square < freedom + 6 * math.sqrt(2 * freedom)


@pytest.mark.parametrize("temp", [0.3, 1.0, 1.7])
def test_draws_follow_the_softmax(temp: float) -> None:
    logits = random_logits(7, 60, 2.0)
    scaled = np.exp((logits - logits.max()) / temp)
    assert_follows(logits, SamplingParams(temp=temp, min_p=0.0), scaled / scaled.sum())


def test_draws_follow_the_filtered_and_then_tempered_distribution() -> None:
    logits = random_logits(8, 60, 2.0)
    keep = np.array(sorted(kept(logits, top_p=0.8)))
    expected = np.zeros(60)
    expected[keep] = np.exp((logits[keep] - logits.max()) / 1.4)
    assert_follows(logits, SamplingParams(temp=1.4, top_p=0.8, min_p=0.0), expected / expected.sum())


def test_a_seed_fixes_the_draw_and_steps_differ() -> None:
    logits = random_logits(9, 500, 1.0)
    params = SamplingParams(temp=1.0, min_p=0.0)
    draws = [choose(logits, params, 5, step).token for step in range(50)]
    assert draws == [choose(logits, params, 5, step).token for step in range(50)]
    assert len(set(draws)) > 25
    assert draws != [choose(logits, params, 6, step).token for step in range(50)]


def test_greedy_takes_the_best_and_tells_its_log_probability() -> None:
    logits = random_logits(10, 300)
    choice = choose(logits, SamplingParams(temp=0), 0, 0)
    assert choice.token == logits.argmax()
    wanted = float(np.array(log_probabilities(logits))[0, choice.token])
    assert choice.logprob == pytest.approx(wanted, abs=1e-5)


def test_the_log_probability_is_that_of_the_model_itself() -> None:
    """Neither temperature nor filters nor penalty change it."""
    logits = random_logits(11, 300)
    params = SamplingParams(temp=2.0, top_k=3, repetition_penalty=1.8)
    choice = choose(logits, params, 3, 0, context=[int(logits.argmax())])
    wanted = float(np.array(log_probabilities(logits))[0, choice.token])
    assert choice.logprob == pytest.approx(wanted, abs=1e-5)


def test_the_penalty_acts_on_greedy_choices_too() -> None:
    logits = np.array([1.0, 2.0, 1.9], dtype=np.float32)
    params = SamplingParams(temp=0, repetition_penalty=1.5)
    assert choose(logits, params, 0, 0, context=[1]).token == 2


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("temp", [0.0, 0.8])
def test_logits_that_are_not_numbers_raise(value: float, temp: float) -> None:
    logits = random_logits(12, 30)
    logits[4] = value
    with pytest.raises(BrokenLogits, match="not numbers"):
        choose(logits, SamplingParams(temp=temp), 0, 0)
    with pytest.raises(BrokenLogits):
        choose(np.full(30, -np.inf, dtype=np.float32), SamplingParams(temp=temp), 0, 0)


def test_tokens_that_the_model_rules_out_are_never_drawn() -> None:
    logits = np.full(40, -np.inf, dtype=np.float32)
    logits[[3, 8]] = 1.0
    choices = [choose(logits, SamplingParams(temp=5.0, min_p=0.0), seed, 0) for seed in range(200)]
    assert {choice.token for choice in choices} == {3, 8}
    assert [other.token for other in choices[0].alternatives] == [3, 8]
    assert choices[0].entropy == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temp": -0.1}, "temp must lie between 0 and 100, not -0.1"),
        ({"temp": math.nan}, "temp must lie between 0 and 100, not nan"),
        ({"temp": "hot"}, "temp must lie between 0 and 100, not 'hot'"),
        ({"min_p": 1.5}, "min_p must lie between 0 and 1, not 1.5"),
        ({"top_p": -1}, "top_p must lie between 0 and 1, not -1"),
        ({"repetition_penalty": 0}, "repetition_penalty must lie between 0.01 and 100, not 0"),
        ({"max_tokens": 0}, "max_tokens must be a whole number of at least 1, not 0"),
        ({"max_tokens": 2.5}, "max_tokens must be a whole number of at least 1, not 2.5"),
        ({"top_k": -1}, "top_k must be a whole number of at least 0, not -1"),
        ({"min_tokens_to_keep": 0}, "min_tokens_to_keep must be a whole number of at least 1, not 0"),
        (
            {"repetition_context_size": -2},
            "repetition_context_size must be a whole number of at least 0, not -2",
        ),
        ({"seed": "x"}, "seed must be a whole number, not 'x'"),
        ({"stop_strings": (3,)}, "stop_strings must be texts, not 3"),
        ({"top_logprobs": -1}, "top_logprobs must be a whole number of at least 0, not -1"),
        ({"top_logprobs": 129}, "top_logprobs must be a whole number of at most 128, not 129"),
        ({"until": ("END",)}, "until must be conditions, not 'END'"),
    ],
)
def test_parameters_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        SamplingParams(**settings)


def test_one_stop_string_may_come_alone_and_empty_ones_do_not_count() -> None:
    assert SamplingParams(stop_strings="END").stop_strings == ("END",)  # type: ignore[arg-type]
    assert SamplingParams(stop_strings=["a", "", "b"]).stop_strings == ("a", "b")  # type: ignore[arg-type]
