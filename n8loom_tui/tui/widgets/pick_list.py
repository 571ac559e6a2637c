"""A list of nodes to choose one from: a line each, with what is set off in it and the node's signs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from n8loom_tui.loom.heddle import Heddle

from .highlight import Spans, lit
from .line_view import LineView
from .sanitize import truncate_cells, visible
from .shown import one_line, shown_text
from .signs import UNICODE, Signs


class PickList(LineView):
    """Shows nodes, with a cursor. It has no keys of its own."""

    DEFAULT_CSS = """
    PickList {
        & > .picklist--text { text-style: none; }
        & > .picklist--hit { color: $text-warning; text-style: bold underline; }
        & > .picklist--signs { color: $quiet; }
        & > .picklist--cursor { color: $block-cursor-foreground; background: $block-cursor-background; }
        &:nocolor > .picklist--cursor { text-style: reverse; }
    }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "picklist--text",
        "picklist--hit",
        "picklist--signs",
        "picklist--cursor",
    }

    class Chosen(Message):
        """A node was clicked."""

        def __init__(self, node: Heddle) -> None:
            super().__init__()
            self.node = node

    class Moved(Message):
        """The cursor is elsewhere."""

    def __init__(
        self,
        signs_of: Callable[[Heddle], str],
        lit_in: Callable[[str], Spans],
        *,
        signs: Signs = UNICODE,
        id: str,
    ) -> None:
        """`signs_of` tells what stands at a line's end; `lit_in` what is set off in a line."""
        super().__init__(signs=signs, id=id)
        self.can_focus = False
        self._signs_of = signs_of
        self._lit_in = lit_in
        self._listed: list[Heddle] = []
        self._cursor = 0

    @property
    def node(self) -> Heddle | None:
        """The node under the cursor."""
        return self._listed[self._cursor] if self._listed else None

    def show(self, nodes: Sequence[Heddle]) -> None:
        """Show these; the cursor goes to the first."""
        self._listed, self._cursor = list(nodes), 0
        self.virtual_size = Size(0, len(self._listed))
        self.scroll_top_to(0)
        self.refresh()

    def move(self, step: int) -> None:
        """Move the cursor down (up if negative)."""
        if not self._listed:
            return
        self._cursor = min(max(self._cursor + step, 0), len(self._listed) - 1)
        top = self.scroll_offset.y
        self.scroll_top_to(min(max(top, self._cursor - self.page + 1), self._cursor))
        self.refresh()
        self.post_message(self.Moved())

    def render_line(self, y: int) -> Strip:
        width, index = self.line_width, y + self.scroll_offset.y
        if width <= 0 or not 0 <= index < len(self._listed):
            return Strip.blank(self.size.width, self.rich_style)
        node = self._listed[index]
        at_end = truncate_cells(visible(self._signs_of(node), " "), width // 3, self.signs.ellipsis)
        at_cursor = index == self._cursor
        head = f"{self.signs.folded} " if at_cursor else "  "
        room = width - cell_len(head) - cell_len(at_end) - 1
        text = shown_text(node)
        line = one_line(text, f" {self.signs.newline} ", 4 * width) or (self.signs.empty if not text else "")
        line = truncate_cells(line, room, self.signs.ellipsis)
        gap = max(room - cell_len(line), 0) + 1
        spans = self._lit_in(line)
        body = lit([Segment(line, self._style("text", at_cursor))], spans, self._over(at_cursor))
        segments = [
            Segment(head, self._style("text", at_cursor)),
            *body,
            Segment(" " * gap, self._style("text", at_cursor)),
            Segment(at_end, self._style("signs", at_cursor)),
        ]
        return Strip(segments).adjust_cell_length(width, self._style("text", at_cursor))

    def _style(self, part: str, at_cursor: bool) -> Style:
        return self.get_component_rich_style("picklist--cursor" if at_cursor else f"picklist--{part}")

    def _over(self, at_cursor: bool) -> Style:
        over = self.get_component_rich_style("picklist--hit", partial=True)
        return Style(bold=over.bold, underline=over.underline) if at_cursor else over

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or event.button != 1:
            return
        index = offset.y + self.scroll_offset.y
        if index < len(self._listed):
            event.stop()
            self.post_message(self.Chosen(self._listed[index]))
