"""Where the cursor goes: by rows, by kin; and how the text scrolls while the reader is in use."""

from __future__ import annotations

from n8loom_tui.tui.commands.part import Part


class Move(Part):
    """Where the cursor goes: by rows, by kin; and how the text scrolls while the reader is in use."""

    def _move(self, up: bool, count: int) -> None:
        """Rows in the tree, lines in the reader: whichever is in use."""
        if self._app.view.reading:
            self._app.view.text_pane.scroll_lines(-count if up else count)
        else:
            self._tree.go_rows(-count if up else count)

    def do_row_up(self, count: int | None) -> None:
        self._move(True, count or 1)

    def do_row_down(self, count: int | None) -> None:
        self._move(False, count or 1)

    def _page(self) -> int:
        """So many rows, or lines, that one of those in sight stays there."""
        view = self._app.view
        return max((view.text_pane if view.reading else self._tree).page - 1, 1)

    def do_page_up(self, count: int | None) -> None:
        self._move(True, (count or 1) * self._page())

    def do_page_down(self, count: int | None) -> None:
        self._move(False, (count or 1) * self._page())

    def do_parent(self, count: int | None) -> None:
        for _ in range(count or 1):
            if not self._tree.fold():
                self._tree.go_parent()

    def do_child(self, count: int | None) -> None:
        for _ in range(count or 1):
            if not self._tree.unfold():
                self._tree.go_child()

    def do_previous_sibling(self, count: int | None) -> None:
        self._tree.go_sibling(-(count or 1))

    def do_next_sibling(self, count: int | None) -> None:
        self._tree.go_sibling(count or 1)

    def do_top(self, _count: int | None) -> None:
        if self._app.view.reading:
            self._app.view.text_pane.scroll_lines(-(10**9))
        else:
            self._tree.go_top()

    def do_bottom(self, _count: int | None) -> None:
        if self._app.view.reading:
            self._app.view.text_pane.follow()
        else:
            self._tree.go_bottom()
