"""The candidates that tokens are drawn from: each row's most probable tokens after the repetition penalty.

The penalty (Keskar et al. 2019, arXiv:1909.05858) moves a few tokens of a row. So these are taken out of the
model's own order and put in anew, and the row is not looked through again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from .distribution import Distributions, Values
from .draws import Draw
from .ranking import NOTHING, Keys, Logits, Tokens, arranged, packed, unpacked

Flags = npt.NDArray[np.bool_]

FAR = 30.0
"""If a penalty moves the best logit further than this, or takes nearly all of the mass, the rest is summed up anew."""


@dataclass(frozen=True, slots=True)
class Recent:
    """The tokens that the penalty acts on, and their logits `before` and `after` it.

    Row `rows[i]` has said `tokens[i]`; sorted by rows and then by tokens, none twice.
    """

    rows: Tokens
    tokens: Tokens
    before: Logits
    after: Logits

    @classmethod
    def of(cls, table: Logits, rows: Tokens, draws: Sequence[Draw]) -> Recent:
        """What the draws ask for, one for each of these rows of a table of logits."""
        spans = [draw.recent() for draw in draws]
        lengths = [len(span) for span in spans]
        if not any(lengths):
            return _NONE
        vocabulary = table.shape[1]
        said = np.fromiter(chain.from_iterable(spans), np.int64, sum(lengths))
        at = np.arange(len(spans)).repeat(lengths)
        places = at * vocabulary + said
        places = places[(said >= 0) & (said < vocabulary)]
        places.sort()
        at, tokens = np.divmod(places[np.diff(places, prepend=-1) > 0], vocabulary)
        before = table.reshape(-1).take(rows[at] * vocabulary + tokens)
        penalty = np.array([draw.params.repetition_penalty for draw in draws], np.float32)[at]
        return cls(at, tokens, before, np.where(before < 0, before * penalty, before / penalty))

    def of_row(self, row: int) -> tuple[Tokens, Logits]:
        """The tokens of one row, and their logits with the penalty."""
        span = slice(*np.searchsorted(self.rows, (row, row + 1)))
        return self.tokens[span], self.after[span]

    def logits(self, row: int, logits: Logits, tokens: Tokens) -> Values:
        """The logits of some tokens of a row with the penalty. `logits`: all of the row without it."""
        recent, after = self.of_row(row)
        found = logits[tokens].astype(np.float64)
        if recent.size == 0:
            return found
        _, here, there = np.intersect1d(tokens, recent, assume_unique=True, return_indices=True)
        found[here] = after[there]
        return found


_NONE = Recent(*(np.empty(0, np.int64),) * 2, *(np.empty(0, np.float32),) * 2)


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
    vocabulary = model.table.shape[1]
    keys = model.keys if rows.size == len(model.keys) and count == model.count else model.ranked(rows, count)
    values, tokens = unpacked(keys)
    some_missing = keys.shape[1] == count < vocabulary
    edge = values[:, -1].astype(np.float64) if some_missing else np.full(rows.size, -math.inf)
    if recent.rows.size == 0:
        trusted = np.count_nonzero(values > -math.inf, axis=1)
        return Pools(tokens, values.astype(np.float64), trusted, edge, model.total[rows])
    values, tokens = unpacked(_penalised(keys, tokens, edge, recent, vocabulary))
    exact = values.astype(np.float64)
    trusted = np.count_nonzero(exact > edge[:, None], axis=1)
    if not some_missing:
        return Pools(tokens, exact, trusted, edge, np.exp(exact - exact[:, :1]).sum(axis=1))
    return Pools(tokens, exact, trusted, edge, _totals(model, rows, exact[:, 0], recent))


def _penalised(keys: Keys, tokens: Tokens, edge: Values, recent: Recent, vocabulary: int) -> Keys:
    """The keys with the penalised tokens at their new places; without those that fall to the edge."""
    edges = edge[recent.rows]
    places = (recent.rows * vocabulary + recent.tokens)[recent.before >= edges]
    if places.size:
        own = tokens + (np.arange(len(keys)) * vocabulary)[:, None]
        nearest = places[np.minimum(np.searchsorted(places, own), places.size - 1)]
        keys = np.where(nearest == own, NOTHING, keys)
    high = recent.after > edges
    moved = arranged(packed(recent.after[high], recent.tokens[high]), recent.rows[high], len(keys))
    keys = np.concatenate([keys, moved], axis=1)
    keys.sort(axis=1)
    return keys


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
            logits = model.table[rows[row]].copy()
            tokens, after = recent.of_row(int(row))
            logits[tokens] = after
            totals[row] = np.exp(logits - np.float32(best[row])).sum()
    return totals
