"""What the children of a node say, side by side: a line or a few for each, the live end of those that
stream."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from n8loom_tui.loom.heddle import Heddle

from .sanitize import tail_cells, truncate_cells, visible, wrap_cells
from .shown import is_written, last_line, one_line, shown_text
from .signs import UNICODE
from .together import DrawnTogether

_MOST_LINES = 3
"""No child gets more lines than this, however much room there is."""


class ChildrenPreview(DrawnTogether, can_focus=False):
    """A node's children, numbered."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    ChildrenPreview {
        width: 1fr;
        height: 1fr;
        background: $surface;
        color: $foreground;

        & > .childrenpreview--number { color: $quiet; text-style: bold; }
        & > .childrenpreview--generated { text-style: none; }
        & > .childrenpreview--written { color: $text-accent; text-style: italic; }
        & > .childrenpreview--caret { color: $text-success; text-style: bold; }
        & > .childrenpreview--placeholder { color: $quiet; text-style: italic; }
    }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "childrenpreview--number",
        "childrenpreview--generated",
        "childrenpreview--written",
        "childrenpreview--caret",
        "childrenpreview--placeholder",
    }

    class Chosen(Message):
        """A child was clicked."""

        def __init__(self, preview: ChildrenPreview, node: Heddle) -> None:
            super().__init__()
            self.preview = preview
            self.node = node

        @property
        def control(self) -> ChildrenPreview:
            return self.preview

    def __init__(self, placeholder: str = "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.signs = UNICODE
        self.placeholder = placeholder
        self._children_shown: list[Heddle] = []
        self._streaming: set[str] = set()

    def show_children(self, node: Heddle | None, streaming: Collection[str] = ()) -> None:
        """Show the children of a node as they are now. `streaming` holds the ids of those being generated."""
        self._children_shown = list(node.children) if node is not None else []
        self._streaming = {child.id for child in self._children_shown if child.id in streaming}
        self.refresh()

    def nodes_grew(self, nodes: Iterable[Heddle]) -> None:
        """Nodes have more text. The lines are drawn again of those that are shown."""
        grown = {node.id for node in nodes}
        numbers = [number for number, child in enumerate(self._shown()) if child.id in grown]
        if numbers:
            lines, width = self._lines_each(), self.content_size.width
            self.refresh(*(Region(0, number * lines, width, lines) for number in numbers))

    def set_streaming(self, node_id: str, streaming: bool) -> None:
        """Say whether a child is being generated; then its end is shown instead of its beginning."""
        child = next((child for child in self._children_shown if child.id == node_id), None)
        if child is None or streaming == (node_id in self._streaming):
            return
        if streaming:
            self._streaming.add(node_id)
        else:
            self._streaming.discard(node_id)
        self.nodes_grew([child])

    # ------------------------------------------------------------------ drawing

    def _lines_each(self) -> int:
        count = len(self._children_shown)
        return min(max(self.content_size.height // count, 1), _MOST_LINES) if count else 1

    def _shown(self) -> list[Heddle]:
        """The children for which there is room."""
        height = self.content_size.height
        if len(self._children_shown) <= height:
            return self._children_shown
        return self._children_shown[: max(height - 1, 0)]

    def _lines(self, child: Heddle, width: int, count: int) -> list[str]:
        """A child's text in at most `count` lines: its beginning, or its end while it is being generated."""
        text, newline = shown_text(child), f" {self.signs.newline} "
        room = width * (count + 1) + 16
        if child.id in self._streaming:
            start = max(len(text) // room - 1, 0) * room  # moves seldom, so that words seldom jump
            return self._last_lines(last_line(text[start:], newline, 2 * room), width, count, start > 0)
        line = one_line(text, newline, room)
        if not line:
            return ["".join(self.signs.newline if c == "\n" else self.signs.space for c in text[:width])]
        spans = wrap_cells(line, width)
        lines = [line[start:end] for start, end in spans[:count]]
        if len(spans) > count:
            lines[-1] = truncate_cells(line[spans[count - 1][0] :], width, self.signs.ellipsis)
        return lines

    def _last_lines(self, text: str, width: int, count: int, more: bool) -> list[str]:
        """The end of a text, wrapped from its beginning so that words do not jump while it grows. `more`:
        there is text before it.
        """
        width = max(width - 1, 1)  # one cell is the caret's
        spans = wrap_cells(text, width)
        if count == 1:
            return [tail_cells(text, width, self.signs.ellipsis)]
        lines = [text[start:end] for start, end in spans[-count:]]
        if more or len(spans) > count:
            lines[0] = tail_cells(self.signs.ellipsis + lines[0], width, self.signs.ellipsis)
        return lines

    def render_line(self, y: int) -> Strip:
        width = self.once("width", lambda: self.content_size.width)
        if not self._children_shown:
            return self._note_line(self.placeholder if y == 0 else "", width)
        lines_each, shown = self.once("shown", lambda: (self._lines_each(), self._shown()))
        number, row = divmod(y, lines_each)
        if number >= len(shown):
            left = len(self._children_shown) - len(shown)
            more = f"{self.signs.ellipsis} {left} more"
            return self._note_line(more if left and number == len(shown) else "", width)
        child = shown[number]
        digits = len(str(len(self._children_shown)))
        head = f"{number + 1:>{digits}} " if row == 0 else " " * (digits + 1)
        room = max(width - len(head), 1)
        lines = self.once(("lines", number), lambda: self._lines(child, room, lines_each))
        body = "childrenpreview--written" if is_written(child) else "childrenpreview--generated"
        segments = [Segment(head, self.get_component_rich_style("childrenpreview--number"))]
        if row < len(lines):
            segments.append(Segment(lines[row], self.get_component_rich_style(body)))
        if row == len(lines) - 1:
            segments += self._ending(child, lines[row], width - len(head))
        return Strip(segments).adjust_cell_length(width, self._base_style)

    @property
    def _base_style(self) -> Style:
        return self.once("base", lambda: self.visual_style.rich_style)

    def _ending(self, child: Heddle, line: str, width: int) -> list[Segment]:
        """What stands behind the last line of a child: the caret while it streams, the sign of its end."""
        style = self.get_component_rich_style("childrenpreview--caret")
        if child.id in self._streaming:
            return [Segment(self.signs.caret, style)]
        if child.terminal and cell_len(line) + 2 <= width:
            return [Segment(f" {self.signs.ended}", style)]
        return []

    def _note_line(self, text: str, width: int) -> Strip:
        style: Style = self.get_component_rich_style("childrenpreview--placeholder")
        text = truncate_cells(visible(text, " "), width, self.signs.ellipsis)
        return Strip([Segment(text, style)]).adjust_cell_length(width, self._base_style)

    # ------------------------------------------------------------------- events

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or event.button != 1:
            return
        number = offset.y // self._lines_each()
        shown = self._shown()
        if number < len(shown):
            event.stop()
            self.post_message(self.Chosen(self, shown[number]))
