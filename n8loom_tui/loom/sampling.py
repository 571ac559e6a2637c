"""Choosing the next tokens of many branches from their rows of logits, in NumPy.

A draw is a Gumbel-max: each candidate's score is its logit over the temperature plus a noise that depends on
nothing but the branch's seed, the step and the token id. So a branch does not depend on its batch-mates, and
where rounding differs the outcome can only differ between candidates whose scores lie that close together.

The filters leave the first so many of all tokens, best first. Mostly these are among the few most probable ones,
and so for most branches all is done together on a small table. Only where it is not certain what is left is the
row looked at again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .distribution import BrokenLogits, Distributions, Values
from .draws import Choice, Draw
from .filters import Filters, kept
from .noise import Bits, counters, gumbel, loud
from .pools import Pools, Recent, pools
from .ranking import Logits, Tokens

SHORTLIST = 64
"""So many of the most probable tokens are looked at first."""
LONGER = (256, 1024)
"""So many where those are not enough. After that it is all of them."""


def choose(table: Logits, draws: Sequence[Draw]) -> list[Choice | BrokenLogits]:
    """Choose a token from each row, or say why there is none.

    Args:
        table: `[rows, vocabulary]`, float32. It is not changed.
        draws: one for each row.
    """
    if not draws:
        return []
    counts = [draw.alternatives() for draw in draws]
    model = Distributions(table, max(SHORTLIST, *counts))
    if model.broken.any():
        whole = iter(
            choose(table[~model.broken], [d for d, b in zip(draws, model.broken, strict=True) if not b])
        )
        return [BrokenLogits() if broken else next(whole) for broken in model.broken]
    tokens = _drawn(model, draws)
    return [
        Choice(*known)
        for known in zip(
            tokens.tolist(),
            model.logprobs(tokens).tolist(),
            model.alternatives(counts),
            model.entropy.tolist(),
            strict=True,
        )
    ]


def _drawn(model: Distributions, draws: Sequence[Draw]) -> Tokens:
    """A token of each row by its parameters."""
    drawing = _Drawing(model, draws)
    rows = np.arange(len(draws))
    for count in (model.count, *LONGER):
        rows = drawing.settle(rows, count) if rows.size else rows
    for row in rows:  # one by one: all tokens of many rows take much memory
        drawing.settle(np.array([row]), model.table.shape[1])
    return drawing.tokens


class _Drawing:
    """Tokens while they are drawn: `tokens`, one for each row."""

    def __init__(self, model: Distributions, draws: Sequence[Draw]) -> None:
        self.tokens = np.zeros(len(draws), np.int64)
        self._model, self._draws = model, draws
        self._noise = counters([draw.seed for draw in draws], [draw.step for draw in draws])

    def settle(self, rows: Tokens, count: int) -> Tokens:
        """Draw for some rows as far as their `count` most probable tokens are enough. The others are returned."""
        draws = [self._draws[row] for row in rows]
        filters = Filters.of([draw.params for draw in draws])
        recent = Recent.of(self._model.table, rows, draws)
        found = pools(self._model, rows, count, recent)
        keep, certain = kept(found, filters)
        certain |= count >= self._model.table.shape[1]
        # Without filters by rank all of the pool is left, and so it may be enough to find who can win from below it.
        open_ended = ~certain & ~filters.by_rank & (found.trusted > 0)
        settled = certain | open_ended
        keep = np.where(open_ended, found.trusted, keep)
        most = int(keep[settled].max(initial=1))
        self.tokens[rows], scores = _best_scored(found, filters, self._noise[rows], keep, most)
        for at in np.flatnonzero(open_ended):
            logits, noise = self._model.table[rows[at]], self._noise[rows[at]]
            rival = _from_below(logits, recent, found, filters, int(at), noise, float(scores[at]))
            if rival is not None:
                self.tokens[rows[at]] = rival
        return rows[~settled]


def _best_scored(
    found: Pools, filters: Filters, noise: Bits, keep: Tokens, most: int
) -> tuple[Tokens, Values]:
    """Of the first `keep` candidates of each row the token with the best score, and the score.

    For rows that keep more than `most` it is any.
    """
    tokens = found.tokens[:, :most]
    scores = (found.values[:, :most] - found.best[:, None]) / filters.temp[:, None]
    scores += gumbel(noise[:, None], tokens)
    scores[np.arange(most) >= keep[:, None]] = -math.inf
    winners = scores.argmax(axis=1)[:, None]
    return np.take_along_axis(tokens, winners, 1)[:, 0], np.take_along_axis(scores, winners, 1)[:, 0]


def _from_below(
    logits: Logits, recent: Recent, found: Pools, filters: Filters, at: int, noise: np.uint64, score: float
) -> int | None:
    """The token below pool number `at` that beats the best score in it, if there is one. `logits`: its whole row.

    Only with a noise that makes up for its logit can such a token win, and few have one.
    """
    best, temp = found.best[at], filters.temp[at]
    tokens = loud(noise, logits.size, score - (found.edge[at] - best) / temp)
    values = recent.logits(at, logits, tokens)
    allowed = values >= best - filters.reach[at]
    tokens = tokens[allowed]
    scores = (values[allowed] - best) / temp + gumbel(noise, tokens)
    return int(tokens[scores.argmax()]) if scores.max(initial=-math.inf) > score else None
