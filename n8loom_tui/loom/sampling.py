"""Choosing the next token, for one branch at a time, from a row of logits in NumPy.

The draw is a Gumbel-max: each candidate's score is its logit over the temperature plus a noise that depends
on nothing but the branch's seed, the step and the token id. So a branch does not depend on its batch-mates,
and where rounding differs the outcome can only differ between candidates whose scores lie that close
together.

The filters leave the first so many of all tokens, best first. Mostly these are among the shortlist of the
distribution, and only where they are not is the whole row looked through again.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .conditions import alternatives_needed
from .distribution import BrokenLogits, Distribution, Logits, Tokens, threshold
from .protocol import Alternative, SamplingParams
from .seeds import MASK, mix

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint64]

NEGLIGIBLE = 30.0
"""Candidates whose tempered logit lies this far below the best are never drawn: together less than 1e-8."""
MANY = 2048
"""From how many candidates on it pays to look for the loud ones first."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The token chosen, and what the untempered, unfiltered distribution at its position looks like.

    `alternatives` are its most probable tokens, best first, the chosen one among them or not; `entropy` is in
    nats.
    """

    token: int
    logprob: float
    alternatives: tuple[Alternative, ...] = ()
    entropy: float = math.nan


@dataclass(frozen=True, slots=True)
class _Pool:
    """Candidates after the penalty: every token whose logit is at least `edge`, with that logit."""

    tokens: Tokens
    values: Values
    edge: float
    total: float
    """The sum of all `exp(logit - best)` over the whole vocabulary, after the penalty."""

    @property
    def best(self) -> float:
        return float(self.values.max())


# ------------------------------------------------------------------ the penalty


def _penalised(logits: Logits, penalty: float) -> Logits:
    return np.where(logits < 0, logits * np.float32(penalty), logits / np.float32(penalty))


def _recent(params: SamplingParams, context: Sequence[int], vocabulary: int) -> Tokens:
    """The token ids that the repetition penalty acts on."""
    size = params.repetition_context_size
    if params.repetition_penalty == 1.0 or size == 0:
        return np.empty(0, np.int64)
    return np.array(sorted({t for t in context[-size:] if 0 <= t < vocabulary}), dtype=np.int64)


def penalise(logits: Logits, params: SamplingParams, context: Sequence[int]) -> Logits:
    """Repetition penalty (Keskar et al. 2019, arXiv:1909.05858) on the tokens of `context`. May copy."""
    recent = _recent(params, context, logits.shape[0])
    if recent.size == 0:
        return logits
    logits = logits.copy()
    logits[recent] = _penalised(logits[recent], params.repetition_penalty)
    return logits


def _pool(model: Distribution, params: SamplingParams, recent: Tokens) -> _Pool | None:
    """The shortlist after the penalty. None where the penalty leaves nothing of it."""
    if recent.size == 0:
        return _Pool(model.shortlist, model.values.astype(np.float64), model.edge, model.total)
    before = model.logits[recent]
    after = _penalised(before, params.repetition_penalty)
    places = np.minimum(np.searchsorted(recent, model.shortlist), recent.size - 1)
    others = recent[places] != model.shortlist
    within = after >= model.edge
    tokens = np.concatenate([model.shortlist[others], recent[within]])
    values = np.concatenate([model.values[others], after[within]]).astype(np.float64)
    if tokens.size == 0:
        return None
    best = float(values.max())
    gone, come = (float(np.exp(x.astype(np.float64) - model.best).sum()) for x in (before, after))
    left = model.total - gone
    if left < 0.1 * model.total or abs(best - model.best) > NEGLIGIBLE:
        return None  # the sum below would be too coarse
    return _Pool(tokens, values, model.edge, (left + come) * math.exp(model.best - best))


# ------------------------------------------------------------------ the filters


def _reach(params: SamplingParams) -> float:
    """How far below the best a logit may lie and still be drawn."""
    reach = NEGLIGIBLE * max(params.temp, 1.0)
    if params.min_p > 0 and params.min_tokens_to_keep == 1:
        reach = min(reach, -math.log(params.min_p))
    return reach


def _sorts(params: SamplingParams) -> bool:
    """Whether the filters ask for the candidates' order."""
    return params.top_k > 0 or 0 < params.top_p < 1 or (params.min_p > 0 and params.min_tokens_to_keep > 1)


