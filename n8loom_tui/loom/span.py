"""The content of a node as a value: token ids, their text, and what is known of each token.

Spans are cut between tokens and put together again, which never encodes or decodes anything: what is cut apart and put
together is what it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .odds import Odds

if TYPE_CHECKING:
    from .heddle import Heddle


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens with their text. `ends[i]`: how many characters of `text` stand once token i is read.

    `odds` runs along the tokens; None where nothing is known of any.
    """

    tokens: list[int]
    text: str
    ends: list[int]
    odds: Odds | None = None

    @classmethod
    def of(cls, node: Heddle) -> Span:
        """What a node holds. It is the node's own, not a copy."""
        return cls(node.tokens, node.text, node.ends, node.odds)

    def put(self, node: Heddle) -> None:
        """Make this what the node holds. Whether its token ids are the model's own is left as it is."""
        encoded = node.encoded
        node.set_span(self.tokens, self.text, self.ends, self.odds)
        node.encoded = encoded

    def first(self, count: int) -> Span:
        """The first `count` tokens."""
        end = self.ends[count - 1] if count else 0
        return Span(self.tokens[:count], self.text[:end], self.ends[:count], self._odds(0, count))

    def after(self, count: int) -> Span:
        """All but the first `count` tokens."""
        start = self.ends[count - 1] if count else 0
        ends = [end - start for end in self.ends[count:]]
        return Span(self.tokens[count:], self.text[start:], ends, self._odds(count, len(self.tokens)))

    def _odds(self, start: int, stop: int) -> Odds | None:
        """The odds of some of the tokens; None if nothing is known of them."""
        if self.odds is None:
            return None
        part = self.odds.part(start, stop)
        return None if part.blank else part

    def then(self, other: Span) -> Span:
        """This span and another one behind it."""
        start = len(self.text)
        return Span(
            self.tokens + other.tokens,
            self.text + other.text,
            self.ends + [start + end for end in other.ends],
            Odds.joined([(self.odds, len(self.tokens)), (other.odds, len(other.tokens))]),
        )
