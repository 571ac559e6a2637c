"""The lines at the edges: what is open, what is going on, which keys there are."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual.widget import Widget

from .sanitize import truncate_cells, visible


class Bar(Widget):
    """One line with something at its left and something at its right. The left gives way."""

    DEFAULT_CSS = "Bar { height: 1; width: 1fr; }"

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.left = ""
        self.right = ""

    def show(self, left: str, right: str = "") -> None:
        """Show texts; they may come from anywhere."""
        left, right = visible(left, "⏎"), visible(right, "⏎")
        if (left, right) != (self.left, self.right):
            self.left, self.right = left, right
            self.refresh()

    def render(self) -> Text:
        width = self.size.width
        right = truncate_cells(self.right, max(width - 1, 0))
        left = truncate_cells(self.left, max(width - cell_len(right) - 2, 0))
        gap = max(width - cell_len(left) - cell_len(right) - 1, 0)
        return Text(f" {left}{' ' * (gap - 1 if gap else 0)}{right} ", no_wrap=True, end="")


class KeyBar(Widget):
    """Keys with their words, the most important first, as many as fit."""

    DEFAULT_CSS = "KeyBar { height: 1; width: 1fr; }"

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._entries: list[tuple[str, str]] = []
        self._pending = ""

    def show(self, entries: list[tuple[str, str]], pending: str = "") -> None:
        """`entries` are (key, word); `pending` is what was typed and waits for more."""
        if (entries, pending) != (self._entries, self._pending):
            self._entries, self._pending = entries, pending
            self.refresh()

    def render(self) -> Text:
        text = Text(" ", no_wrap=True, end="")
        if self._pending:
            text.append(f"{self._pending} … ", style="reverse")
        for key, word in self._entries:
            if text.cell_len + cell_len(key) + cell_len(word) + 3 > self.size.width:
                break
            text.append(key, style="bold")
            text.append(f" {word}  ")
        return text
