"""How many nodes stand below each. No user interface in here."""

from __future__ import annotations

from collections.abc import Mapping

from n8loom_tui.loom.heddle import Heddle


class Below:
    """Counts of nodes. Each is made once, until something changes below."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def count(self, node: Heddle) -> int:
        """How many nodes stand below this one."""
        known = self._known.get(node.id)
        if known is None:
            known, stack = 0, list(node.children)
            while stack:
                child = stack.pop()
                known += 1
                counted = self._known.get(child.id)
                if counted is None:
                    stack.extend(child.children)
                else:
                    known += counted
            self._known[node.id] = known
        return known

    def take(self, counts: Mapping[str, int]) -> None:
        """Take it from somebody how many nodes stand below some, by their ids."""
        self._known.update(counts)

    def changed(self, node: Heddle) -> None:
        """Nodes came or went below this one."""
        if self._known:
            for above in node.ancestors():
                self._known.pop(above.id, None)

    def clear(self) -> None:
        """Forget all counts."""
        self._known.clear()
