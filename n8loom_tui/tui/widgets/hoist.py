"""What of the trees is shown: all of them, or what hangs at a node that was hoisted, level by level. No user interface
in here."""

from __future__ import annotations

from collections.abc import Iterable

from n8loom_tui.loom.heddle import Heddle


class Hoist:
    """The trees, and the nodes that were hoisted, the innermost last.

    Attributes:
        roots: all trees.
        levels: each node stands below the one before.
    """

    def __init__(self) -> None:
        self.roots: list[Heddle] = []
        self.levels: list[Heddle] = []

    @property
    def shown(self) -> list[Heddle]:
        """The roots of what is shown."""
        return self.levels[-1:] or self.roots

    @property
    def top(self) -> Heddle | None:
        """The node that is hoisted; None: all is shown."""
        return self.levels[-1] if self.levels else None

    def down(self, node: Heddle) -> bool:
        """Show only this node and what is below it. False if nothing would change by that."""
        if node is self.top or (len(self.roots) == 1 and node is self.roots[0] and not self.levels):
            return False
        self.levels.append(node)
        return True

    def restore(self, nodes: Iterable[Heddle]) -> None:
        """Hoist these nodes as they were when they were last seen."""
        self.levels = list(nodes)
        self.settle()

    def reach(self, node: Heddle) -> bool:
        """Go back as many levels as it takes for a node to be among what is shown. Whether it took any."""
        if not self.levels:
            return False
        above = {over.id for over in node.ancestors()}
        if above.isdisjoint(root.id for root in self.roots):
            return False
        kept = next((i for i, level in enumerate(self.levels) if level.id not in above), len(self.levels))
        gone = kept < len(self.levels)
        del self.levels[kept:]
        return gone

    def settle(self) -> bool:
        """Go back from what stands no more where it stood: in these trees, below the level before. Whether there was
        such a thing."""
        if not self.levels:
            return False
        before = len(self.levels)
        roots = {root.id for root in self.roots}
        kept: list[Heddle] = []
        for level in self.levels:
            above = [over.id for over in level.ancestors()]
            if above[-1] not in roots or (kept and kept[-1].id not in above):
                break
            kept.append(level)
        self.levels = kept
        return len(kept) < before
