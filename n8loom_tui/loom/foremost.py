"""The most probable tokens of rows of logits, as keys, best first. By compiled code, or in NumPy where there is none.

Nothing here sorts a vocabulary. The largest logits of a row's columns lead to a threshold that as many tokens reach as
are wanted, and hardly more, and to where these are.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .kernels.native import Choosing, choosing, interface
from .kernels.workspace import address
from .ranking import Keys, Logits, Tokens, arranged, packed

COLUMNS = 4
"""In so many times as many columns as tokens are wanted a row is folded, if it has them: few tokens share one then."""
ROOM = 2
"""How many times as many tokens as are wanted may reach the threshold, if compiled code is to find them."""
LEAST_ROOM = 128
"""But so many in any case: equal logits are no rare thing in models of 16-bit floats."""
_LEAST = np.finfo(np.float32).min


class Finding:
    """What compiled code finds of some rows, while it does. Threads may fill in shares of the rows.

    Attributes:
        given: what `RANKING` takes of it, by name, but for the rows and `space`.
    """

    def __init__(self, table: Logits, maxima: Logits, rows: Tokens, count: int) -> None:
        """`table`, contiguous: `[all rows, vocabulary]`. `maxima`: the largest of their columns. `rows`: which."""
        self._table, self._maxima, self._rows, self._count = table, maxima, rows, count
        self._room = max(count * ROOM, LEAST_ROOM)
        self._keys = np.empty((rows.size, self._room), np.uint64)
        self._found = np.empty(rows.size, np.int64)
        line = maxima.shape[1]
        self.given = {
            "table": address(table),
            "size": table.shape[1],
            "rows": address(rows),
            "line": line,
            "maxima": address(maxima),
            "count": count,
            "columns": folded_columns(line, count),
            "keys": address(self._keys),
            "room": self._room,
            "found": address(self._found),
        }

    def space(self, code: Choosing) -> npt.NDArray[np.float32]:
        """Room for one thread."""
        return np.empty(interface.ranking_room(code.machine, self.given["line"], self._room), np.float32)

    def rank(self, code: Choosing) -> None:
        """Find the tokens of all rows. That is what is to be done before `keys`."""
        space = self.space(code)
        given = self.given | {"low": 0, "high": self._rows.size, "space": address(space)}
        code.rank(*(given[name] for name in interface.RANKING))

    def keys(self) -> Keys:
        """The keys, as `ranked` gives them."""
        most = int(self._found.max(initial=0))
        keys = self._keys[:, :most]
        if most > interface.SORTED:
            keys.sort(axis=1)
        for row in np.flatnonzero(self._found > self._room):
            some = _in_numpy(self._table, self._maxima, self._rows[row : row + 1], self._count)
            keys[row, : some.shape[1]] = some
        return keys[:, : self._count]


def ranked(table: Logits, maxima: Logits, rows: Tokens, count: int) -> Keys:
    """The `count` most probable tokens of some rows, best first, as keys, `[rows, up to count]`.

    `NOTHING` stands where there is no further token that the model does not rule out.

    Args:
        table: `[all rows, vocabulary]`.
        maxima: all rows laid out in as many columns, the largest logit of each column, `[all rows, columns]`.
    """
    code = choosing()
    if code is None:
        return _in_numpy(table, maxima, rows, count)
    finding = Finding(np.ascontiguousarray(table), maxima, np.ascontiguousarray(rows), count)
    finding.rank(code)
    return finding.keys()


def folded_columns(line: int, count: int) -> int:
    """In how many of `line` columns a row is folded for so many tokens."""
    columns = line
    while columns % 2 == 0 and columns // 2 >= count * COLUMNS:
        columns //= 2
    return columns


def _in_numpy(table: Logits, maxima: Logits, rows: Tokens, count: int) -> Keys:
    maxima = maxima[rows]
    edges = np.maximum(_reached(maxima, count, table.shape[1]), _LEAST)
    keys = _reaching(table, rows, maxima, edges)
    keys.sort(axis=1)
    return keys[:, :count]


def _reaching(table: Logits, rows: Tokens, maxima: Logits, edges: Logits) -> Keys:
    """The tokens of some rows that reach their edges, as keys, `[rows, most]`."""
    vocabulary, line = table.shape[1], maxima.shape[1]
    at, columns = np.divmod(np.flatnonzero(maxima >= edges[:, None]), line)
    lines = np.arange(0, vocabulary, line)
    places = (rows[at] * vocabulary + columns)[:, None] + lines
    logits = table.reshape(-1).take(places, mode="clip")
    reaching = logits >= edges[at][:, None]
    if vocabulary % line:
        reaching[columns >= vocabulary % line, -1] = False
    found = np.flatnonzero(reaching)
    column, row_line = np.divmod(found, lines.size)
    tokens = columns[column] + row_line * line
    return arranged(packed(logits.reshape(-1)[found], tokens), at[column], rows.size)


def _reached(maxima: Logits, count: int, vocabulary: int) -> Logits:
    """A value of each row that at least `count` of its tokens reach, and not many more: that many columns have one.

    Minus infinity where that is not to be found so, or the vocabulary is smaller.
    """
    rows, columns = maxima.shape
    if count >= vocabulary or count > columns:
        return np.full(rows, -math.inf, np.float32)
    maxima = maxima.reshape(rows, -1, folded_columns(columns, count)).max(axis=1)
    place = maxima.shape[1] - count
    return np.partition(maxima, place, axis=1)[:, place].copy()
