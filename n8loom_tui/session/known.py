"""What is known of the parts of a node's text, whoever knew it: the model in use, or the program that a session was
imported from.

A node's own tokens have `odds`, by token id. Another program's tokens are told by their texts, in the provenance; they
may part the text elsewhere than the model's own tokens do. Here both look the same, for whoever shows them.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.odds import Odds

from .formats.outline import Pieces
from .formats.pieces import IMPORTED, checked, is_told
from .formats.tally import Tally


@dataclass(frozen=True, slots=True)
class Other:
    """What else could stand in a place: a token id of the node's model, or a text where another program told it."""

    logprob: float
    token: int | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """The parts of a node's text, side by side, and what is known of each.

    Attributes:
        ends: where each part ends, in characters of the node's text.
        logprobs, entropies: of each part; NaN where not known.
        own: whether the parts are the node's own tokens, one by one; else another program's.
    """

    ends: Sequence[int]
    logprobs: list[float]
    entropies: list[float]
    own: bool
    _source: Odds | Pieces

    def part_of(self, node: Heddle, token: int) -> int:
        """The part that one of the node's own tokens begins in; where it has none, the part of that number."""
        if not node.tokens:
            return token
        start = node.ends[token - 1] if token else 0
        return min(bisect_right(self.ends, start), len(self.ends) - 1)

    def others(self, index: int) -> list[Other]:
        """What else could have stood in a part's place, best first."""
        if isinstance(self._source, Odds):
            return [Other(found.logprob, token=found.token) for found in self._source.at(index)[1]]
        told = self._source.alternatives[index] if self._source.alternatives else []
        return [
            Other(float(logprob), text=str(text)) for text, logprob in zip(told[::2], told[1::2], strict=True)
        ]


def known_of(node: Heddle) -> Known | None:
    """What is known of a node's text; None if nothing is."""
    if (odds := node.odds) is not None:
        return Known(node.ends, odds.logprobs, odds.entropies, True, odds)
    if not is_told(node):
        return None
    pieces = checked(node.provenance[IMPORTED], node.text, Tally())
    if pieces is None:
        return None
    logprobs = [math.nan if value is None else value for value in pieces.logprobs]
    unknown = [math.nan] * len(pieces.texts)
    return Known(list(accumulate(map(len, pieces.texts))), logprobs or unknown, unknown, False, pieces)


class Told:
    """What another program told of a node's text, for whoever asks often: it is read when it is another one."""

    def __init__(self) -> None:
        self._of: tuple[dict[str, Any], str] | None = None
        self._known: Known | None = None

    def of(self, node: Heddle) -> Known | None:
        """That; None if nothing was told, or the model knows the text itself."""
        if not is_told(node):
            self._of = self._known = None
        elif self._of is None or self._of[0] is not node.provenance or self._of[1] is not node.text:
            self._of, self._known = (node.provenance, node.text), known_of(node)
        return self._known
