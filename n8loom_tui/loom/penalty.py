"""The repetition penalty (Keskar et al. 2019, arXiv:1909.05858): what tokens it acts on, and where it moves them.

It moves a few tokens of a row. So these are taken out of the model's own order and put in anew, and the row is not
looked through again. By compiled code, or in NumPy where there is none.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .draws import Draw
from .kernels.native import Choosing, choosing
from .kernels.workspace import address
from .ranking import NOTHING, Keys, Logits, Tokens, arranged, packed, unpacked

_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Recent:
    """The tokens that the penalty acts on, and their logits `before` and `after` it.

    Row `rows[i]` has said `tokens[i]`; sorted by rows and then by tokens, none twice.
    """

    rows: Tokens
    tokens: Tokens
    before: Logits
    after: Logits

    @classmethod
    def of(cls, table: Logits, rows: Tokens, draws: Sequence[Draw]) -> Recent:
        """What the draws ask for, one for each of these rows of a table of logits."""
        places = _places([draw.recent() for draw in draws])
        if not places.size:
            return _NONE
        penalties = np.array([draw.params.repetition_penalty for draw in draws], np.float32)
        code = choosing()
        if code is not None:
            return cls(*_looked_up(code, np.ascontiguousarray(table), rows, places, penalties))
        at, tokens = _apart(places, table.shape[1])
        before = table.reshape(-1).take(rows[at] * table.shape[1] + tokens)
        penalty = penalties[at]
        return cls(at, tokens, before, np.where(before < 0, before * penalty, before / penalty))

    def of_row(self, row: int) -> tuple[Tokens, Logits]:
        """The tokens of one row, and their logits with the penalty."""
        span = slice(*np.searchsorted(self.rows, (row, row + 1)))
        return self.tokens[span], self.after[span]

    def penalised(self, row: int, logits: Logits) -> Logits:
        """All logits of a row with the penalty."""
        tokens, after = self.of_row(row)
        if tokens.size:
            logits = logits.copy()
            logits[tokens] = after
        return logits

    def act(self, rows: Tokens, tokens: Tokens, logits: npt.NDArray[np.float64]) -> None:
        """Put the penalty on the logits of tokens of some rows, one each, in place."""
        if not self.rows.size:
            return
        known = _place(self.rows, self.tokens)
        wanted = _place(rows, tokens)
        nearest = np.minimum(np.searchsorted(known, wanted), known.size - 1)
        said = known[nearest] == wanted
        logits[said] = self.after[nearest[said]]

    def moved(self, keys: Keys, edges: Logits) -> Keys:
        """Rows of keys with the tokens of each at their new places; without those that fall to the row's edge.

        Above the edge none is missing. `NOTHING` stands behind the last.
        """
        code = choosing()
        keys = _moved(code, keys, edges, self) if code is not None else _moved_in_numpy(keys, edges, self)
        keys.sort(axis=1)
        return keys


_NONE = Recent(*(np.empty(0, np.int64),) * 2, *(np.empty(0, np.float32),) * 2)


def _place(rows: Tokens, tokens: Tokens) -> Keys:
    """A row and a token id in one number."""
    return (rows.astype(np.uint64) << _HALF) | tokens.astype(np.uint64)


def _places(spans: Sequence[Sequence[int]]) -> Keys:
    """All tokens that were said as places, sorted. What can't be a token id is the largest of all."""
    lengths = [len(span) for span in spans]
    if not any(lengths):
        return np.empty(0, np.uint64)
    said = np.frombuffer(b"".join([array("q", span) for span in spans]), np.uint64)
    places = np.arange(len(spans), dtype=np.uint64).repeat(lengths)
    places <<= _HALF
    places |= np.minimum(said, _LOW)
    places.sort()
    return places


def _apart(places: Keys, vocabulary: int) -> tuple[Tokens, Tokens]:
    """The rows and the token ids of sorted places, none twice, and none that is no token id."""
    new = np.ones(places.size, bool)
    np.not_equal(places[1:], places[:-1], out=new[1:])
    places = places[new & ((places & _LOW) < vocabulary)]
    return (places >> _HALF).astype(np.int64), (places & _LOW).astype(np.int64)


def _looked_up(
    code: Choosing, table: Logits, rows: Tokens, places: Keys, penalties: Logits
) -> tuple[Tokens, Tokens, Logits, Logits]:
    """The rows and the token ids of sorted places, and their logits before and after."""
    numbers, tokens = np.empty((2, places.size), np.int64)
    before, after = np.empty((2, places.size), np.float32)
    found = np.zeros(1, np.int64)
    taken = (rows, places, penalties, numbers, tokens, before, after, found)
    code.say(address(table), table.shape[1], places.size, *[address(part) for part in taken])
    count = int(found[0])
    return numbers[:count], tokens[:count], before[:count], after[:count]


def _moved(code: Choosing, keys: Keys, edges: Logits, recent: Recent) -> Keys:
    rows, width = keys.shape
    room = width + int(np.bincount(recent.rows).max(initial=0))
    moved, lengths = np.full((rows, room), NOTHING), np.full(rows, width)
    moved[:, :width] = keys
    taken = (keys, edges, recent.rows, recent.tokens, recent.before, recent.after, moved, lengths)
    code.move(
        recent.rows.size, width, keys.strides[0] // keys.itemsize, room, *[address(part) for part in taken]
    )
    return moved[:, : int(lengths.max())]


def _moved_in_numpy(keys: Keys, edges: Logits, recent: Recent) -> Keys:
    here = edges[recent.rows]
    places = _place(recent.rows, recent.tokens)[recent.before >= here]
    if places.size:
        _, tokens = unpacked(keys)
        own = _place(np.arange(len(keys))[:, None], tokens)
        nearest = places[np.minimum(np.searchsorted(places, own), places.size - 1)]
        keys = np.where(nearest == own, NOTHING, keys)
    high = recent.after > here
    moved = arranged(packed(recent.after[high], recent.tokens[high]), recent.rows[high], len(keys))
    return np.concatenate([keys, moved], axis=1)
