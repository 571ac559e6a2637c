"""What rows that join a batch share with those that run, and among themselves: levels, and who copies what.

A level is a span of path tokens that is held once for all rows below it. It costs some calls at every step,
however short it is; a span that is copied into the rows' own columns is read once per row. Both are counted in
tokens that a step reads:

- a level of `T` tokens costs `T + overhead`, whoever reads it;
- a span of `T` tokens in the own columns of `R` rows costs `R · T`. As own columns are as wide as the widest
  row's, every other row of the batch reads as many.

`overhead` is measured (see `Batch`). A chain of levels covers a path from its beginning; the rest is copied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import mlx.core as mx

from .columns import Pair
from .radix import Piece, common_length

COPY_WIDTH = 512
"""No more tokens than this are copied for a row: copying delays its first token, and takes memory."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class Level:
    """A span of path tokens that the rows below it share: path positions `start` to `stop`.

    `lent`: the piece of what the store holds that has their keys and values; None where they are the level's own.
    """

    parent: Level | None
    start: int
    tokens: list[int]
    _pairs: list[Pair] = field(default_factory=list, repr=False)
    lent: Piece | None = field(default=None, repr=False)

    @property
    def stop(self) -> int:
        """The path position behind its last token."""
        return self.start + len(self.tokens)

    @property
    def pairs(self) -> list[Pair]:
        """Keys `[kv_heads, tokens, head_dim]` and values of each leaf that has any."""
        if self.lent is not None and not self._pairs:
            self._pairs = self.lent.pairs()
        return self._pairs

    def borrow(self, piece: Piece) -> None:
        """Have its keys and values where the store holds them."""
        self._pairs, self.lent = [], piece

    def own(self, pairs: list[Pair]) -> None:
        """Have keys and values of its own."""
        self._pairs, self.lent = pairs, None

    @property
    def nbytes(self) -> int:
        """Size in bytes, whosever they are."""
        if self.lent is not None:
            return self.lent.nbytes
        return sum(keys.nbytes + values.nbytes for keys, values in self._pairs)

    def chain(self) -> list[Level]:
        """The levels from the root down to this one."""
        chain: list[Level] = []
        level: Level | None = self
        while level is not None:
            chain.append(level)
            level = level.parent
        return chain[::-1]

    def split(self, tokens: int) -> Level:
        """Cut it after so many tokens: what is behind them stays this level. Returns the new one above it.

        What is not lent is copied, so that neither keeps the other's memory.
        """
        upper = Level(self.parent, self.start, self.tokens[:tokens])
        if self.lent is not None:
            upper.borrow(self.lent.among(0, tokens))
            self.borrow(self.lent.among(tokens, len(self.tokens)))
        else:
            above = [_copied(pair, 0, tokens) for pair in self._pairs]
            below = [_copied(pair, tokens, len(self.tokens)) for pair in self._pairs]
            mx.eval(above, below)
            upper.own(above)
            self.own(below)
        self.tokens, self.start, self.parent = self.tokens[tokens:], self.start + tokens, upper
        return upper


def _copied(pair: Pair, start: int, stop: int) -> Pair:
    keys, values = (mx.contiguous(part[:, start:stop]) for part in pair)
    return keys, values


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rows that are to join: what of their path is read already, and how many rows they are."""

    path: Sequence[int]
    rows: int


@dataclass(frozen=True, slots=True)
class Running:
    """The batch that they join: its levels, how many rows it has, and how many own columns they use."""

    levels: Sequence[Level] = ()
    rows: int = 0
    width: int = 0


@dataclass(slots=True)
class Plan:
    """How rows join: `below[i]` is the deepest level of the i-th wanted; what is behind it is copied.

    `new`: the levels to be made, parents first, each with the index of a wanted whose path runs through it.
    """

    below: list[Level | None]
    new: list[tuple[Level, int]] = field(default_factory=list)


def plan(wanted: Sequence[Wanted], running: Running, overhead: int, *, trial: bool = False) -> Plan:
    """Decide what is shared. Held levels are split where paths part, if that pays.

    For a `trial` nothing is touched; the plan then names levels that are not there.
    """
    planner = _Planner(wanted, running, overhead, trial)
    planner.place(None, 0, range(len(wanted)))
    planner.settle()
    return planner.plan


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is left of a path behind its levels; `members` are the wanted with this path."""

    members: list[int]
    parent: Level | None
    start: int
    length: int


