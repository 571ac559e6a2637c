"""How much rows of logits weigh: the largest, the sum of their exponentials, the entropy.

A row of 49,152 logits (196 KB) fits a core's own cache, so one row is done with before the next is begun: one
exponential of it serves the total and the entropy. It is compiled code that goes through the rows, or NumPy where
none can be. Threads share the rows out, where they share out a step.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from .foremost import Finding, ranked
from .kernels.native import Choosing, choosing
from .kernels.native.interface import LOOKING
from .kernels.team import rows_apart, side_by_side
from .kernels.workspace import address
from .ranking import NOTHING, Keys, Logits

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

LINE = 4096
"""In how many columns a row is folded. BLAS takes longer lines to its threads, which then stay awake for a while."""
WORK = 8
"""How many multiplications a logit is worth, about."""
UNSHIFTED = (-20.0, 60.0)
"""Where the best logit lies between these, exponentials of the others neither overflow nor all vanish."""
_ONES = np.ones(LINE, np.float32)


class _Scratch(threading.local):
    """Two rows to compute in, kept from one call to the next: fresh memory costs more than the sums in it."""

    def __init__(self) -> None:
        self._rows: tuple[Logits, Logits] = (np.empty(0, np.float32), np.empty(0, np.float32))

    def rows(self, size: int) -> tuple[Logits, Logits]:
        if self._rows[0].size != size:
            self._rows = (np.empty(size, np.float32), np.empty(size, np.float32))
        return self._rows


_scratch = _Scratch()


@dataclass(frozen=True, slots=True)
class Weighed:
    """What is known of rows.

    Attributes:
        broken: the rows that have no finite best. Nothing else is known of them.
        best: the largest logit of each. `total`: the sum of all `exp(logit - best)`. `entropy`: in nats.
        maxima: the row laid out in as many columns, the largest logit of each, `[rows, columns]`.
        keys: as many of its most probable tokens as were asked for, as `foremost.ranked` gives them.
    """

    broken: Flags
    best: Values
    total: Values
    entropy: Values
    maxima: Logits
    keys: Keys


class _Sums:
    """What is filled in row by row: the sums of exponentials of `logit - shift`, and of these times `logit - shift`,
    line by line."""

    def __init__(self, table: Logits) -> None:
        rows, vocabulary = table.shape
        self.table = np.ascontiguousarray(table)
        self.maxima = np.empty((rows, min(LINE, vocabulary)), np.float32)
        self.best = np.empty(rows, np.float32)
        self.shifts = np.zeros(rows)
        self.sums, self.products = np.zeros((2, rows, -(-vocabulary // self.maxima.shape[1])), np.float32)
        self.rows = np.arange(rows)


def weighed(table: Logits, count: int = 1) -> Weighed:
    """What rows of logits, `[rows, vocabulary]`, weigh, and the `count` most probable tokens of each."""
    found = _Sums(table)
    code = choosing()
    finding = Finding(found.table, found.maxima, found.rows, count) if code is not None else None
    way = _in_numpy if code is None or finding is None else partial(_compiled, code, finding)
    with np.errstate(invalid="ignore", over="ignore"):
        side_by_side([partial(way, found, *some) for some in rows_apart(len(table), table.size * WORK)])
        best = found.best.astype(np.float64)
        totals = found.sums.sum(axis=1, dtype=np.float64)
        broken = ~np.isfinite(best) | np.isnan(totals)
        best[broken], totals[broken], found.shifts[broken] = 0.0, 1.0, 0.0
        means = found.products.sum(axis=1, dtype=np.float64) / totals
        total = np.maximum(totals * np.exp(found.shifts - best), 1.0)
    entropy = np.maximum(np.log(totals) - np.where(broken, 0.0, means), 0.0)
    found.maxima[broken] = -math.inf
    keys = finding.keys() if finding is not None else ranked(found.table, found.maxima, found.rows, count)
    keys[broken] = NOTHING
    return Weighed(broken, best, total, entropy, found.maxima, keys)


def _compiled(code: Choosing, finding: Finding, found: _Sums, low: int, high: int) -> None:
    """Each row is ranked as soon as it is weighed."""
    space = finding.space(code)
    given = finding.given | {
        "low": low,
        "high": high,
        "space": address(space),
        "best": address(found.best),
        "sums": address(found.sums),
        "products": address(found.products),
    }
    code.look(*(given[name] for name in LOOKING))
    found.shifts[low:high] = found.best[low:high]


@np.errstate(invalid="ignore", over="ignore")
def _in_numpy(found: _Sums, low: int, high: int) -> None:
    vocabulary, line = found.table.shape[1], found.maxima.shape[1]
    whole = vocabulary - vocabulary % line
    shifted, weights = _scratch.rows(vocabulary)
    for index in range(low, high):
        row, sums, products = found.table[index], found.sums[index], found.products[index]
        best = found.best[index] = _fold(row, whole, found.maxima[index])
        if not math.isfinite(best):
            continue
        if not UNSHIFTED[0] < best < UNSHIFTED[1]:
            found.shifts[index] = best
            row = np.subtract(row, np.float32(best), out=shifted)
        np.exp(row, out=weights)
        _dots(weights, None, whole, sums)
        _dots(weights, row, whole, products)
        if math.isnan(products.sum()):  # a token that the model rules out: 0 times minus infinity
            np.copyto(shifted, row)
            shifted[weights == 0] = 0
            _dots(weights, shifted, whole, products)


def _fold(row: Logits, whole: int, maxima: Logits) -> float:
    """Fill in the largest of each column, the row laid out in as many columns. The largest of all is returned."""
    np.maximum.reduce(row[:whole].reshape(-1, maxima.size), axis=0, out=maxima)
    rest = row[whole:]
    if rest.size:
        np.maximum(maxima[: rest.size], rest, out=maxima[: rest.size])
    return float(np.maximum.reduce(maxima))


def _dots(a: Logits, b: Logits | None, whole: int, out: Logits) -> None:
    """The sums of `a`, or of its products with `b`, line by line."""
    line = whole // (out.size - (whole < a.size))
    factors = _ONES[:line] if b is None else b[:whole].reshape(-1, line)
    np.vecdot(a[:whole].reshape(-1, line), factors, out=out[: whole // line])
    if whole < a.size:
        out[-1] = np.vecdot(a[whole:], _ONES[: a.size - whole] if b is None else b[whole:])