def _cut(values: Values, best: float, total: float, params: SamplingParams) -> int:
    """How many of the candidates, best first, the filters leave, in mlx-lm's order: top-p, min-p, top-k."""
    keep = values.size
    if 0 < params.top_p < 1:
        probs = np.exp(values - best) / total
        above = np.cumsum(probs) - probs
        keep = int(np.searchsorted(above, params.top_p, side="left"))
    if params.min_p > 0:
        passing = int(np.searchsorted(-values, -(best + math.log(params.min_p)), side="right"))
        keep = min(keep, max(passing, params.min_tokens_to_keep))
    if params.top_k > 0:
        keep = min(keep, params.top_k)
    return max(keep, 1)


def _nucleus_reach(logits: Logits, best: float, total: float, top_p: float, reach: float) -> float:
    """How far below the best the nucleus may reach: what lies within has `top_p` of the mass already."""
    for near in (4.0, 8.0, 16.0):
        if near >= reach:
            break
        within = logits[logits >= best - near].astype(np.float64)
        if float(np.exp(within - best).sum()) > top_p * total * (1 + 1e-9):
            return near
    return reach


def _kept(values: Values, best: float, total: float, params: SamplingParams) -> Flags:
    """Which of the candidates the filters leave. Of equal ones at the border the first stay."""
    if not _sorts(params):
        return values >= best - _reach(params)
    falling = np.sort(values)[::-1]  # many times faster than an order of indices
    keep = _cut(falling, best, total, params)
    last = falling[keep - 1]
    kept = values >= last
    surplus = int(np.count_nonzero(kept)) - keep
    if surplus:
        kept[np.flatnonzero(values == last)[-surplus:]] = False
    return np.asarray(kept)


def _allowed(logits: Logits, best: float, total: float, params: SamplingParams) -> Flags:
    """Which tokens the filters leave of a whole row."""
    reach = _reach(params)
    if 0 < params.top_p < 1:
        reach = _nucleus_reach(logits, best, total, params.top_p, reach)
    least = best - reach
    if params.top_k > 0:
        least = max(least, threshold(logits, params.top_k))
    allowed = logits >= least
    if _sorts(params):
        allowed[allowed] = _kept(logits[allowed].astype(np.float64), best, total, params)
    return np.asarray(allowed)


def _filtered(pool: _Pool, params: SamplingParams) -> tuple[Tokens, Values] | None:
    """What the filters leave of a pool, with the logits. None where they may reach below the pool's edge."""
    least = pool.best - _reach(params)
    inside = pool.values >= least
    tokens, values = pool.tokens[inside], pool.values[inside]
    kept = _kept(values, pool.best, pool.total, params)
    count = int(np.count_nonzero(kept))
    if count == values.size and count != params.top_k and least < pool.edge:
        return None
    return tokens[kept], values[kept]


# ------------------------------------------------------------------ the draw


class _Scratch(threading.local):
    """The numbers 0, 1, 2 …, and two rows of as many bits, kept from one call to the next."""

    def __init__(self) -> None:
        self._rows: tuple[Bits, Bits, Bits] = (np.empty(0, np.uint64),) * 3

    def rows(self, size: int) -> tuple[Bits, Bits, Bits]:
        if self._rows[0].size != size:
            numbers = np.arange(size, dtype=np.uint64)
            self._rows = (numbers, np.empty_like(numbers), np.empty_like(numbers))
        return self._rows


_scratch = _Scratch()


def _counter(seed: int, step: int) -> np.uint64:
    """What the noise counts on from: token id t has the t-th number behind it."""
    return np.uint64(mix((seed & MASK) ^ mix(step)))


