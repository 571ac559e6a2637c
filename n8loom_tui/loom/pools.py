"""The candidates that tokens are drawn from: each row's most probable tokens after the repetition penalty."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .distribution import Distributions, Values
from .penalty import Recent
from .ranking import Tokens, unpacked

Flags = npt.NDArray[np.bool_]

FAR = 30.0
"""If a penalty moves the best logit further than this, or takes nearly all of the mass, the rest is summed up anew."""


@dataclass(frozen=True, slots=True)
class Pools:
    """Candidates after the penalty, best first; of equal ones the lower id first. A row for each branch.

    Attributes:
        tokens, values: their ids and logits, `[rows, candidates]`; minus infinity where there is none.
        trusted: of how many, the first ones, it is certain that no token is missing among them.
        edge: no logit of a missing token is larger.
        total: the sum of all `exp(logit - best)` over the whole vocabulary.
    """

    tokens: Tokens
    values: Values
    trusted: Tokens
    edge: Values
    total: Values

    @property
    def best(self) -> Values:
        """The largest logits."""
        return self.values[:, 0]


def pools(model: Distributions, rows: Tokens, count: int, recent: Recent) -> Pools:
    """The pools of some rows, out of the `count` tokens of each that the model finds most probable.

    `recent`: these rows' own.
    """
    own = rows.size == len(model.keys) and count == model.count
    keys = model.keys if own else model.ranked(rows, count)
    some_missing = keys.shape[1] == count < model.table.shape[1]
    edges = unpacked(keys[:, -1])[0] if some_missing else np.full(rows.size, -math.inf, np.float32)
    edge = edges.astype(np.float64)
    if recent.rows.size == 0:
        values, tokens = unpacked(keys)
        trusted = np.count_nonzero(values > -math.inf, axis=1)
        return Pools(tokens, values.astype(np.float64), trusted, edge, model.total[rows])
    values, tokens = unpacked(recent.moved(keys, edges))
    exact = values.astype(np.float64)
    trusted = np.count_nonzero(exact > edge[:, None], axis=1)
    return Pools(tokens, exact, trusted, edge, _totals(model, rows, exact[:, 0], recent))


def _totals(model: Distributions, rows: Tokens, best: Values, recent: Recent) -> Values:
    """The sums of all `exp(logit - best)` with the penalty."""
    was_best, was = model.best[rows], model.total[rows]
    with np.errstate(over="ignore", invalid="ignore"):
        gone, come = (
            np.bincount(
                recent.rows, np.exp(logits.astype(np.float64) - was_best[recent.rows]), minlength=rows.size
            )
            for logits in (recent.before, recent.after)
        )
        left = was - gone
        totals = np.asarray((left + come) * np.exp(was_best - best))
        for row in np.flatnonzero((left < 0.01 * was) | ~(np.abs(best - was_best) <= FAR)):
            logits = recent.penalised(int(row), model.table[rows[row]])
            totals[row] = np.exp(logits - np.float32(best[row])).sum()
    return totals
