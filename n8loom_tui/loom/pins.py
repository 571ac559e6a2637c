"""What a store of fragments may not drop: what somebody goes on from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from weakref import WeakSet

from .radix import Edge, Mark, walk


class Pin:
    """Keeps what covers a path from being dropped, until `release`."""

    __slots__ = ("__weakref__", "_among", "_make_room", "_pinned")

    def __init__(
        self, pinned: Sequence[Edge | Mark], among: WeakSet[Pin], make_room: Callable[[int], None]
    ) -> None:
        """It is in `among` as long as it keeps anything; when it lets go `make_room(0)` drops what need not be kept."""
        self._among, self._make_room = among, make_room
        self._pinned = tuple(pinned)
        for item in self._pinned:
            item.pins += 1
        among.add(self)

    @property
    def pinned(self) -> Sequence[Edge | Mark]:
        """What it keeps: the last span of the path, with all above it, and a state."""
        return self._pinned

    def release(self) -> None:
        """Let it go. A second time does nothing."""
        self._among.discard(self)
        pinned, self._pinned = self._pinned, ()
        for item in pinned:
            (item.now() if isinstance(item, Edge) else item).pins -= 1
        if pinned:
            self._make_room(0)

    def __del__(self) -> None:
        self.release()


class Bound:
    """What may not be dropped: all that is pinned, and what further paths go on from."""

    def __init__(self, root: Edge, pins: Iterable[Pin]) -> None:
        self._root = root
        self._edges: set[Edge] = set()
        self.nbytes = 0
        for pin in pins:
            for item in pin.pinned:
                if isinstance(item, Mark) and item.state is not None:
                    self.nbytes += item.state.nbytes
                self._add(item.now() if isinstance(item, Edge) else item.edge)

    def _add(self, edge: Edge | None) -> None:
        while edge is not None and edge not in self._edges:
            self._edges.add(edge)
            self.nbytes += edge.fragment.nbytes if edge.fragment is not None else 0
            edge = edge.parent

    def cost(self, path: Sequence[int]) -> tuple[int, int]:
        """How many tokens of a path are held, and how many bytes more may not be dropped if it is added."""
        covered = more = 0
        for edge, position, length in walk(self._root, path):
            covered = position + length
            if edge not in self._edges and edge.fragment is not None:
                more += edge.fragment.nbytes
        return covered, more

    def add(self, path: Sequence[int]) -> None:
        """Count what is held of a path as well."""
        for edge, _, _ in walk(self._root, path):
            self._add(edge)