def _scramble(x: Bits, spare: Bits) -> Bits:
    """SplitMix64's finaliser on every number, in place, but for its last step."""
    x ^= np.right_shift(x, np.uint64(30), out=spare)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= np.right_shift(x, np.uint64(27), out=spare)
    x *= np.uint64(0x94D049BB133111EB)
    return x


def _noise(seed: int, step: int, tokens: Tokens) -> Values:
    """Standard Gumbel noise for each token id."""
    x = tokens.astype(np.uint64)
    x += _counter(seed, step)
    _scramble(x, np.empty_like(x))
    x ^= x >> np.uint64(31)
    uniform = (x >> np.uint64(12)).astype(np.float64) * 2.0**-52 + 2.0**-53
    return np.asarray(-np.log(-np.log(uniform)))


def _loud(seed: int, step: int, size: int, noise: float) -> Tokens:
    """The token ids whose noise is at least `noise`, found without a logarithm each; some more perhaps.

    The last step of the finaliser leaves the upper 31 bits as they are, and those are enough here.
    """
    numbers, x, spare = _scratch.rows(size)
    np.add(numbers, _counter(seed, step), out=x)
    least = max(int(math.exp(-math.exp(-noise)) * 2.0**31) - 2, 0) << 33
    return np.flatnonzero(_scramble(x, spare) >= np.uint64(least))


def _draw_from(
    tokens: Tokens, values: Values, best: float, temp: float, seed: int, step: int
) -> tuple[int, float]:
    """The token with the best score among these, and the score."""
    scores = (values - best) / temp + _noise(seed, step, tokens)
    winner = int(scores.argmax())
    return int(tokens[winner]), float(scores[winner])


def _draw_from_many(
    logits: Logits, allowed: Flags, pool: _Pool, temp: float, seed: int, step: int
) -> tuple[int, float]:
    """As `_draw_from`, where all of the pool is allowed and thousands of tokens beside it.

    The pool is scored first. What lies below it can only win with a noise that makes up for it, which few
    tokens have.
    """
    token, score = _draw_from(pool.tokens, pool.values, pool.best, temp, seed, step)
    rivals = _loud(seed, step, logits.size, score - (pool.edge - pool.best) / temp)
    rivals = np.append(rivals[allowed[rivals]], token)
    return _draw_from(rivals, logits[rivals].astype(np.float64), pool.best, temp, seed, step)


def _draw(model: Distribution, params: SamplingParams, seed: int, step: int, context: Sequence[int]) -> int:
    """A token by the parameters."""
    pool = _pool(model, params, _recent(params, context, model.logits.size))
    if pool is not None and params.temp == 0:
        return int(pool.tokens[pool.values == pool.best].min())
    few = _filtered(pool, params) if pool is not None else None
    if pool is not None and few is not None:
        return _draw_from(*few, pool.best, params.temp, seed, step)[0]
    logits = penalise(model.logits, params, context)
    if params.temp == 0:
        return int(logits.argmax())
    best = float(logits.max())
    total = pool.total if pool is not None else float(np.exp(logits - np.float32(best)).sum())
    allowed = _allowed(logits, best, total, params)
    if pool is not None and np.count_nonzero(allowed) > MANY:
        return _draw_from_many(logits, allowed, pool, params.temp, seed, step)[0]
    tokens = np.flatnonzero(allowed)
    return _draw_from(tokens, logits[tokens].astype(np.float64), best, params.temp, seed, step)[0]


def choose(
    logits: Logits, params: SamplingParams, seed: int, step: int, context: Sequence[int] = ()
) -> Choice:
    """Choose a token.

    Args:
        logits: one row, `[vocabulary]`, float32. It is not changed.
        seed, step: the branch's seed and how many tokens it has drawn; they fix the noise.
        context: the token ids so far, for the repetition penalty.

    Raises:
        BrokenLogits: no finite best candidate.
    """
    count = params.top_logprobs
    if params.until:
        count = max(count, alternatives_needed(params.until))
    model = Distribution(logits, count)
    token = _draw(model, params, seed, step, context)
    return Choice(token, model.logprob(token), model.alternatives(count), model.entropy)


__all__ = ["BrokenLogits", "Choice", "choose", "penalise"]
