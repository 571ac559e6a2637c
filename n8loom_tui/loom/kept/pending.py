"""What is in memory and may not be on disk yet: the newest first, no more than the disk may hold.

It finds the first span of an item's path that is missing on disk, so that nothing is written that hangs in the air.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from n8loom_tui.loom.radix import Edge, Mark

ITEMS = 1 << 14
"""How many are remembered at most."""


class Pending:
    """Spans and states of a store."""

    def __init__(self, limit: int) -> None:
        """`limit`: in bytes; the oldest are forgotten beyond it."""
        self._limit = limit
        self._items: dict[Edge | Mark, int] = {}
        self._nbytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Edge | Mark) -> None:
        """Something is new, or has changed."""
        held = item.fragment if isinstance(item, Edge) else item.state
        if held is None:
            return
        self.drop(item)
        self._items[item] = held.nbytes
        self._nbytes += held.nbytes
        while len(self._items) > 1 and (self._nbytes > self._limit or len(self._items) > ITEMS):
            self.drop(next(iter(self._items)))

    def drop(self, item: Edge | Mark) -> None:
        """Forget one. Does nothing if it is not there."""
        self._nbytes -= self._items.pop(item, 0)

    def newest(self) -> Edge | Mark | None:
        """What came last."""
        return next(reversed(self._items), None)


@dataclass(frozen=True, slots=True)
class Lineage:
    """The spans from the root of a path down to one of them, and the position that each begins at.

    `path` are their token ids, or those down to a state.
    """

    edges: list[Edge]
    starts: list[int]
    path: list[int]

    @staticmethod
    def of(item: Edge | Mark) -> Lineage | None:
        """That of a span or state; None if it is not held any more."""
        edge: Edge | None = item if isinstance(item, Edge) else item.edge
        edges: list[Edge] = []
        while edge is not None and edge.parent is not None:
            if edge.fragment is None:
                return None
            edges.append(edge)
            edge = edge.parent
        edges.reverse()
        starts = list(accumulate((len(edge.tokens) for edge in edges[:-1]), initial=0)) if edges else []
        path = [token for edge in edges for token in edge.tokens]
        if isinstance(item, Mark):
            at = next((at for at, mark in item.edge.marks.items() if mark is item), None)
            if item.state is None or at is None or not edges:
                return None
            path = path[: starts[-1] + at]
        return Lineage(edges, starts, path) if path else None

    def holding(self, position: int) -> tuple[Edge, int]:
        """The span that holds the token at a position, and where it begins."""
        index = max(i for i, start in enumerate(self.starts) if start <= position)
        return self.edges[index], self.starts[index]
