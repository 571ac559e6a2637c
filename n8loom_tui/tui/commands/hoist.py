"""Showing a part of the tree as if it were all of it, and going back."""

from __future__ import annotations

from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError


class Hoist(Part):
    """Showing a part of the tree as if it were all of it."""

    def do_hoist(self, _count: int | None) -> None:
        if not self._tree.hoist(self._node()):
            raise EditError("This is the first node of what is shown already.")

    def do_unhoist(self, _count: int | None) -> None:
        if not self._tree.unhoist():
            raise EditError("All of the tree is shown.")
