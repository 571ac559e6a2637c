"""What levels are made of: pieces that the store lends as they lie there, so that whoever joins need not wait for a
copy. Short ones are folded into longer ones afterwards, some keys and values at every step.

It knows nothing of rows but which levels have the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import mlx.core as mx

from .columns import Pair
from .radix import Piece
from .sharing import Level

FOLDED_TOKENS = 1024
"""Levels are not folded into longer ones than this: the cost of another level is little beside reading so many."""
FOLDED_BYTES = 4 << 20
"""How much is folded in a step."""
SHORT = 4
"""Pieces shorter than this part of what a level costs are put together at once, if there are several in a row."""


def without_end(level: Level, pieces: Sequence[Piece], overhead: int, rows: int) -> Sequence[Piece]:
    """Leave the short pieces at a new level's end away from it, if it costs less that so many rows copy them."""
    end = list(itertools.takewhile(lambda piece: len(piece) < overhead // SHORT, reversed(pieces)))
    length = sum(map(len, end))
    if not length or len(end) == len(pieces) or 2 * length * rows > overhead:
        return pieces
    level.tokens = level.tokens[:-length]
    return pieces[: -len(end)]


def fill(level: Level, pieces: Sequence[Piece], overhead: int) -> None:
    """Give a new level its keys and values. It becomes the lowest of a chain, one level for each long piece."""
    at = level.start
    stop = level.stop
    for part in _parts(pieces, overhead):
        length = sum(map(len, part))
        if at + length == stop:
            level.tokens, level.start = level.tokens[at - level.start :], at
            target = level
        else:
            offset = at - level.start
            target = Level(level.parent, at, level.tokens[offset : offset + length])
            level.parent = target
        _give(target, part)
        at += length


def copied(pieces: Sequence[Piece], overhead: int) -> int:
    """How many tokens of a new level's pieces are put together in memory of its own; the others are lent."""
    return sum(sum(map(len, part)) for part in _parts(pieces, overhead) if len(part) > 1)


def _parts(pieces: Sequence[Piece], overhead: int) -> Iterator[list[Piece]]:
    """Pieces as levels are made of them: each long one by itself, short ones in a row together."""
    short = overhead // SHORT
    for is_short, group in itertools.groupby(pieces, lambda piece: len(piece) < short):
        run = list(group)
        yield from [run] if is_short else [[piece] for piece in run]


def _give(level: Level, pieces: Sequence[Piece]) -> None:
    """One piece is lent; several are put together in memory of the level's own."""
    (lent, *others) = pieces
    if not others:
        level.borrow(lent)
        return
    fragment = Piece.fused(pieces)
    level.own(Piece(lent.edge, fragment, 0, len(fragment)).pairs())


def size(levels: Iterable[Level]) -> int:
    """The bytes of levels, without what the store has lent and still holds."""
    total = 0
    alone: dict[int, int] = {}
    for level in levels:
        if level.lent is None:
            total += level.nbytes
        elif not level.lent.kept:
            alone[id(level.lent.fragment)] = level.lent.fragment.nbytes
    return total + sum(alone.values())


class Place(Protocol):
    """A level, and from which row to which it is shared."""

    @property
    def level(self) -> Level: ...
    @property
    def low(self) -> int: ...
    @property
    def high(self) -> int: ...


@dataclass(slots=True)
class _Fold:
    """Two levels, and what is folded of them so far."""

    upper: Level
    lower: Level
    tokens: int
    pairs: list[Pair] = field(default_factory=list)


class Folder:
    """Folds short levels of the same rows together, a little at every step."""

    def __init__(self) -> None:
        self._fold: _Fold | None = None

    @property
    def nbytes(self) -> int:
        """What is folded and not in use yet."""
        pairs = self._fold.pairs if self._fold is not None else []
        return sum(keys.nbytes + values.nbytes for keys, values in pairs)

    def step(self, places: Sequence[Place], overhead: int, room: int) -> bool:
        """Fold some more. Returns whether two levels became one: the upper one's place is gone then.

        What is begun takes no more than `room` bytes.
        """
        self.arranged(places)
        if self._fold is None:
            self._fold = self._next(places, overhead, room)
        fold = self._fold
        if fold is None:
            return False
        done = 0
        while len(fold.pairs) < len(fold.lower.pairs) and done < FOLDED_BYTES:
            above, below = fold.upper.pairs[len(fold.pairs)], fold.lower.pairs[len(fold.pairs)]
            keys, values = (
                mx.concatenate([a, b], axis=1) if a.size else b for a, b in zip(above, below, strict=True)
            )
            fold.pairs.append((keys, values))
            done += keys.nbytes + values.nbytes
        mx.eval(fold.pairs)
        if len(fold.pairs) < len(fold.lower.pairs):
            return False
        self._fold = None
        upper, lower = fold.upper, fold.lower
        lower.tokens, lower.start, lower.parent = upper.tokens + lower.tokens, upper.start, upper.parent
        lower.own(fold.pairs)
        return True

    def arranged(self, places: Sequence[Place]) -> None:
        """Rows came or went: what is begun is dropped if it makes no sense any more."""
        if self._fold is not None and not self._stands(self._fold, places):
            self._fold = None

    @staticmethod
    def _pairs_of(places: Sequence[Place]) -> Iterable[tuple[Level, Level]]:
        """Levels with the one below, where both have the same rows."""
        spans = {place.level: (place.low, place.high) for place in places}
        for level, span in spans.items():
            if level.parent is not None and spans.get(level.parent) == span:
                yield level.parent, level

    def _stands(self, fold: _Fold, places: Sequence[Place]) -> bool:
        """Whether the two are still what they were when it was begun."""
        same = len(fold.upper.tokens) + len(fold.lower.tokens) == fold.tokens
        return same and any(
            upper is fold.upper and lower is fold.lower for upper, lower in self._pairs_of(places)
        )

    def _next(self, places: Sequence[Place], overhead: int, room: int) -> _Fold | None:
        """The two that cost the least to fold, if that is of use."""
        best: _Fold | None = None
        for upper, lower in self._pairs_of(places):
            lengths = len(upper.tokens), len(lower.tokens)
            total = sum(lengths)
            fits = total <= FOLDED_TOKENS and upper.nbytes + lower.nbytes <= room
            if min(lengths) < overhead and fits and (best is None or total < best.tokens):
                best = _Fold(upper, lower, total)
        return best
