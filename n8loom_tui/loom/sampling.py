"""Choosing the next token, for one branch at a time, from a row of logits in NumPy.

The draw is a Gumbel-max: each candidate's score is its logit over the temperature plus a noise that depends
on nothing but the branch's seed, the step and the token id. So a branch does not depend on its batch-mates,
and where rounding differs the outcome can only differ between candidates whose scores lie that close
together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .protocol import SamplingParams
from .seeds import MASK, mix

Logits = npt.NDArray[np.float32]
NEGLIGIBLE = 30.0
"""Candidates whose tempered logit lies this far below the best are never drawn: together less than 1e-8."""


class BrokenLogits(ValueError):
    """The model gave logits that are not numbers."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The token chosen and its log probability in the untempered, unfiltered distribution."""

    token: int
    logprob: float


def _noise(seed: int, step: int, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Standard Gumbel noise for each token id, by the same finaliser on a counter."""
    x = tokens.astype(np.uint64) + np.uint64(mix((seed & MASK) ^ mix(step)))
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    uniform = ((x ^ (x >> np.uint64(31))) >> np.uint64(12)).astype(np.float64) * 2.0**-52 + 2.0**-53
    return np.asarray(-np.log(-np.log(uniform)))


def penalise(logits: Logits, params: SamplingParams, context: Sequence[int]) -> Logits:
    """Repetition penalty (Keskar et al. 2019, arXiv:1909.05858) on the tokens of `context`. May copy."""
    size = params.repetition_context_size
    if params.repetition_penalty == 1.0 or size == 0:
        return logits
    recent = np.array(sorted({t for t in context[-size:] if 0 <= t < logits.shape[0]}), dtype=np.int64)
    if recent.size == 0:
        return logits
    logits = logits.copy()
    seen = logits[recent]
    logits[recent] = np.where(seen < 0, seen * params.repetition_penalty, seen / params.repetition_penalty)
    return logits


def _candidates(logits: Logits, best: float, total: float, params: SamplingParams) -> npt.NDArray[np.int64]:
    """Token ids that the filters leave, in mlx-lm's order: top-p, min-p, top-k."""
    reach = NEGLIGIBLE * max(params.temp, 1.0)
    if params.min_p > 0 and params.min_tokens_to_keep == 1:
        reach = min(reach, -math.log(params.min_p))
    tokens = np.flatnonzero(logits >= best - reach)
    values = logits[tokens].astype(np.float64)
    nucleus = 0 < params.top_p < 1
    if not (nucleus or params.top_k > 0 or params.min_tokens_to_keep > 1):
        return tokens
    order = np.lexsort((tokens, -values))
    tokens, values = tokens[order], values[order]
    keep = tokens.size
    if nucleus:
        probs = np.exp(values - best) / total
        above = np.cumsum(probs) - probs
        keep = int(np.searchsorted(above, params.top_p, side="left"))
    if params.min_p > 0:
        passing = int(np.searchsorted(-values, -(best + math.log(params.min_p)), side="right"))
        keep = min(keep, max(passing, params.min_tokens_to_keep))
    if params.top_k > 0:
        keep = min(keep, params.top_k)
    return tokens[: max(keep, 1)]


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
    raw = logits
    logits = penalise(logits, params, context)
    best_token = int(np.argmax(logits))
    best = float(logits[best_token])
    if not math.isfinite(best):
        raise BrokenLogits(
            "the model gave logits that are not numbers; its weights or dtype do not suit this device"
        )
    raw_best = float(raw.max())
    raw_total = float(np.exp(raw - np.float32(raw_best)).sum(dtype=np.float64))
    token = best_token
    if params.temp > 0:
        penalised = logits is not raw
        total = float(np.exp(logits - np.float32(best)).sum(dtype=np.float64)) if penalised else raw_total
        tokens = _candidates(logits, best, total, params)
        if tokens.size > 1:
            scores = (logits[tokens].astype(np.float64) - best) / params.temp + _noise(seed, step, tokens)
            token = int(tokens[np.argmax(scores)])
        else:
            token = int(tokens[0])
    return Choice(token, float(raw[token]) - raw_best - math.log(raw_total))
