"""Which child of each node was visited last. No user interface in here."""

from __future__ import annotations

from collections.abc import Mapping

from n8loom_tui.loom.heddle import Heddle

MOST = 4096
"""Of how many nodes it is told, to be stored."""


class Visited:
    """The children visited last, by id."""

    def __init__(self) -> None:
        self._child: dict[str, str] = {}

    def note(self, parent: Heddle, child: Heddle) -> None:
        """A child was visited."""
        if len(parent.children) > 1:
            self._child.pop(parent.id, None)  # the latest ones stand last
            self._child[parent.id] = child.id

    def child(self, node: Heddle) -> Heddle | None:
        """The child that was visited last, else the first; None for a leaf."""
        name, first = self._child.get(node.id), node.children[0] if node.children else None
        return next((child for child in node.children if child.id == name), first) if name else first

    def told(self, nodes: Mapping[str, Heddle]) -> dict[str, str]:
        """By a node's id the id of that child, where it is not the first: for the nodes where it was noted last."""
        found: dict[str, str] = {}
        for name, child in reversed(self._child.items()):
            node = nodes.get(name)
            if node is not None and node.children and node.children[0].id != child:
                found[name] = child
                if len(found) == MOST:
                    break
        return dict(reversed(found.items()))

    def restore(self, told: Mapping[str, str]) -> None:
        """Take up what was told."""
        self._child.update(told)