class _Planner:
    """Goes down all wanted paths at once, as a trie, along with the levels that are held."""

    def __init__(self, wanted: Sequence[Wanted], running: Running, overhead: int, trial: bool) -> None:
        self._wanted = wanted
        self._running = running
        self._overhead = overhead
        self._trial = trial
        self._rests: list[_Rest] = []
        self._children: dict[Level | None, dict[int, list[Level]]] = defaultdict(lambda: defaultdict(list))
        for level in running.levels:
            self._children[level.parent][level.tokens[0]].append(level)
        self.plan = Plan([None] * len(wanted))

    def place(self, parent: Level | None, start: int, members: Iterable[int]) -> None:
        """Place wanted whose paths are covered by `parent` and its chain, up to `start`."""
        for token, group in self._parted(start, members).items():
            if token is None:
                for index in group:
                    self.plan.below[index] = parent
            else:
                held = self._best(self._children[parent][token], start, group)
                self._descend(parent, start, start, group, held)

    def _parted(self, position: int, members: Iterable[int]) -> dict[int | None, list[int]]:
        """Members by their token at a position; None for those whose path ends there."""
        parts: dict[int | None, list[int]] = {}
        for index in members:
            path = self._wanted[index].path
            parts.setdefault(path[position] if position < len(path) else None, []).append(index)
        return parts

    def _best(self, levels: list[Level], start: int, group: list[int]) -> Level | None:
        """The level that agrees longest with the first of a group. Copies may make several begin alike."""
        path = self._wanted[group[0]].path
        return max(levels, key=lambda level: common_length(path, level.tokens, start), default=None)

    def _descend(
        self, parent: Level | None, start: int, position: int, members: list[int], held: Level | None
    ) -> None:
        """Go on to where members part, from each other or from `held`, a level that begins at `start`.

        What stands between `start` and there is made a level, or left pending with what follows.
        """
        stop = self._together(position, members)
        if held is not None:
            path = self._wanted[members[0]].path
            stop = min(stop, position + common_length(path, held.tokens[position - start :], position))
        if held is not None and stop == held.stop:
            self.place(held, stop, members)
            return
        rows, span = sum(self._wanted[index].rows for index in members), stop - start
        if held is not None and rows * span > self._overhead:
            self.place(self._split(held, span), stop, members)
        elif held is None and (rows - 1) * span > self._overhead:
            self.place(self._make(parent, start, stop, members[0]), stop, members)
        else:
            onward = held.tokens[span] if held is not None else None  # before a group of these splits it
            for token, group in self._parted(stop, members).items():
                if token is None:
                    self._rests.append(_Rest(group, parent, start, span))
                else:
                    self._descend(parent, start, stop, group, held if token == onward else None)

    def _split(self, held: Level, tokens: int) -> Level:
        """Cut a level after so many tokens. Returns the part above, with the other below it."""
        if self._trial:
            upper = Level(held.parent, held.start, held.tokens[:tokens])
            held = Level(upper, upper.stop, held.tokens[tokens:])
        else:
            upper = held.split(tokens)
        self._children[upper][held.tokens[0]].append(held)
        return upper

    def _together(self, position: int, members: list[int]) -> int:
        """Up to where the members' paths agree."""
        first = self._wanted[members[0]].path
        stop = len(first)
        for index in members[1:]:
            stop = min(stop, position + common_length(first, self._wanted[index].path[position:], position))
        return stop

    def _make(self, parent: Level | None, start: int, stop: int, index: int) -> Level:
        level = Level(parent, start, list(self._wanted[index].path[start:stop]))
        self.plan.new.append((level, index))
        return level

    def settle(self) -> None:
        """Copy the short rests, and make levels of the long ones, at the width that costs the least."""
        rows = self._running.rows + sum(wanted.rows for wanted in self._wanted)

        def cost(width: int) -> int:
            levels = sum(rest.length + self._overhead for rest in self._rests if rest.length > width)
            return rows * max(width, self._running.width) + levels

        widths = {rest.length for rest in self._rests if rest.length <= COPY_WIDTH}
        best = min(sorted({0, *widths}), key=cost)
        for rest in self._rests:
            level = rest.parent
            if rest.length > best:
                level = self._make(rest.parent, rest.start, rest.start + rest.length, rest.members[0])
            for index in rest.members:
                self.plan.below[index] = level
