"""A panel of facts: a name and a value each, wrapped, drawn line by line. Scrolls with the mouse's wheel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import set_cell_size
from rich.segment import Segment
from textual.geometry import Size
from textual.strip import Strip

from .line_view import LineView
from .sanitize import truncate_cells, visible, wrap_cells

_NAME = 11
_MOST_LINES = 12
"""Lines that one value may take."""


class Details(LineView):
    """Shows facts. They may come from anywhere; nothing is read as markup."""

    DEFAULT_CSS = """
    Details {
        & > .details--name { color: $quiet; }
        & > .details--value { text-style: none; }
        & > .details--more { text-style: reverse; }
    }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"details--name", "details--value", "details--more"}

    _facts: Sequence[tuple[str, str]] = ()
    _lines: Sequence[tuple[str, str]] = ()

    def show(self, facts: Sequence[tuple[str, str]]) -> None:
        """Show facts: (name, value)."""
        if list(facts) != list(self._facts):
            self._facts = list(facts)
            self._lay_out()

    def on_resize(self) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        """Wrap the facts for the room there is. Before the panel has its place there is none."""
        room = max(self.line_width - _NAME - 1, 1)
        lines: list[tuple[str, str]] = []
        for called, value in self._facts if self.line_width > 0 else ():
            name, text = truncate_cells(visible(called, " "), _NAME, self.signs.ellipsis), visible(value)
            spans = wrap_cells(text, room)
            shown = [text[start:end] for start, end in spans[:_MOST_LINES]]
            if len(spans) > _MOST_LINES:
                shown[-1] = truncate_cells(f"{shown[-1]}{self.signs.ellipsis}", room, self.signs.ellipsis)
            lines += [(name if number == 0 else "", line) for number, line in enumerate(shown)]
        self._lines = lines
        self.virtual_size = Size(0, len(lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        index, width = y + self.scroll_offset.y, self.line_width
        if not 0 <= index < len(self._lines) or width <= 0:
            return Strip.blank(max(width, 0), self.rich_style)
        left = len(self._lines) - index
        if y == self.page - 1 and left > 1:
            more = truncate_cells(f"{self.signs.ellipsis} {left} more lines", width, self.signs.ellipsis)
            style = self.get_component_rich_style("details--more")
            return Strip([Segment(more, style)]).adjust_cell_length(width, self.rich_style)
        name, value = self._lines[index]
        segments = [
            Segment(set_cell_size(name, _NAME + 1), self.get_component_rich_style("details--name")),
            Segment(value, self.get_component_rich_style("details--value")),
        ]
        return Strip(segments).adjust_cell_length(width, self.rich_style)
