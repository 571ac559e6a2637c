"""The bars of a tree's picture: one for each stretch without a branch, as wide as the leaves below it, its level as low
as branches stand above it. Built in slices (`slices`); a picture of one moment.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from n8loom_tui.loom.heddle import Heddle

_OFTEN = 64
"""Nodes between two chances for a pause."""


class TreeMap:
    """The bars, each with a number, from top to bottom of the trees.

    Attributes:
        heads, tails: by bar, the first and the last node of its stretch.
        sizes: how many nodes are in it.
        parents: the bar that it hangs on; -1 for a root's.
        depths: its level, from 0 on.
        starts, leaves: the number of its first leaf, and how many it has.
        deepest: the lowest level of what is below it.
        marked: whether one of its nodes has a bookmark.
        levels: by level, its bars from left to right.
        places: by bar, which one of its level it is.
    """

    def __init__(self) -> None:
        self.heads: list[Heddle] = []
        self.tails: list[Heddle] = []
        self.sizes: list[int] = []
        self.parents: list[int] = []
        self.depths: list[int] = []
        self.starts: list[int] = []
        self.leaves: list[int] = []
        self.deepest: list[int] = []
        self.marked: list[bool] = []
        self.levels: list[list[int]] = []
        self.places: list[int] = []
        self.level_starts: list[list[int]] = []
        """By level, the first leaf of each bar."""
        self._of: dict[str, int] = {}

    @property
    def leaf_count(self) -> int:
        """The leaves of all trees."""
        return sum(self.leaves[bar] for bar in self.levels[0]) if self.levels else 0

    def build(self, roots: Iterable[Heddle]) -> Iterator[None]:
        """Take in trees."""
        yield from self._enter(roots)
        for last in range(len(self.heads) - 1, -1, -1024):
            self._sum_up(last, max(last - 1024, -1))
            yield

    def _enter(self, roots: Iterable[Heddle]) -> Iterator[None]:
        todo = list(roots)[::-1]
        hung, leaf, since = [-1] * len(todo), 0, 0
        while todo:
            head, parent = todo.pop(), hung.pop()
            tail, size, marked = head, 1, head.marks.bookmark
            while len(tail.children) == 1:
                tail = tail.children[0]
                size += 1
                marked = marked or tail.marks.bookmark
                if size % _OFTEN == 0:
                    yield
            bar = self._add(head, tail, size, parent, leaf, marked)
            if tail.children:
                todo += tail.children[::-1]
                hung += [bar] * len(tail.children)
            else:
                leaf += 1
            since += 1
            if since >= _OFTEN:
                since = 0
                yield

    def _add(self, head: Heddle, tail: Heddle, size: int, parent: int, leaf: int, marked: bool) -> int:
        bar = len(self.heads)
        depth = self.depths[parent] + 1 if parent >= 0 else 0
        if depth == len(self.levels):
            self.levels.append([])
            self.level_starts.append([])
        self.heads.append(head)
        self.tails.append(tail)
        self.sizes.append(size)
        self.parents.append(parent)
        self.depths.append(depth)
        self.starts.append(leaf)
        self.leaves.append(0 if tail.children else 1)
        self.deepest.append(depth)
        self.marked.append(marked)
        self.places.append(len(self.levels[depth]))
        self.levels[depth].append(bar)
        self.level_starts[depth].append(leaf)
        self._of[head.id] = bar
        return bar

    def _sum_up(self, last: int, before: int) -> None:
        """Count leaves and depth upward, from the last bars to the first."""
        parents, leaves, deepest = self.parents, self.leaves, self.deepest
        for bar in range(last, before, -1):
            parent = parents[bar]
            if parent >= 0:
                leaves[parent] += leaves[bar]
                deepest[parent] = max(deepest[parent], deepest[bar])

    # ---------------------------------------------------------------- looking

    def bar_of(self, node: Heddle | None) -> int | None:
        """The bar that a node is in."""
        while node is not None:
            bar = self._of.get(node.id)
            if bar is not None:
                return bar
            node = node.parent
        return None

    def path(self, bar: int) -> list[int]:
        """The bars from this one up to the root's."""
        found = []
        while bar >= 0:
            found.append(bar)
            bar = self.parents[bar]
        return found

    def within(self, bar: int, above: int) -> bool:
        """Whether a bar is another one, or below it. Below -1 are all."""
        if above < 0:
            return True
        inside = self.starts[above] <= self.starts[bar] < self.starts[above] + self.leaves[above]
        return inside and self.depths[bar] >= self.depths[above]

    def beside(self, bar: int, step: int) -> int:
        """The bar so many places to the right on the same level (to the left if negative), as far as there are any."""
        level = self.levels[self.depths[bar]]
        return level[min(max(self.places[bar] + step, 0), len(level) - 1)]

    def nearest(self, depth: int, leaf: int) -> int:
        """The bar of a level that stands above a leaf, or beside it."""
        place = bisect_left(self.level_starts[depth], leaf + 1) - 1
        return self.levels[depth][max(place, 0)]

    def at_leaf(self, depth: int, leaf: int) -> int | None:
        """The bar of a level that stands above a leaf."""
        starts = self.level_starts[depth]
        place = bisect_left(starts, leaf + 1) - 1
        if place < 0:
            return None
        bar = self.levels[depth][place]
        return bar if leaf < self.starts[bar] + self.leaves[bar] else None
