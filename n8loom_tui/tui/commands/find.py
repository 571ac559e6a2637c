"""What finds a node: by its marks, its text, its place."""

from __future__ import annotations

from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError


class Find(Part):
    """What finds a node: by its marks, its text, its place."""

    def _go_bookmark(self, step: int) -> None:
        """Go on by bookmarks, from top to bottom and round."""
        found = self._app.document.bookmarked()
        if not found:
            raise EditError(f"There is no bookmark yet; {self._app.keymap.label('bookmark')} sets one.")
        node = self._node()
        if node in found:
            at = found.index(node) + step
        else:
            order = {other.id: index for index, other in enumerate(self._app.document.in_order())}
            behind = sum(order[other.id] < order[node.id] for other in found)
            at = behind + step - (1 if step > 0 else 0)
        self._tree.go_to(found[at % len(found)])

    def do_next_bookmark(self, count: int | None) -> None:
        self._go_bookmark(count or 1)

    def do_previous_bookmark(self, count: int | None) -> None:
        self._go_bookmark(-(count or 1))
