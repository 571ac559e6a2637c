"""Searching for a text, and walking from hit to hit."""

from __future__ import annotations

from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError


class Search(Part):
    """Searching for a text, and walking from hit to hit."""

    def do_search(self, _count: int | None) -> None:
        self._node()
        self._app.view.open_search()

    def do_next_hit(self, count: int | None) -> None:
        self._walk(count or 1)

    def do_previous_hit(self, count: int | None) -> None:
        self._walk(-(count or 1))

    def _walk(self, step: int) -> None:
        app = self._app
        finder = app.finder
        if finder.query is None:
            raise EditError(f"Nothing is searched for yet; {app.keymap.label('search')} does that.")
        node = self._node()
        found = finder.step_from(node, step)
        if found is None and not finder.searching:
            raise EditError(f"Nothing here holds “{finder.query.text}”.")
        if found is not None:
            self._tree.go_to(found)
        app.view.tell_hits()
