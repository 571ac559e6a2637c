"""A list of titled values with a cursor, under headings, drawn line by line. It has no keys of its own.

What stands in it may come from anywhere; nothing is read as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from .line_view import LineView
from .sanitize import truncate_cells, visible
from .signs import UNICODE, Signs

_TITLE = 24
_LEAST_VALUE = 12


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a heading, or a title with its value. `note` stands behind the value where there is room."""

    title: str
    value: str = ""
    note: str = ""
    heading: bool = False
    chosen: bool = False
    """Whether a sign marks it as the one in force."""


class ChoiceList(LineView):
    """Shows entries; the cursor passes over headings."""

    DEFAULT_CSS = """
    ChoiceList {
        & > .choicelist--heading { text-style: bold underline; }
        & > .choicelist--title { text-style: none; }
        & > .choicelist--value { text-style: bold; }
        & > .choicelist--note { color: $quiet; }
        & > .choicelist--cursor {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
        }
    }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "choicelist--heading",
        "choicelist--title",
        "choicelist--value",
        "choicelist--note",
        "choicelist--cursor",
    }

    class Chosen(Message):
        """An entry was clicked twice."""

    class Moved(Message):
        """The cursor is on another entry."""

    def __init__(self, *, signs: Signs = UNICODE, id: str | None = None) -> None:
        super().__init__(signs=signs, id=id)
        self.cursor = 0
        self._entries: Sequence[Entry] = ()

    def show(self, entries: Sequence[Entry]) -> None:
        """Show these. The cursor stays at its place in the list."""
        self._entries = entries
        self.virtual_size = Size(0, len(entries))
        self.put(min(self.cursor, len(entries) - 1))
        self.refresh()

    def go(self, steps: int) -> None:
        """Move the cursor down (up if negative)."""
        places = [at for at, entry in enumerate(self._entries) if not entry.heading]
        if places:
            here = places.index(self.cursor) if self.cursor in places else 0
            self.put(places[min(max(here + steps, 0), len(places) - 1)])

    def put(self, index: int) -> None:
        """Put the cursor there, or at the next entry that is no heading."""
        while 0 <= index < len(self._entries) and self._entries[index].heading:
            index += 1
        if 0 <= index < len(self._entries):
            moved, self.cursor = index != self.cursor, index
            self._show_cursor()
            self.refresh()
            if moved:
                self.post_message(self.Moved())

    def _show_cursor(self) -> None:
        top, page = self.scroll_offset.y, self.page
        above = self.cursor - 1 if self.cursor and self._entries[self.cursor - 1].heading else self.cursor
        if page <= 0:
            return
        if above < top:
            self.scroll_top_to(above)
        elif self.cursor >= top + page:
            self.scroll_top_to(self.cursor - page + 1)

    def on_resize(self) -> None:
        if self._entries:
            self._show_cursor()

    def render_line(self, y: int) -> Strip:
        index, width = y + self.scroll_offset.y, self.line_width
        if not 0 <= index < len(self._entries) or width <= 0:
            return Strip.blank(max(width, 0), self.rich_style)
        entry = self._entries[index]
        title_style = self.get_component_rich_style(
            "choicelist--heading" if entry.heading else "choicelist--title"
        )
        if entry.heading:
            text = truncate_cells(visible(entry.title, " "), width, self.signs.ellipsis)
            return Strip([Segment(text, title_style)]).adjust_cell_length(width, self.rich_style)
        parts = self._parts(entry, width)
        names = ("title", "value", "note")
        styles = [self.get_component_rich_style(f"choicelist--{name}") for name in names]
        fill = self.rich_style
        if index == self.cursor:
            styles = [self.get_component_rich_style("choicelist--cursor")] * 3
            fill = styles[0]
        segments = [Segment(text, style) for text, style in zip(parts, styles, strict=True)]
        return Strip(segments).adjust_cell_length(width, fill)

    def _parts(self, entry: Entry, width: int) -> tuple[str, str, str]:
        """Title, value and note in so many cells."""
        mark = self.signs.root if entry.chosen else " "
        room = max(min(_TITLE, width - _LEAST_VALUE), 0) if entry.value else width - 2
        title = truncate_cells(visible(entry.title, " "), room, self.signs.ellipsis)
        if not entry.value:
            return f"{mark} {title}", "", ""
        title = f"{mark} {title}{' ' * (room - cell_len(title))} "
        value = truncate_cells(visible(entry.value, " "), width - cell_len(title), self.signs.ellipsis)
        left = width - cell_len(title) - cell_len(value) - 2
        note = visible(entry.note, " ")
        fits = note and cell_len(note) <= left
        return title, value, f"  {note}" if fits else ""

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or event.button != 1:
            return
        index = offset.y + self.scroll_offset.y
        if 0 <= index < len(self._entries) and not self._entries[index].heading:
            event.stop()
            again = index == self.cursor
            self.put(index)
            if again or event.chain == 2:
                self.post_message(self.Chosen())
