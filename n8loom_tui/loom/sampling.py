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
from .filters import Filters, kept, leaves
from .noise import Bits, counters, gumbel, loud
from .penalty import Recent
from .pools import Pools, pools
from .ranking import Logits, Tokens

SHORTLIST = 64
"""So many of the most probable tokens are looked at first, where it is not known how many are enough."""
LONGER = (256, 1024)
"""So many where those are not enough. After that it is all of them, if it comes to that."""


def choose(table: Logits, draws: Sequence[Draw]) -> list[Choice | BrokenLogits]:
    """Choose a token from each row, or say why there is none.

    Args:
        table: `[rows, vocabulary]`, float32. It is not changed.
        draws: one for each row.
    """
    if not draws:
        return []
    counts = [draw.alternatives() for draw in draws]
    model = Distributions(table, max(*counts, *map(_shortlist, draws)))
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


def _shortlist(draw: Draw) -> int:
    """How many of the most probable tokens are looked at first. A penalty may move those that were said away."""
    params = draw.params
    wanted = params.top_k if 0 < params.top_k <= LONGER[0] else SHORTLIST
    said = params.repetition_context_size + 1 if params.repetition_penalty != 1.0 else 0
    return min((1 if params.temp == 0 else wanted) + min(said, SHORTLIST), LONGER[0])


def _drawn(model: Distributions, draws: Sequence[Draw]) -> Tokens:
    """A token of each row by its parameters."""
    drawing = _Drawing(model, draws)
    rows = np.arange(len(draws))
    for count in (model.count, *(more for more in LONGER if more > model.count)):
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
        # All of the pool is left, and so it may be enough to find who can win from below it. With filters by rank each
        # of these has to be looked up in the whole row: a longer pool comes first.
        open_ended = ~certain & (~filters.by_rank | (count >= LONGER[-1])) & (found.trusted > 0)
        settled = certain | open_ended
        keep = np.where(open_ended, found.trusted, keep)
        most = int(keep[settled].max(initial=1))
        self.tokens[rows], scores = _best_scored(found, filters, self._noise[rows], keep, most)
        if open_ended.any():
            self._look_below(rows, np.flatnonzero(open_ended), recent, found, filters, scores)
        return rows[~settled]

    def _look_below(
        self, rows: Tokens, at: Tokens, recent: Recent, found: Pools, filters: Filters, scores: Values
    ) -> None:
        """Draw the tokens below pools number `at` that beat the best `scores` in them.

        Only with a noise that makes up for its logit can such a token win, and few have one.
        """
        table, noise = self._model.table, self._noise[rows[at]]
        best, temp = found.best[at], filters.temp[at]
        enough = (scores[at] - (found.edge[at] - best) / temp).tolist()
        heard = [loud(own, table.shape[1], least) for own, least in zip(noise, enough, strict=True)]
        which = np.arange(at.size).repeat([tokens.size for tokens in heard])
        tokens = np.concatenate(heard)
        values = table[rows[at[which]], tokens].astype(np.float64)
        recent.act(at[which], tokens, values)
        allowed = values >= (best - filters.reach[at])[which]
        which, tokens, values = which[allowed], tokens[allowed], values[allowed]
        rivals = (values - best[which]) / temp[which] + gumbel(noise[which], tokens)
        for number, row in enumerate(at.tolist()):
            own = np.flatnonzero((which == number) & (rivals > scores[row]))
            if own.size:
                logits = recent.penalised(row, table[rows[row]]) if filters.by_rank[row] else None
                for token in tokens[own[np.argsort(-rivals[own], kind="stable")]].tolist():
                    if logits is None or leaves(filters, found, row, logits, token):
                        self.tokens[rows[row]] = token
                        break


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
