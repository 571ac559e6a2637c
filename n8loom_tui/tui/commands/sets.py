"""Marking nodes: one by one, or all of a kind. What is done then is done to all of them, as one step."""

from __future__ import annotations

from collections.abc import Iterable

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError, counted
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.widgets.shown import shown_text


class Sets(Part):
    """Marking nodes."""

    def do_mark(self, count: int | None) -> None:
        node: Heddle | None = self._node()
        for _ in range(count or 1):
            if node is None:
                break
            self._app.marked.toggle(node)
            node = self._app.view.current if self._tree.go_rows(1) else None
        self._tree.refresh()

    def do_mark_leaves(self, _count: int | None) -> None:
        node = self._node()
        self._add(node.get_all_leaves() or [node], "There is no leaf here.")

    def do_mark_children(self, _count: int | None) -> None:
        self._add(self._node().children, "There is nothing below this node.")

    def do_mark_bookmarked(self, _count: int | None) -> None:
        label = self._app.keymap.label("bookmark")
        self._add(self._app.document.bookmarked(), f"There is no bookmark yet; {label} sets one.")

    def do_mark_hits(self, _count: int | None) -> None:
        self._node()
        finder = self._app.view.finder
        if finder.query is not None:
            self._add(finder.hits(), "The search found nothing.")
            return

        def check(text: str) -> str | None:
            return None if text else "a text that the nodes hold"

        def answered(text: str | None) -> None:
            if text is not None:
                self._attempt(lambda: self._mark_text(text))

        hint = "all nodes that hold this text are marked; small and capital letters are the same"
        self._app.push_screen(AskScreen("Mark by text", hint, "", check), answered)

    def _mark_text(self, text: str) -> None:
        wanted = text.casefold()
        found = [node for node in self._app.document.in_order() if wanted in shown_text(node).casefold()]
        self._add(found, "No node holds this text.")

    def do_unmark_all(self, _count: int | None) -> None:
        if not len(self._app.marked):
            raise EditError("Nothing is marked.")
        self._app.unmark_all()

    def _add(self, nodes: Iterable[Heddle], objection: str) -> None:
        found = list(nodes)
        if not found:
            raise EditError(objection)
        new = self._app.marked.add(found)
        self._app.status.said = f"marked {counted(new, 'node')} more" if new else "all of these were marked"
        self._tree.refresh()
