"""How many of the candidates, best first, the filters leave: top-p, min-p and top-k, in mlx-lm's order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .distribution import Values
from .pools import Flags, Pools
from .protocol import SamplingParams
from .ranking import Logits, Tokens

NEGLIGIBLE = 30.0
"""Candidates whose tempered logit lies this far below the best are never drawn: together less than 1e-8."""


MANY = 1 << 40
"""More than any vocabulary has."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The parameters of many branches, `[branches]` each. A branch that takes the best keeps one candidate.

    Attributes:
        reach: how far below the best a logit may lie and still be drawn.
        top_p: infinity where it is off. `top_k`: `MANY` there.
        min_p: its logarithm. `least`: how many candidates it leaves in any case.
        by_rank: whether it matters how many tokens are more probable than one, and not only by how much the best is.
    """

    temp: Values
    reach: Values
    top_p: Values
    top_k: Tokens
    min_p: Values
    least: Tokens
    by_rank: Flags

    @classmethod
    def of(cls, params: Sequence[SamplingParams]) -> Filters:
        """These branches' parameters. Mostly these are the same for all of them, and for many steps."""
        alike = all(one is params[0] for one in params)
        return cls._alike(params[0], len(params)) if alike else cls._each(params)

    @classmethod
    @lru_cache(maxsize=64)
    def _alike(cls, params: SamplingParams, count: int) -> Filters:
        return cls._each([params] * count)

    @classmethod
    def _each(cls, params: Sequence[SamplingParams]) -> Filters:
        temp, top_p, min_p = np.array([(p.temp, p.top_p, p.min_p) for p in params]).T
        top_k, least = np.array([(min(p.top_k, MANY), min(p.min_tokens_to_keep, MANY)) for p in params]).T
        greedy = temp == 0
        top_k = np.where(greedy, 1, np.where(top_k > 0, top_k, MANY))
        top_p = np.where((top_p > 0) & (top_p < 1), top_p, math.inf)
        with np.errstate(divide="ignore"):
            min_p = np.log(min_p)
        reach = np.minimum(NEGLIGIBLE * np.maximum(temp, 1.0), np.where(least == 1, -min_p, math.inf))
        by_rank = (top_k < MANY) | (top_p < 1) | ((min_p > -math.inf) & (least > 1))
        return cls(np.where(greedy, 1.0, temp), reach, top_p, top_k, min_p, least, by_rank)


def kept(pools: Pools, filters: Filters) -> tuple[Tokens, Flags]:
    """How many of each row's candidates are left, and whether that is certain, whatever is missing among them."""
    values, best = pools.values, pools.best
    lowest = best - filters.reach
    keep = np.count_nonzero(values >= lowest[:, None], axis=1)
    if (filters.top_p < 1).any():
        probs = np.exp(values - best[:, None]) / pools.total[:, None]
        above = np.cumsum(probs, axis=1) - probs
        keep = np.minimum(keep, np.count_nonzero(above < filters.top_p[:, None], axis=1))
    if (filters.least > 1).any():
        passing = np.count_nonzero(values >= (best + filters.min_p)[:, None], axis=1)
        keep = np.minimum(keep, np.maximum(passing, filters.least))
    keep = np.maximum(np.minimum(keep, filters.top_k), 1)
    at_end = (keep == filters.top_k) | (lowest > pools.edge)
    return keep, (keep < pools.trusted) | ((keep == pools.trusted) & at_end)


def leaves(filters: Filters, pools: Pools, row: int, logits: Logits, token: int) -> bool:
    """Whether the filters by rank leave a token of row number `row`. `logits`: its whole row, with the penalty.

    It is what `kept` would find with all tokens in the pool, to the last digit.
    """
    value, best = logits[token], pools.best[row]
    larger = logits[logits > value]
    before = larger.size + np.count_nonzero(logits[:token] == value)
    if before >= filters.top_k[row]:
        return False
    if value < best + filters.min_p[row] and before >= filters.least[row]:
        return False
    if filters.top_p[row] >= 1:
        return True
    ranked = np.full(before + 1, value, np.float64)
    ranked[: larger.size] = np.sort(larger)[::-1]
    probs = np.exp(ranked - best) / pools.total[row]
    return bool(np.cumsum(probs)[-1] - probs[-1] < filters.top_p[row])
