"""The content of a node as a value: token ids, their text, and what is known of each token.

Spans are cut between tokens and put together again, which never encodes or decodes anything: what is cut apart and put
together is what it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .heddle import Heddle

LOGPROBS = "logprobs"
"""The key of a provenance under which each token's logprob is kept."""


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens with their text. `ends[i]`: how many characters of `text` stand once token i is read.

    `logprobs` runs along the tokens (NaN: not known), or is empty where none is known.
    """

    tokens: list[int]
    text: str
    ends: list[int]
    logprobs: list[float]

    @classmethod
    def of(cls, node: Heddle) -> Span:
        """What a node holds."""
        logprobs = list(node.provenance.get(LOGPROBS, ()))[: len(node.tokens)]
        if logprobs:
            logprobs += [math.nan] * (len(node.tokens) - len(logprobs))
        return cls(node.tokens, node.text, node.ends, logprobs)

    def put(self, node: Heddle) -> None:
        """Make this what the node holds. Whether its token ids are the model's own is left as it is."""
        encoded = node.encoded
        node.set_span(list(self.tokens), self.text, list(self.ends))
        node.encoded = encoded
        if any(not math.isnan(value) for value in self.logprobs):
            node.provenance = {**node.provenance, LOGPROBS: list(self.logprobs)}
        elif LOGPROBS in node.provenance:
            node.provenance = {key: value for key, value in node.provenance.items() if key != LOGPROBS}

    def first(self, count: int) -> Span:
        """The first `count` tokens."""
        end = self.ends[count - 1] if count else 0
        return Span(self.tokens[:count], self.text[:end], self.ends[:count], self.logprobs[:count])

    def after(self, count: int) -> Span:
        """All but the first `count` tokens."""
        start = self.ends[count - 1] if count else 0
        ends = [end - start for end in self.ends[count:]]
        return Span(self.tokens[count:], self.text[start:], ends, self.logprobs[count:])

    def then(self, other: Span) -> Span:
        """This span and another one behind it."""
        start = len(self.text)
        logprobs: list[float] = []
        if self.logprobs or other.logprobs:
            logprobs = (self.logprobs or [math.nan] * len(self.tokens)) + (
                other.logprobs or [math.nan] * len(other.tokens)
            )
        ends = self.ends + [start + end for end in other.ends]
        return Span(self.tokens + other.tokens, self.text + other.text, ends, logprobs)

    def border(self, character: int) -> int:
        """How many tokens stand at the last border between tokens that is not behind this character."""
        count = 0
        for index, end in enumerate(self.ends):
            if end > character:
                break
            if end > (self.ends[count - 1] if count else 0):
                count = index + 1
        return count
