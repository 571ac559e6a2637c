"""What rows of logits say of the next tokens, before any temperature or filter. On the CPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from .foremost import ranked
from .protocol import Alternative
from .ranking import Keys, Logits, Tokens, unpacked
from .weighed import weighed

Values = npt.NDArray[np.float64]

_alternative: Callable[[tuple[int, float]], Alternative] = partial(tuple.__new__, Alternative)
"""An alternative of a token and its logprob, in a fraction of the time: there are hundreds in a step."""


class BrokenLogits(ValueError):
    """The model gave logits that are not numbers."""

    def __init__(self) -> None:
        super().__init__(
            "the model gave logits that are not numbers; its weights or dtype do not suit this device"
        )


class Distributions:
    """The model's own distributions at several positions.

    Attributes:
        table: the logits, `[rows, vocabulary]`, float32.
        broken: the rows that have no finite best. Nothing else is known of them.
        best: the largest logit of each row. `total`: the sum of all `exp(logit - best)`. `entropy`: in nats.
        keys: each row's most probable tokens, best first, of equal ones the first, `[rows, up to count]`; `NOTHING`
            where there is no further token that the model does not rule out.
    """

    __slots__ = ("_maxima", "best", "broken", "count", "entropy", "keys", "table", "total")

    def __init__(self, table: Logits, count: int) -> None:
        """`count`: how many of the most probable tokens are to be known of each row at least."""
        self.table, self.count = table, max(count, 1)
        known = weighed(table, self.count)
        self._maxima, self.broken = known.maxima, known.broken
        self.best, self.total, self.entropy = known.best, known.total, known.entropy
        self.keys = known.keys

    def ranked(self, rows: Tokens, count: int) -> Keys:
        """The `count` most probable tokens of some rows, best first, as keys, `[rows, up to count]`.

        `NOTHING` stands where there is no further token that the model does not rule out.
        """
        return ranked(self.table, self._maxima, rows, count)

    def logprobs(self, tokens: Tokens) -> Values:
        """The log probability of a token of each row."""
        logits = self.table[np.arange(len(tokens)), tokens].astype(np.float64)
        return np.asarray(logits - self.best - np.log(self.total))

    def alternatives(self, counts: Sequence[int]) -> list[tuple[Alternative, ...]]:
        """The most probable tokens of each row, so many, best first; fewer where the model rules out the others.

        No count is larger than what the distributions were made for.
        """
        most = max(counts, default=0)
        if not most:
            return [()] * len(counts)
        logits, tokens = unpacked(self.keys[:, :most])
        offsets = self.best + np.log(self.total)
        logprobs = logits.astype(np.float64) - offsets[:, None]
        every = list(map(_alternative, zip(tokens.ravel().tolist(), logprobs.ravel().tolist(), strict=True)))
        width = tokens.shape[1]
        told = [
            tuple(every[first : first + min(count, width)])
            for first, count in zip(range(0, len(every), width), counts, strict=True)
        ]
        if (logits == -math.inf).any():
            told = [tuple(other for other in others if other.logprob > -math.inf) for others in told]
        return told
