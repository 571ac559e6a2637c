"""The nodes that a person has marked, to do something to all of them at once. They are not stored in the session."""

from __future__ import annotations

from collections.abc import Iterable

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.document import Document


class MarkedSet:
    """A set of nodes of a document. Those that leave the trees leave it, until they are back.

    Attributes:
        ids: the ids of all that was marked, whether it is in the trees or not.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self.ids: set[str] = set()
        self._count: int | None = 0

    def __len__(self) -> int:
        """How many of the marked nodes are in the trees."""
        if self._count is None:
            nodes = self._document.nodes
            self._count = sum(name in nodes for name in self.ids)
        return self._count

    def nodes(self) -> list[Heddle]:
        """The marked nodes that are in the trees, from top to bottom."""
        if not len(self):
            return []
        return [node for node in self._document.in_order() if node.id in self.ids]

    def leaves(self, node: Heddle) -> list[Heddle]:
        """The leaves at or below the marked nodes, each once; if nothing is marked, those of `node`."""
        found: dict[str, Heddle] = {}
        stack = self.nodes()[::-1] or [node]
        seen: set[str] = set()
        while stack:
            here = stack.pop()
            if here.id not in seen:
                seen.add(here.id)
                stack.extend(reversed(here.children))
                if not here.children:
                    found[here.id] = here
        return list(found.values())

    def toggle(self, node: Heddle) -> None:
        """Mark a node, or take its mark away."""
        self.ids ^= {node.id}
        self.trees_changed()

    def add(self, nodes: Iterable[Heddle]) -> int:
        """Mark nodes. Returns how many were not marked before."""
        before = len(self.ids)
        self.ids.update(node.id for node in nodes)
        self.trees_changed()
        return len(self.ids) - before

    def clear(self) -> None:
        """Mark nothing."""
        self.ids.clear()
        self.trees_changed()

    def trees_changed(self) -> None:
        """Nodes came or went: who is here is counted anew when it is asked for."""
        self._count = None
