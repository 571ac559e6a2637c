"""What rows of logits say of the next tokens, before any temperature or filter. In NumPy, on the CPU.

Nothing here sorts a vocabulary. The largest logits of a row's columns lead to the few tokens that are worth sorting.
These few are sorted for all rows together, as a call of NumPy costs more than they do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from .kernels.native import Choosing, choosing
from .kernels.workspace import address
from .protocol import Alternative
from .ranking import Keys, Logits, Tokens, arranged, packed, unpacked
from .weighed import LINE, weighed

Values = npt.NDArray[np.float64]

COLUMNS = 256
"""In how many columns a row is folded to find a threshold that its largest values reach."""
ROOM = 4
"""How many times as many tokens as are wanted may reach that threshold, if compiled code is to find them."""
_LEAST = np.finfo(np.float32).min
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
        tokens: the ids of each row's most probable tokens, best first, `[rows, count]`; of equal ones the first.
            `values`: their logits, minus infinity where there is no further token that the model does not rule out.
    """

    __slots__ = (
        "_maxima",
        "best",
        "broken",
        "count",
        "entropy",
        "keys",
        "table",
        "tokens",
        "total",
        "values",
    )

    def __init__(self, table: Logits, count: int) -> None:
        """`count`: how many of the most probable tokens are to be known of each row at least."""
        self.table, self.count = table, max(count, 1)
        known = weighed(table)
        self._maxima, self.broken = known.maxima, known.broken
        self.best, self.total, self.entropy = known.best, known.total, known.entropy
        self._maxima[self.broken] = -math.inf
        self.keys = self.ranked(np.arange(len(table)), self.count)
        self.values, self.tokens = unpacked(self.keys)

    def ranked(self, rows: Tokens, count: int) -> Keys:
        """The `count` most probable tokens of some rows, best first, as keys, `[rows, count]`.

        `NOTHING` stands where there is no further token that the model does not rule out.
        """
        maxima = self._maxima if rows.size == len(self._maxima) else self._maxima[rows]
        edges = np.maximum(_reached(maxima, count, self.table.shape[1]), _LEAST)
        code = choosing()
        keys = _compiled(code, self.table, rows, maxima, edges, count * ROOM) if code is not None else None
        if keys is None:
            keys = self._reaching(rows, maxima, edges)
        keys.sort(axis=1)
        return keys[:, :count]

    def _reaching(self, rows: Tokens, maxima: Logits, edges: Logits) -> Keys:
        """The tokens of some rows that reach their edges, as keys, `[rows, most]`."""
        vocabulary, line = self.table.shape[1], maxima.shape[1]
        at, columns = np.divmod(np.flatnonzero(maxima >= edges[:, None]), line)
        lines = np.arange(0, vocabulary, line)
        places = (rows[at] * vocabulary + columns)[:, None] + lines
        logits = self.table.reshape(-1).take(places, mode="clip")
        reaching = logits >= edges[at][:, None]
        if vocabulary % line:
            reaching[columns >= vocabulary % line, -1] = False
        found = np.flatnonzero(reaching)
        column, row_line = np.divmod(found, lines.size)
        tokens = columns[column] + row_line * line
        return arranged(packed(logits.reshape(-1)[found], tokens), at[column], rows.size)

    def logprobs(self, tokens: Tokens) -> Values:
        """The log probability of a token of each row."""
        logits = self.table[np.arange(len(tokens)), tokens].astype(np.float64)
        return np.asarray(logits - self.best - np.log(self.total))

    def alternatives(self, counts: Sequence[int]) -> list[tuple[Alternative, ...]]:
        """The most probable tokens of each row, so many, best first; fewer where the model rules out the others.

        No count is larger than what the distributions were made for.
        """
        most = max(counts, default=0)
        offsets = self.best + np.log(self.total)
        logprobs = (self.values[:, :most].astype(np.float64) - offsets[:, None]).tolist()
        tokens = self.tokens[:, :most].tolist()
        told = [
            tuple(map(_alternative, zip(ids[:count], values[:count], strict=True)))
            for ids, values, count in zip(tokens, logprobs, counts, strict=True)
        ]
        if (self.values[:, :most] == -math.inf).any():
            told = [tuple(other for other in others if other.logprob > -math.inf) for others in told]
        return told


def _compiled(
    code: Choosing, table: Logits, rows: Tokens, maxima: Logits, edges: Logits, room: int
) -> Keys | None:
    """What `Distributions._reaching` finds; None where there are more than `room` in a row."""
    table, rows, maxima = (
        np.ascontiguousarray(table),
        np.ascontiguousarray(rows),
        np.ascontiguousarray(maxima),
    )
    keys, found = np.empty((rows.size, room), np.uint64), np.empty(rows.size, np.int64)
    places = [address(array) for array in (maxima, edges, keys)]
    code.rank(
        address(table),
        table.shape[1],
        address(rows),
        rows.size,
        maxima.shape[1],
        *places,
        room,
        address(found),
    )
    most = int(found.max(initial=0))
    return keys[:, :most] if most <= room else None


def _reached(maxima: Logits, count: int, vocabulary: int) -> Logits:
    """A value of each row that at least `count` of its tokens reach, and not many more: that many columns have one.

    Minus infinity where that is not to be found so, or the vocabulary is smaller.
    """
    rows, columns = maxima.shape
    if count >= vocabulary or count > columns:
        return np.full(rows, -math.inf, np.float32)
    if columns == LINE and count <= COLUMNS // 2:
        maxima = maxima.reshape(rows, -1, COLUMNS).max(axis=1)
    place = maxima.shape[1] - count
    return np.partition(maxima, place, axis=1)[:, place].copy()
