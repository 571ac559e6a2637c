"""What a row of logits says of the next token, before any temperature or filter. In NumPy, on the CPU.

Nothing here sorts a vocabulary. A row of 49,152 logits (196 KB) fits a core's own cache, so one row is done
with before the next is begun: one exponential of it serves the total and the entropy, and a threshold cuts it
to the few tokens that are worth sorting.
"""

from __future__ import annotations

import math
import threading

import numpy as np
import numpy.typing as npt

from .protocol import Alternative

Logits = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.int64]

LINE = 1024
"""How much of a row is worked on at once."""
COLUMNS = 256
"""In how many columns a row is folded to find a threshold that its largest values reach."""
SHORTLIST = 64
"""At least so many of the most probable tokens are picked out."""
_ONES = np.ones(LINE, np.float32)


class BrokenLogits(ValueError):
    """The model gave logits that are not numbers."""


class _Scratch(threading.local):
    """Two rows to compute in, kept from one call to the next: fresh memory costs more than the sums in it."""

    def __init__(self) -> None:
        self._rows: tuple[Logits, Logits] = (np.empty(0, np.float32), np.empty(0, np.float32))

    def rows(self, size: int) -> tuple[Logits, Logits]:
        if self._rows[0].size != size:
            self._rows = (np.empty(size, np.float32), np.empty(size, np.float32))
        return self._rows


_scratch = _Scratch()


class Distribution:
    """The model's own distribution at one position.

    Attributes:
        logits: the row, `[vocabulary]`, float32.
        best: the largest logit.
        total: the sum of all `exp(logit - best)`.
        entropy: in nats.
        edge: a logit. `shortlist`: the ids of all tokens that reach it, in order; at least `SHORTLIST` where
            there are so many. `values`: their logits.
    """

    __slots__ = ("best", "edge", "entropy", "logits", "shortlist", "total", "values")

    def __init__(self, logits: Logits, count: int = 0) -> None:
        """`count`: how many tokens the shortlist must have at least.

        Raises:
            BrokenLogits: no finite best.
        """
        self.logits = logits
        maxima = _fold(logits)
        self.best = float(maxima.max())
        if not math.isfinite(self.best):
            raise BrokenLogits(
                "the model gave logits that are not numbers; its weights or dtype do not suit this device"
            )
        self._weigh()
        self.edge = _reached(logits, maxima, max(count, SHORTLIST))
        self.shortlist = np.flatnonzero(logits >= self.edge)
        self.values = logits[self.shortlist]

    def _weigh(self) -> None:
        """The total and the entropy."""
        shifted, weights = _scratch.rows(self.logits.size)
        np.subtract(self.logits, np.float32(self.best), out=shifted)
        np.exp(shifted, out=weights)
        self.total = _dot(weights, None)
        with np.errstate(invalid="ignore"):
            mean = _dot(weights, shifted) / self.total
        if math.isnan(mean):  # a token that the model rules out: 0 times minus infinity
            np.copyto(shifted, 0, where=weights == 0)
            mean = _dot(weights, shifted) / self.total
        self.entropy = max(math.log(self.total) - mean, 0.0)

    @property
    def best_token(self) -> int:
        """The most probable token; of several the first."""
        return int(self.shortlist[self.values.argmax()])

    def logprob(self, token: int) -> float:
        """The log probability of a token."""
        return float(self.logits[token]) - self.best - math.log(self.total)

    def alternatives(self, count: int) -> tuple[Alternative, ...]:
        """The `count` most probable tokens, best first; fewer where the model rules out the others.

        `count` is at most what the shortlist was made for, or `SHORTLIST`.
        """
        if count < 1:
            return ()
        order = np.argsort(-self.values, kind="stable")[:count]
        logprobs = self.values[order].astype(np.float64) - (self.best + math.log(self.total))
        pairs = zip(self.shortlist[order].tolist(), logprobs.tolist(), strict=True)
        return tuple([Alternative(token, logprob) for token, logprob in pairs if logprob > -math.inf])


def _dot(a: Logits, b: Logits | None) -> float:
    """The sum of `a`, or of its products with `b`.

    Line by line: BLAS would take a whole row to its threads, which then stay awake beside the next step's.
    """
    whole = a.size - a.size % LINE
    lines = a[:whole].reshape(-1, LINE)
    factors = _ONES if b is None else b[:whole].reshape(-1, LINE)
    rest = _ONES[: a.size - whole] if b is None else b[whole:]
    return float(np.vecdot(lines, factors).sum()) + float(np.vecdot(a[whole:], rest))


def _fold(row: Logits) -> Logits:
    """The largest of each column, the row laid out in `COLUMNS` columns; a short row is its own."""
    whole = row.size - row.size % LINE
    if whole < 2 * LINE:
        return row
    maxima = row[:whole].reshape(-1, LINE).max(axis=0)
    np.maximum(maxima[: row.size - whole], row[whole:], out=maxima[: row.size - whole])
    return np.asarray(maxima.reshape(-1, COLUMNS).max(axis=0))


def _reached(row: Logits, maxima: Logits, count: int) -> float:
    """A value that at least `count` of the row reach, and not many more: that many columns have one."""
    if count >= row.size:
        return -math.inf
    among = maxima if count <= maxima.size else row
    return float(np.partition(among, among.size - count)[among.size - count])


def threshold(row: Logits, count: int) -> float:
    """A value that at least `count` of the row reach, and not many more; minus infinity for a short row."""
    return _reached(row, _fold(row), count)
