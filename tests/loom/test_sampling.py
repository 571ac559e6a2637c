"""The draws follow the parameters and the distribution, whichever way leads to them."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

from n8loom_tui.loom.distribution import BrokenLogits
from n8loom_tui.loom.draws import Choice, Draw
from n8loom_tui.loom.filters import NEGLIGIBLE
from n8loom_tui.loom.noise import counters, gumbel
from n8loom_tui.loom.protocol import SamplingParams
from n8loom_tui.loom.sampling import choose
from n8loom_tui.loom.until import Fork


def random_logits(seed: int, size: int, spread: float = 4.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(size) * spread).astype(np.float32)


def log_probability(logits: np.ndarray, token: int) -> float:
    exact = logits.astype(np.float64)
    return float(exact[token] - np.log(np.exp(exact).sum()))


def chosen(logits: np.ndarray, params: SamplingParams, seed: int, step: int, context: Any = ()) -> Choice:
    """The choice from one row alone."""
    (choice,) = choose(logits[None], [Draw(params, seed, step, context)])
    if isinstance(choice, BrokenLogits):
        raise choice
    return choice


# ------------------------------------------------------------------ the long way


def penalised(logits: np.ndarray, params: SamplingParams, context: list[int]) -> np.ndarray:
    """The logits with the repetition penalty, token by token."""
    logits = logits.copy()
    penalty = np.float32(params.repetition_penalty)
    size = params.repetition_context_size
    for token in set(context[-size:] if size else []):
        if 0 <= token < logits.size:
            logits[token] = logits[token] * penalty if logits[token] < 0 else logits[token] / penalty
    return logits


def plain_choice(logits: np.ndarray, draw: Draw) -> int:
    """The token that the parameters ask for, found the long way: all candidates sorted, all scored."""
    params = draw.params
    logits = penalised(logits, params, list(draw.context))
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
    noise = gumbel(counters([draw.seed], [draw.step]), tokens)
    return int(tokens[np.argmax((values[: tokens.size] - best) / params.temp + noise)])


def assert_as_the_long_way(table: np.ndarray, draws: list[Draw]) -> None:
    """Tokens, logprobs, alternatives and entropies of a table are those found row by row the long way."""
    before = table.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choices = choose(table, draws)
    np.testing.assert_array_equal(table, before)
    for logits, draw, choice in zip(table, draws, choices, strict=True):
        if not np.isfinite(logits.max()):
            assert isinstance(choice, BrokenLogits)
            continue
        assert isinstance(choice, Choice)
        assert choice.token == plain_choice(logits, draw)
        exact = logits.astype(np.float64) - float(logits.max())
        logprobs = exact - math.log(np.exp(exact).sum())
        assert choice.logprob == pytest.approx(logprobs[choice.token], abs=1e-5)
        assert choice.logprob <= 0
        order = np.argsort(-logprobs, kind="stable")[: draw.params.top_logprobs]
        order = order[logprobs[order] > -math.inf]
        assert [other.token for other in choice.alternatives] == order.tolist()
        np.testing.assert_allclose([a.logprob for a in choice.alternatives], logprobs[order], atol=1e-5)
        likely = logprobs[logprobs > -700]
        assert choice.entropy == pytest.approx(-float((np.exp(likely) * likely).sum()), abs=1e-4)


def random_params(rng: np.random.Generator) -> SamplingParams:
    def one_of(*values: Any) -> Any:
        return values[rng.integers(len(values))]

    return SamplingParams(
        temp=one_of(0.0, 0.3, 0.8, 1.0, 2.5),
        min_p=one_of(0.0, 0.0, 0.0001, 0.02, 0.3, 1.0),
        top_p=one_of(0.0, 0.0, 0.3, 0.9, 0.999, 1.0),
        top_k=one_of(0, 0, 1, 40, 100, 400, 10**30),
        min_tokens_to_keep=one_of(1, 1, 2, 70, 10**30),
        repetition_penalty=one_of(1.0, 1.1, 2.0, 0.7),
        repetition_context_size=one_of(0, 3, 64, 1000),
        top_logprobs=one_of(0, 1, 8, 128),
    )


def hostile_rows(rng: np.random.Generator, size: int) -> np.ndarray:
    """Rows that are hard to choose from, `[rows, size]`."""
    usual = (rng.standard_normal((16, size)) * 4).astype(np.float32)
    usual[1] = np.round(usual[1])  # many equal ones
    usual[2] = np.round(usual[2] / 4)
    usual[3] = 0.0
    usual[4] = np.where(usual[4] > 0, 0.0, -0.0)
    usual[5, 1:] = -np.inf
    usual[6, rng.random(size) < 0.99] = -np.inf
    usual[7, size // 2] = 80.0  # all but certain
    usual[8] *= 40
    usual[9] += 1000
    usual[10] -= 1000
    usual[11] *= 0.01  # all but even
    usual[12, size // 3] = np.nan
    usual[13, size - 1] = np.inf
    usual[14] = -np.inf
    usual[15, ::2] = usual[15, 1::2][: len(usual[15, ::2])] if size % 2 == 0 else usual[15, ::2]
    return usual


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("size", [1, 2, 63, 700, 4096, 9001, 12288])
@pytest.mark.parametrize("seed", range(6))
def test_a_table_of_hostile_rows_is_chosen_from_as_the_long_way_does(size: int, seed: int) -> None:
    """Each branch with its own parameters."""
    rng = np.random.default_rng([size, seed])
    table = hostile_rows(rng, size)
    draws = []
    for logits in table:
        likely = np.argsort(-logits)[:5].tolist()
        context = [*rng.integers(-3, size + 3, 40).tolist(), *likely, *likely[:2]]
        draws.append(Draw(random_params(rng), int(rng.integers(1 << 62)), int(rng.integers(500)), context))
    assert_as_the_long_way(table, draws)


def test_branches_with_the_same_parameters_are_chosen_for_as_the_long_way_does() -> None:
    rng = np.random.default_rng(5)
    for size, spread in [(5003, 4.0), (20000, 2.5), (49152, 4.0)]:
        table = (rng.standard_normal((8, size)) * spread).astype(np.float32)
        for _ in range(12):
            params = random_params(rng)
            context = [*np.argsort(-table[0])[:6].tolist(), 3, 5, 8]
            assert_as_the_long_way(table, [Draw(params, seed, 7, context) for seed in range(8)])


@pytest.mark.usefixtures("way")
def test_a_row_does_not_depend_on_the_others() -> None:
    table = hostile_rows(np.random.default_rng(3), 6000)[:12]
    draws = [Draw(SamplingParams(temp=1.0, min_p=0.0, top_p=0.9), seed, 2) for seed in range(12)]
    together = choose(table, draws)
    assert together == [choose(table[i : i + 1], draws[i : i + 1])[0] for i in range(12)]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("seed", range(4))
def test_a_row_does_not_depend_on_what_others_are_chosen_by(seed: int) -> None:
    """How much is looked at goes by what most of them need. Nothing that is told of a row does."""
    rng = np.random.default_rng([seed, 4])
    table = hostile_rows(rng, 9001)[:12]
    draws = [
        Draw(random_params(rng), row, 2, np.argsort(-logits)[:30].tolist())
        for row, logits in enumerate(table)
    ]
    together = choose(table, draws)
    assert together == [choose(table[i : i + 1], draws[i : i + 1])[0] for i in range(12)]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("equal", [2, 60, 200, 3000])
def test_of_equal_best_tokens_the_first_is_taken(equal: int) -> None:
    """Also where no more than the best is looked for."""
    rng = np.random.default_rng(equal)
    logits = random_logits(1, 9001)
    places = rng.permutation(9001)[:equal]
    logits[places] = 30.0
    params = SamplingParams(temp=0.0, top_logprobs=0)
    assert chosen(logits, params, 0, 0).token == places.min()
    penalised = SamplingParams(temp=0.0, top_logprobs=0, repetition_penalty=1.5)
    assert chosen(logits, penalised, 0, 0, [int(places.min())]).token == np.sort(places)[1]


def test_no_branches_no_tokens() -> None:
    assert choose(np.empty((0, 50), np.float32), []) == []


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
            wanted = plain_choice(logits, Draw(params, draw, 3, context))
            assert chosen(logits, params, draw, 3, context).token == wanted


def test_equal_logits_at_the_border_are_drawn_by_their_ids() -> None:
    logits = np.zeros(5000, dtype=np.float32)
    logits[[70, 4000]] = 1.0
    drawn = {chosen(logits, SamplingParams(min_p=0.0, top_k=5), seed, 0).token for seed in range(100)}
    assert drawn == {70, 4000, 0, 1, 2}


@pytest.mark.parametrize("size", [3, 60, 3000, 20001])
def test_alternatives_are_the_most_probable_tokens_of_the_model_itself(size: int) -> None:
    logits = random_logits(13, size)
    params = SamplingParams(temp=2.0, top_k=3, repetition_penalty=1.8)
    choice = chosen(logits, params, 3, 0, context=[int(logits.argmax())])
    exact = logits.astype(np.float64)
    logprobs = exact - np.log(np.exp(exact).sum())
    wanted = np.argsort(-logprobs, kind="stable")[:8]
    assert [other.token for other in choice.alternatives] == wanted.tolist()
    np.testing.assert_allclose([other.logprob for other in choice.alternatives], logprobs[wanted], atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 100])
def test_as_many_alternatives_as_were_asked_for(count: int) -> None:
    logits = random_logits(14, 9000)
    choice = chosen(logits, SamplingParams(top_logprobs=count), 0, 0)
    assert [a.token for a in choice.alternatives] == np.argsort(-logits, kind="stable")[:count].tolist()


def test_all_that_reach_a_forks_probability_are_told() -> None:
    logits = np.full(9000, -20.0, dtype=np.float32)
    logits[100:119] = 1.0
    choice = chosen(logits, SamplingParams(temp=0, top_logprobs=2, until=(Fork(0.05),)), 0, 0)
    assert {a.token for a in choice.alternatives if math.exp(a.logprob) >= 0.05} == set(range(100, 119))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("spread", [0.0, 1.0, 4.0, 40.0])
def test_entropy_is_that_of_the_model_itself(spread: float) -> None:
    logits = random_logits(15, 20001, spread)
    row = (logits - logits.max()).astype(np.float64)
    probs = np.exp(row) / np.exp(row).sum()
    wanted = -float((probs[probs > 0] * np.log(probs[probs > 0])).sum())
    choice = chosen(logits, SamplingParams(temp=0.1, min_p=0.9), 1, 0)
    assert choice.entropy == pytest.approx(wanted, abs=1e-4)


def assert_follows(logits: np.ndarray, params: SamplingParams, expected: np.ndarray) -> None:
    """Draws with many seeds and steps follow `expected` (a chi-square bound of 6 standard deviations)."""
    draws = 8000
    counts = np.zeros(len(logits))
    table = np.tile(logits, (40, 1))
    for seed in range(draws // 40):
        for choice in choose(table, [Draw(params, seed, step) for step in range(40)]):
            assert isinstance(choice, Choice)
            counts[choice.token] += 1
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
    order = np.argsort(-logits)
    mass = np.cumsum(np.exp(logits[order].astype(np.float64)))
    keep = order[: 1 + np.count_nonzero(mass < 0.8 * mass[-1])]
    expected = np.zeros(60)
    expected[keep] = np.exp((logits[keep] - logits.max()) / 1.4)
    assert_follows(logits, SamplingParams(temp=1.4, top_p=0.8, min_p=0.0), expected / expected.sum())


def test_a_seed_fixes_the_draw_and_steps_differ() -> None:
    logits = random_logits(9, 500, 1.0)
    params = SamplingParams(temp=1.0, min_p=0.0)
    draws = [chosen(logits, params, 5, step).token for step in range(50)]
    assert draws == [chosen(logits, params, 5, step).token for step in range(50)]
    assert len(set(draws)) > 25
    assert draws != [chosen(logits, params, 6, step).token for step in range(50)]


def test_greedy_takes_the_best_and_tells_its_log_probability() -> None:
    logits = random_logits(10, 300)
    choice = chosen(logits, SamplingParams(temp=0), 0, 0)
    assert choice.token == logits.argmax()
    wanted = log_probability(logits, choice.token)
    assert choice.logprob == pytest.approx(wanted, abs=1e-5)


def test_the_log_probability_is_that_of_the_model_itself() -> None:
    """Neither temperature nor filters nor penalty change it."""
    logits = random_logits(11, 300)
    params = SamplingParams(temp=2.0, top_k=3, repetition_penalty=1.8)
    choice = chosen(logits, params, 3, 0, context=[int(logits.argmax())])
    wanted = log_probability(logits, choice.token)
    assert choice.logprob == pytest.approx(wanted, abs=1e-5)


def test_the_penalty_acts_on_greedy_choices_too() -> None:
    logits = np.array([1.0, 2.0, 1.9], dtype=np.float32)
    params = SamplingParams(temp=0, repetition_penalty=1.5)
    assert chosen(logits, params, 0, 0, context=[1]).token == 2


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("temp", [0.0, 0.8])
def test_logits_that_are_not_numbers_raise(value: float, temp: float) -> None:
    logits = random_logits(12, 30)
    logits[4] = value
    with pytest.raises(BrokenLogits, match="not numbers"):
        chosen(logits, SamplingParams(temp=temp), 0, 0)
    with pytest.raises(BrokenLogits):
        chosen(np.full(30, -np.inf, dtype=np.float32), SamplingParams(temp=temp), 0, 0)


@pytest.mark.usefixtures("way")
def test_tokens_that_the_model_rules_out_are_never_drawn() -> None:
    logits = np.full(40, -np.inf, dtype=np.float32)
    logits[[3, 8]] = 1.0
    choices = [chosen(logits, SamplingParams(temp=5.0, min_p=0.0), seed, 0) for seed in range(200)]
    assert {choice.token for choice in choices} == {3, 8}
    assert [other.token for other in choices[0].alternatives] == [3, 8]
    assert choices[0].entropy == pytest.approx(math.log(2))
