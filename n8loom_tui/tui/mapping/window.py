"""What of a tree's picture falls on which cell, for a part of the tree and a size in cells. Knows no widget."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from .layout import TreeMap

MOST_LINES = 8
"""A level gets no more lines than this, however much room there is."""


@dataclass(frozen=True, slots=True)
class Run:
    """What stands in some cells of a row: a bar (the whole of it, or what of it follows a crowded cell), or one cell
    with several bars that begin there and are narrower than a cell.

    `first` and `last` are the bars' places in their level (`last` not included); `depth` is the level, the first one
    if the row has several. `count` is how many bars there are.
    """

    x: int
    width: int
    depth: int
    first: int
    last: int
    count: int


class Window:
    """The part of a map that is below a bar (-1: all of it), fitted into `width` times `height` cells."""

    def __init__(self, tree: TreeMap, top: int, width: int, height: int) -> None:
        self.tree = tree
        self.top = top
        self.width = max(width, 1)
        self.first_leaf = tree.starts[top] if top >= 0 else 0
        self.leaves = max(tree.leaves[top] if top >= 0 else tree.leaf_count, 1)
        self.first_level = tree.depths[top] if top >= 0 else 0
        lowest = tree.deepest[top] if top >= 0 else len(tree.levels) - 1
        self.depth = lowest - self.first_level + 1
        height = max(height, 1)
        self.lines = max(min(height // max(self.depth, 1), MOST_LINES), 1)
        """How many lines a level has."""
        self.levels = max(-(-self.depth // height), 1)
        """How many levels share a line, if there are more than lines."""
        self._rows: dict[int, list[Run]] = {}

    def level_of(self, y: int) -> int | None:
        """The level (the first of several) that line `y` shows."""
        level = y // self.lines * self.levels
        return self.first_level + level if level < self.depth else None

    def line_of(self, depth: int) -> int:
        """The first line of a level."""
        return (depth - self.first_level) // self.levels * self.lines

    def column(self, leaf: int) -> int:
        """The cell in which a leaf begins."""
        return (leaf - self.first_leaf) * self.width // self.leaves

    def leaf_at(self, x: int) -> int:
        """The first leaf that begins in a cell or behind it."""
        return self.first_leaf + -(-x * self.leaves // self.width)

    def row(self, y: int) -> list[Run]:
        """What stands on line `y`, from left to right."""
        depth = self.level_of(y)
        if depth is None:
            return []
        known = self._rows.get(depth)
        if known is None:
            known = list(self._one_level(depth) if self.levels == 1 else self._many_levels(depth))
            self._rows[depth] = known
        return known

    def _one_level(self, depth: int) -> Iterator[Run]:
        starts = self.tree.level_starts[depth]
        first, end = bisect_left(starts, self.first_leaf), bisect_left(starts, self.first_leaf + self.leaves)
        while first < end:
            x = self.column(starts[first])
            last = bisect_left(starts, self.leaf_at(x + 1), first, end)
            width = self._end(depth, last - 1) - x  # of the last one that begins here
            crowded = last - first > 1 or width <= 0
            if crowded:
                yield Run(x, 1, depth, first, last, last - first)
                x, width = x + 1, width - 1
            if width > 0:
                yield Run(x, width, depth, last - 1, last, 1)
            first = last

    def _end(self, depth: int, place: int) -> int:
        """The cell behind a bar."""
        bar = self.tree.levels[depth][place]
        return self.column(self.tree.starts[bar] + self.tree.leaves[bar])

    def _many_levels(self, depth: int) -> Iterator[Run]:
        """How many bars begin or go on in each cell, over several levels."""
        counts = [0] * (self.width + 1)
        for level in range(depth, min(depth + self.levels, self.first_level + self.depth)):
            for run in self._one_level(level):
                counts[run.x] += run.count
                for x in range(run.x + 1, min(run.x + run.width, self.width)):
                    counts[x] += 1
        for x, count in enumerate(counts[: self.width]):
            if count:
                yield Run(x, 1, depth, 0, 0, count)

    def holds(self, run: Run, bar: int) -> bool:
        """Whether a bar is in a run, or a part of it."""
        if self.levels == 1:
            return self.tree.depths[bar] == run.depth and run.first <= self.tree.places[bar] < run.last
        if not run.depth <= self.tree.depths[bar] < run.depth + self.levels:
            return False
        start = self.column(self.tree.starts[bar])
        end = self.column(self.tree.starts[bar] + self.tree.leaves[bar])
        return start <= run.x < max(end, start + 1)
