"""The tree of a loom as a widget: one row per node, drawn line by line, so that its size does not matter.

It shows what `TreeRows` holds and says where the cursor goes. It has no keys of its own: the app calls its
methods. The tree is the app's; whatever changes in it the app tells, and only what is seen of that is drawn
again. The scroll never moves by itself: rows that come or go above leave on the screen what was there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip
from textual.timer import Timer

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.tui.finding.query import Query

from .highlight import lit
from .laid_out import LaidOut
from .row_layout import RowLayout
from .row_views import RowView
from .shaped import ShapedTree, TreeMessage
from .shown import is_written

__all__ = ["LoomTree", "TreeMessage"]

_SPINNER_SECONDS = 0.25
_PARTS = ("guides", "prompt", "generated", "written", "stream", "count", "tags", "marks")
"""What a row is made of, or may be, as the styles are called."""


class LoomTree(ShapedTree):
    """Shows one tree or several, with a cursor."""

    DEFAULT_CSS = """
    LoomTree {
        & > .loomtree--guides { color: $line; }
        & > .loomtree--prompt { text-style: bold; }
        & > .loomtree--generated { text-style: none; }
        & > .loomtree--written { color: $text-accent; text-style: italic; }
        & > .loomtree--stream { color: $text-success; text-style: bold; }
        & > .loomtree--count { color: $quiet; text-style: bold; }
        & > .loomtree--tags { color: $text-secondary; }
        & > .loomtree--marks { color: $quiet; }
        & > .loomtree--hit { color: $text-warning; text-style: bold underline; }
        & > .loomtree--cursor {
            color: $block-cursor-blurred-foreground;
            background: $block-cursor-blurred-background;
        }
        &:focus > .loomtree--cursor {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
        }
    }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "loomtree--guides",
        "loomtree--prompt",
        "loomtree--generated",
        "loomtree--written",
        "loomtree--stream",
        "loomtree--count",
        "loomtree--tags",
        "loomtree--marks",
        "loomtree--hit",
        "loomtree--cursor",
    }

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.extra: Callable[[Heddle], str] = lambda _node: ""
        """Signs that others put in front of a row's marks."""
        self._query: Query | None = None
        self._streaming: set[str] = set()
        self._marked: Collection[str] = ()
        self._evicted: frozenset[str] = frozenset()
        self._frame = 0
        self._spinner: Timer | None = None
        self._laid_out = LaidOut()
        self._drawn: dict[str, RowLayout] = {}

    def nodes_changed(self, nodes: Iterable[Heddle]) -> None:
        """Texts or states of nodes changed. Draws the rows again that are in sight and look different; goes through
        those once, however many nodes grow at the same time."""
        ids = {node.id for node in nodes}
        if not ids:
            return
        width = self.line_width
        for index, view in self._rows_in_sight():
            name = view.node.id
            if name in ids and self._lay_out(view, width) != self._drawn.get(name):
                self.refresh_line(index)

    def set_streaming(self, node_id: str, streaming: bool) -> None:
        """Say whether a node is being generated."""
        if streaming == (node_id in self._streaming):
            return
        if streaming:
            self._streaming.add(node_id)
        else:
            self._streaming.discard(node_id)
        for index, view in self._rows_in_sight():
            if view.node.id == node_id:
                self.refresh_line(index)
        self._wind_spinner()

    def show_hits(self, query: Query | None) -> None:
        """Set off what is searched for wherever it stands."""
        self._query = query
        self.refresh()

    def show_marked(self, ids: Collection[str]) -> None:
        """Show the nodes of these ids as marked."""
        self._marked = ids
        self.refresh()

    def show_evicted(self, ids: frozenset[str]) -> None:
        """Show the nodes of these ids as such whose KV is not kept any more."""
        if ids != self._evicted:
            self._evicted = ids
            self.refresh()

    @property
    def in_sight(self) -> list[Heddle]:
        """The nodes whose rows are on the screen."""
        return [view.node for _, view in self._rows_in_sight()]

    # ---------------------------------------------------------------- drawing

    def render_line(self, y: int) -> Strip:
        width = self.line_width
        top = self.top_line
        index, views = y + top, self.once("views", lambda: self._views(top))
        if not 0 <= y < len(views) or width <= 0:
            return Strip.blank(self.size.width, self.base_style)
        view = views[y]
        row = self._lay_out(view, width)
        if len(self._drawn) > 4096:
            self._drawn.clear()
        self._drawn[view.node.id] = row
        at_cursor = index == self.once("cursor", lambda: self.rows.cursor_index)
        body = "written" if is_written(view.node) else "generated"
        if isinstance(view.node, Loom):
            body = "prompt"
        styles = self.once(("styles", at_cursor), lambda: self._styles_of_parts(at_cursor))
        guides = styles["guides"]
        segments = [
            Segment(row.guides, guides),
            Segment(row.stream, styles["stream"]),
            *self._label(row.label, styles[body], at_cursor),
            Segment(row.count, styles["count"]),
            Segment(" " * row.gap, guides),
            Segment(row.tags, styles["tags"]),
            Segment(row.marks, styles["marks"]),
        ]
        return Strip(segments).adjust_cell_length(width, guides)

    def _label(self, text: str, style: Style, at_cursor: bool) -> list[Segment]:
        spans = self._query.label_spans(text, self.signs.newline) if self._query is not None else []
        if not spans:
            return [Segment(text, style)]
        over = self.get_component_rich_style("loomtree--hit", partial=True)
        if at_cursor:  # its colours are those of the cursor
            over = Style(bold=over.bold, underline=over.underline)
        return lit([Segment(text, style)], spans, over)

    def _styles_of_parts(self, at_cursor: bool) -> dict[str, Style]:
        """The styles of a row's parts, by their names."""
        return {
            part: self.styled((part, at_cursor), partial(self._made_style, part, at_cursor))
            for part in _PARTS
        }

    def _made_style(self, part: str, at_cursor: bool) -> Style:
        name = f"loomtree--{part}"
        if not at_cursor:
            return self.get_component_rich_style(name)
        own = self.get_component_rich_style(name, partial=True)
        emphasis = Style(bold=own.bold, italic=own.italic, underline=own.underline or None)
        return self.get_component_rich_style("loomtree--cursor") + emphasis

    def _lay_out(self, view: RowView, width: int) -> RowLayout:
        streaming = view.node.id in self._streaming
        return self._laid_out.row(
            view,
            self.signs,
            width,
            streaming,
            self._spinner_sign() if streaming else "",
            self.extra(view.node),
            view.node.id in self._marked,
            view.node.id in self._evicted,
        )

    # ---------------------------------------------------------------- motion

    def _spinner_sign(self) -> str:
        if self._spinner is None or self.app.animation_level == "none":
            return self.signs.busy
        return self.signs.spinner[self._frame % len(self.signs.spinner)]

    def _wind_spinner(self) -> None:
        """Let the spinner run only while something streams and motion is wanted."""
        if self._spinner is not None:
            if self._streaming and self.app.animation_level != "none":
                self._spinner.resume()
            else:
                self._spinner.pause()

    def _spin(self) -> None:
        self._frame += 1
        for index, view in self._rows_in_sight():
            if view.node.id in self._streaming:
                self.refresh_line(index)

    # ----------------------------------------------------------------- events

    def on_mount(self) -> None:
        self._spinner = self.set_interval(_SPINNER_SECONDS, self._spin, pause=True)
        self._wind_spinner()

    def on_resize(self) -> None:
        self._seen = None
        self._show_cursor()

    def on_click(self, event: events.Click) -> None:
        """A click selects; on the guide before a label or on the folded sign it folds; a double click
        activates."""
        offset = event.get_content_offset(self)
        views = self._views(self.scroll_offset.y)
        if offset is None or event.button != 1 or not 0 <= offset.y < len(views):
            return
        event.stop()
        view = views[offset.y]
        row = self._lay_out(view, self.line_width)
        on_handle = view.has_children and (offset.x in row.handle or offset.x in row.counter)
        self.go_to(view.node)
        if on_handle:
            self.toggle(view.node)
        elif event.chain == 2:
            self.post_message(self.Activated(self, view.node))
