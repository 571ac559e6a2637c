"""What a token is drawn by, and what a draw gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .conditions import alternatives_needed
from .protocol import Alternative, SamplingParams


@dataclass(frozen=True, slots=True)
class Draw:
    """A token that is to be drawn.

    `seed` and `step` fix the noise: the branch's seed, and how many tokens it has drawn. `context`: the token ids so
    far, or the last of them, for the repetition penalty.
    """

    params: SamplingParams
    seed: int
    step: int
    context: Sequence[int] = ()

    def recent(self) -> Sequence[int]:
        """The token ids that the repetition penalty acts on."""
        size = self.params.repetition_context_size
        if not size or self.params.repetition_penalty == 1.0:
            return ()
        return self.context[-size:] if len(self.context) > size else self.context

    def alternatives(self) -> int:
        """How many of the most probable tokens have to be known."""
        until = self.params.until
        return max(self.params.top_logprobs, alternatives_needed(until) if until else 0)


@dataclass(frozen=True, slots=True)
class Choice:
    """The token chosen, and what the untempered, unfiltered distribution at its position looks like.

    `alternatives` are its most probable tokens, best first, the chosen one among them or not; `entropy` is in
    nats.
    """

    token: int
    logprob: float
    alternatives: tuple[Alternative, ...] = ()
    entropy: float = math.nan
