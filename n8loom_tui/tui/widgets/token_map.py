"""Where a node's tokens stand in what is shown of it, and how probable each was. No user interface in here.

Costs as much as the node is long when it is first asked for, and no more than what was added afterwards.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from enum import Enum

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.session.known import Known, Told

from .sanitize import shifts
from .shown import lead, shown_text

PROBABILITY_STEPS = (0.8, 0.5, 0.2, 0.05)
"""A token is on step i if it is at least as probable as entry i and less than the one before; else on the last."""
ENTROPY_STEPS = (0.5, 1.5, 2.5, 3.5)
"""The same for entropies in nats, which rise."""
STEPS = 5
UNKNOWN = -1


class ColourBy(Enum):
    """What tokens are coloured by."""

    NOTHING = "nothing"
    PROBABILITY = "probability"
    ENTROPY = "entropy"

    @property
    def next(self) -> ColourBy:
        """The one that follows, round and round."""
        every = list(ColourBy)
        return every[(every.index(self) + 1) % len(every)]


def probability_step(logprob: float) -> int:
    """On which step of the scale a token is: 0 the most probable, -1 not known."""
    if math.isnan(logprob):
        return UNKNOWN
    p = math.exp(logprob)
    return next((step for step, least in enumerate(PROBABILITY_STEPS) if p >= least), STEPS - 1)


def entropy_step(entropy: float) -> int:
    """On which step of the scale an entropy is: 0 the lowest, -1 not known."""
    if math.isnan(entropy):
        return UNKNOWN
    return next((step for step, below in enumerate(ENTROPY_STEPS) if entropy < below), STEPS - 1)


class TokenMap:
    """The tokens of one node in its passage. Before the model has read its text, those that another program told of.

    Attributes:
        node: that one.
        bounds: `bounds[i]` is where token i begins in the text that is shown; one more than there are tokens.
    """

    def __init__(self, node: Heddle) -> None:
        self.node = node
        self._tokens: list[int] = []
        self._odds: object = None
        self._told = Told()
        self._known: Known | None = None
        """What another program told of the text, as far as the model itself knows nothing."""
        self.bounds: list[int] = [lead(node)]
        self._steps: dict[tuple[ColourBy, int], int] = {}
        self.update()

    def update(self) -> None:
        """Look at the node again: it may have grown, or be known better."""
        node, known = self.node, self._told.of(self.node)
        told_anew, self._known = known is not self._known, known
        if told_anew or node.tokens is not self._tokens or len(self._ends()) < len(self.bounds) - 1:
            self._tokens, self.bounds = node.tokens, [lead(node)]
            self._steps.clear()
        if node.odds is not self._odds:
            self._odds = node.odds
            self._steps.clear()
        if len(self._ends()) > len(self.bounds) - 1:
            self._extend()

    def _ends(self) -> Sequence[int]:
        """Where the tokens end in the node's text."""
        node = self.node
        return node.ends if node.tokens or self._known is None else self._known.ends

    @property
    def outdated(self) -> bool:
        """Whether other things are known of the node's tokens than at the last look."""
        return self.node.odds is not self._odds

    def _extend(self) -> None:
        node, known = self.node, len(self.bounds) - 1
        every = self._ends()
        first, last, ends = 0, len(node.text), list(every[known:])
        if isinstance(node, Loom) or node.is_turn:
            # Of what stands in a chat template only what a person wrote is shown.
            written = shown_text(node)
            first = max(node.text.find(written), 0)
            last = first + len(written) if written in node.text else first
            ends = [min(max(end, first), last) for end in ends]
        at = min(max(every[known - 1] if known else 0, first), last)
        longer = self.bounds[-1] - at  # by how much what is shown is longer than the text, down to here
        changes = deque(shifts(node.text[at:last]))
        if not changes:
            self.bounds += [end + longer for end in ends] if longer else ends
            return
        for end in ends:
            while changes and changes[0][0] + at < end:
                longer += changes.popleft()[1]
            self.bounds.append(end + longer)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def span(self, index: int) -> tuple[int, int]:
        """Where a token stands. One that only begins a character stands where that is."""
        start, behind = self.bounds[index], index + 1
        while behind < len(self.bounds) - 1 and self.bounds[behind] == start:
            behind += 1
        return start, self.bounds[behind]

    def token_at(self, offset: int) -> int:
        """The token that a character of the shown text belongs to."""
        return min(max(bisect_right(self.bounds, offset) - 1, 0), max(len(self) - 1, 0))

    def step(self, index: int, by: ColourBy) -> int:
        """On which step of a scale a token is. Looked up when it is first drawn, for a node may be very long."""
        known = self._steps.get((by, index))
        if known is None:
            logprob, entropy = self._look_up(index)
            known = probability_step(logprob) if by is ColourBy.PROBABILITY else entropy_step(entropy)
            if known != UNKNOWN:  # of a token that has just come it may be known in a moment
                self._steps[by, index] = known
        return known

    def _look_up(self, index: int) -> tuple[float, float]:
        """A token's logprob and entropy."""
        node, told = self.node, self._known
        if told is not None:
            part = told.part_of(node, index)
            return told.logprobs[part], told.entropies[part]
        if node.odds is None or index >= len(node.odds):
            return math.nan, math.nan
        logprob, _, entropy = node.odds.at(index)
        return logprob, entropy

    def runs(self, start: int, stop: int, by: ColourBy) -> list[tuple[int, int]]:
        """The stretch of the shown text from `start` to `stop` as (where it ends, step), token by token."""
        if by is ColourBy.NOTHING or not len(self):
            return [(stop, UNKNOWN)]
        found = []
        index = self.token_at(start)
        at = start
        while at < stop:
            end = min(self.bounds[index + 1], stop) if index < len(self) else stop
            if end > at:
                found.append((end, self.step(index, by)))
                at = end
            index += 1
        return found
