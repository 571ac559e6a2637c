"""Other views of what is at the cursor, on screens of their own."""

from __future__ import annotations

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError
from n8loom_tui.tui.screens.side_by_side import SideBySide


class Views(Part):
    """Other views of what is at the cursor, on screens of their own."""

    def do_children_side_by_side(self, _count: int | None) -> None:
        node = self._node()
        if not node.children:
            raise EditError(f"Nothing below yet: {self._app.keymap.label('ramify')} grows branches here.")

        def chosen(child: Heddle | None) -> None:
            if child is not None:
                self._attempt(lambda: self._go_there(child))

        self._app.push_screen(SideBySide(self._app.document, node, self._app.keymap), chosen)

    def _go_there(self, node: Heddle) -> None:
        self._see_there(node)
        self._app.view.go_to(node)
