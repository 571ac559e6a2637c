"""Texts side by side: a node's children in columns (one under the other where there is no room), each with its live end
while it streams, one of them chosen.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from n8loom_tui.loom.heddle import Heddle

from .flow import Flow
from .sanitize import truncate_cells, visible
from .shown import is_written, shown_text
from .signs import UNICODE, Signs

_LEAST_WIDTH = 28
_LEAST_HEIGHT = 5
_NARROW = 90
"""Below this many cells the texts stand one under the other."""
_GAP = 2


class _Column:
    """One child: its wrapped text, and how far it is scrolled (None: as it likes)."""

    def __init__(self, node: Heddle, width: int) -> None:
        self.node = node
        self.flow = Flow(width)
        self.top: int | None = None
        self._read = ""
        self.flow.extend([""])
        self.update()

    def update(self) -> None:
        """Take in what the node says now."""
        text = shown_text(self.node)
        if text == self._read:
            return
        if not text.startswith(self._read):
            self.flow = Flow(self.flow.width)
            self.flow.extend([""])
            self._read = ""
        self.flow.grow(visible(text[len(self._read) :]))
        self._read = text

    def first(self, room: int, streaming: bool) -> int:
        """The first line in sight."""
        last = max(len(self.flow.lines) - room, 0)
        if self.top is None:
            return last if streaming else 0
        return min(self.top, last)


class ChildColumns(Widget, can_focus=True, inherit_bindings=False):
    """The children of a node."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    ChildColumns {
        width: 1fr;
        height: 1fr;
        background: $surface;
        color: $foreground;

        & > .columns--head { color: $quiet; text-style: bold; }
        & > .columns--chosen {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
            text-style: bold;
        }
        & > .columns--rail { color: $line; }
        & > .columns--generated { text-style: none; }
        & > .columns--written { color: $text-accent; text-style: italic; }
        & > .columns--caret { color: $text-success; text-style: bold; }
        &:nocolor > .columns--chosen { text-style: reverse bold; }
    }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "columns--head",
        "columns--chosen",
        "columns--rail",
        "columns--generated",
        "columns--written",
        "columns--caret",
    }

    class Chosen(Message):
        """A child was double-clicked."""

        def __init__(self, node: Heddle) -> None:
            super().__init__()
            self.node = node

    def __init__(self, *, signs: Signs = UNICODE, id: str | None = None) -> None:
        super().__init__(id=id)
        self.signs = signs
        self.nodes: list[Heddle] = []
        self.chosen = 0
        self._growing: Collection[str] = ()
        self._columns: dict[str, _Column] = {}

    def show(self, nodes: list[Heddle], growing: Collection[str]) -> None:
        """Show these nodes as they are now; the one that was chosen stays so."""
        was = self.current
        self.nodes, self._growing = list(nodes), growing
        place = next((i for i, node in enumerate(self.nodes) if node is was), None)
        self.choose(self.chosen if place is None else place)
        self.refresh()

    def node_changed(self, node: Heddle) -> None:
        """A node says something else than before. Nothing happens unless it is shown."""
        if node.parent is not None and self.nodes and node.parent is self.nodes[0].parent:
            self.refresh()

    @property
    def current(self) -> Heddle | None:
        """The one that is chosen."""
        return self.nodes[self.chosen] if self.chosen < len(self.nodes) else None

    def choose(self, number: int) -> None:
        """Choose one by its number, from 0; the nearest where there is none."""
        self.chosen = max(min(number, len(self.nodes) - 1), 0)
        self.refresh()

    def scroll_chosen(self, lines: int) -> None:
        """Scroll the text that is chosen. At its end it follows what is generated again."""
        node = self.current
        if node is None:
            return
        column, room = self._column(node), self._room()
        last = max(len(column.flow.lines) - room, 0)
        top = min(max(column.first(room, self._streams(node)) + lines, 0), last)
        column.top = None if top == last and self._streams(node) else top
        self.refresh()

    # ----------------------------------------------------------------- geometry

    @property
    def per_row(self) -> int:
        """How many stand side by side."""
        width = self.content_size.width
        if width < _NARROW:
            return 1
        return max(min(len(self.nodes), width // _LEAST_WIDTH), 1)

    def _cell(self) -> tuple[int, int]:
        """The width and height of one text, its heading included."""
        per_row = self.per_row
        rows = -(-len(self.nodes) // per_row) or 1
        width = max((self.content_size.width - _GAP * (per_row - 1)) // per_row, 1)
        return width, max(self.content_size.height // rows, min(_LEAST_HEIGHT, self.content_size.height), 1)

    def _room(self) -> int:
        return max(self._cell()[1] - 1, 1)

    def _first_row(self) -> int:
        """The first row of texts in sight: the one that is chosen is."""
        fit = max(self.content_size.height // self._cell()[1], 1)
        return max(self.chosen // self.per_row - fit + 1, 0)

    def _streams(self, node: Heddle) -> bool:
        return node.id in self._growing

    def _column(self, node: Heddle) -> _Column:
        width = max(self._cell()[0] - 1, 1)  # one cell is the caret's
        column = self._columns.get(node.id)
        if column is None or column.node is not node or column.flow.width != width:
            top = column.top if column is not None else None
            column = self._columns[node.id] = _Column(node, width)
            column.top = top
        column.update()
        return column

    # ------------------------------------------------------------------ drawing

    def render_line(self, y: int) -> Strip:
        width, height = self._cell()
        row, line = divmod(y, height)
        first = (self._first_row() + row) * self.per_row
        segments: list[Segment] = []
        for number in range(first, min(first + self.per_row, len(self.nodes))):
            if number > first:
                rail = f"{self.signs.rail} "
                segments.append(Segment(rail, self.get_component_rich_style("columns--rail")))
            part = self._head(number, width) if line == 0 else self._body(number, line - 1, height - 1)
            segments += Strip(part).adjust_cell_length(width, self.rich_style)
        return Strip(segments).adjust_cell_length(self.content_size.width, self.rich_style)

    def _head(self, number: int, width: int) -> list[Segment]:
        node = self.nodes[number]
        name = "columns--chosen" if number == self.chosen else "columns--head"
        mark = self.signs.pointer if number == self.chosen else " "
        sign = (
            f" {self.signs.stream}"
            if self._streams(node)
            else f" {self.signs.ended}"
            if node.terminal
            else ""
        )
        below = sum(1 for _ in zip(node.walk(), range(1000), strict=False)) - 1
        more = f" · {below} below" if below else ""
        head = f"{mark}{number + 1}{sign} · {len(node.tokens)} tokens{more}"
        head = truncate_cells(head, width, self.signs.ellipsis)
        return [Segment(head + " " * (width - cell_len(head)), self.get_component_rich_style(name))]

    def _body(self, number: int, line: int, room: int) -> list[Segment]:
        node = self.nodes[number]
        column, streams = self._column(node), self._streams(node)
        index = column.first(room, streams) + line
        if index >= len(column.flow.lines):
            return []
        body = "columns--written" if is_written(node) else "columns--generated"
        segments = [Segment(column.flow.lines[index].text, self.get_component_rich_style(body))]
        if streams and index == len(column.flow.lines) - 1:
            segments.append(Segment(self.signs.caret, self.get_component_rich_style("columns--caret")))
        return segments

    # ------------------------------------------------------------------- events

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or event.button != 1:
            return
        width, height = self._cell()
        column = min(offset.x // (width + _GAP), self.per_row - 1)
        number = (self._first_row() + offset.y // height) * self.per_row + column
        if number < len(self.nodes):
            event.stop()
            self.choose(number)
            if event.chain == 2:
                self.post_message(self.Chosen(self.nodes[number]))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_chosen(2)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_chosen(-2)
