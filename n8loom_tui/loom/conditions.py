"""Whether a branch ends where it stands: the conditions of `protocol`, looked at token by token."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from .bounds import MOST_ALTERNATIVES
from .protocol import Alternative
from .until import Condition, EntropyAbove, Fork, ParagraphEnd, SentenceEnd, TextSaid, TopProbabilityBelow

LONGEST_LOOK = 512
"""How many characters back a text is looked at."""

_CLOSING = r"[\"'”’»)\]]*"
_FINISHED = re.compile(rf"(?:[.!?…]{_CLOSING}|[。！？]{_CLOSING})$")
_FINISHED_WIDE = re.compile(rf"[。！？]{_CLOSING}$")
"""Marks that no blank follows."""
_ABBREVIATED = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|No|Fig|cf|ca|e\.g|i\.e)|\b[A-Z]|(?:^|\n)\s*\d{1,3})\.$"
)
"""A full stop behind a title, an initial, or a number at the head of a line ends no sentence."""
_EMPTY_LINE = re.compile(r"\S[ \t\r]*\n[ \t\r]*\n\s*$")


def alternatives_needed(until: Iterable[Condition]) -> int:
    """How many of the most probable tokens have to be known to tell whether a condition holds."""
    needed = 0
    for condition in until:
        match condition:
            case TopProbabilityBelow():
                needed = max(needed, 1)
            case Fork(p):
                needed = max(needed, min(math.floor(1 / p) + 1, MOST_ALTERNATIVES))
    return needed


def ends_sentence(text: str) -> bool:
    """Whether a text stands at the end of a sentence, whatever comes next."""
    shown = text.rstrip()
    if not shown:
        return False
    if len(shown) == len(text):
        return _FINISHED_WIDE.search(text) is not None
    return "\n" in text[len(shown) :] or _finished(shown)


def _finished(text: str) -> bool:
    """Whether a text has a sentence's last mark at its end, so that it is over if a blank follows."""
    return _FINISHED.search(text) is not None and _ABBREVIATED.search(text) is None


class Watch:
    """Looks out for conditions while a branch grows."""

    __slots__ = ("_said", "_text", "_until")

    def __init__(self, until: tuple[Condition, ...]) -> None:
        self._until = until
        self._text = ""
        self._said = 0

    def before(self, alternatives: tuple[Alternative, ...], entropy: float) -> bool:
        """Whether the branch ends before the token that is to come, by what the model makes of its position."""
        return any(self._holds_before(condition, alternatives, entropy) for condition in self._until)

    def _holds_before(
        self, condition: Condition, alternatives: tuple[Alternative, ...], entropy: float
    ) -> bool:
        match condition:
            case EntropyAbove(nats, after):
                return self._said >= after and entropy > nats
            case TopProbabilityBelow(p, after):
                return self._said >= after and math.exp(alternatives[0].logprob) < p
            case Fork(p, after):
                return (
                    self._said >= after and sum(math.exp(other.logprob) >= p for other in alternatives) != 1
                )
        return False

    def between(self, piece: str) -> bool:
        """Whether the branch ends before a token by the text that it brings."""
        return piece[:1].isspace() and any(
            isinstance(condition, SentenceEnd) and _finished(self._text) for condition in self._until
        )

    def after(self, piece: str) -> bool:
        """Take a token's text. Whether the branch ends with it."""
        self._said += 1
        self._text = (self._text + piece)[-max(LONGEST_LOOK, len(piece)) :]
        return bool(piece) and any(self._holds_after(condition, piece) for condition in self._until)

    def _holds_after(self, condition: Condition, piece: str) -> bool:
        match condition:
            case TextSaid(text):
                return self._text.find(text, max(0, len(self._text) - len(piece) - len(text) + 1)) >= 0
            case SentenceEnd():
                return ends_sentence(self._text)
            case ParagraphEnd():
                return _EMPTY_LINE.search(self._text) is not None
        return False
