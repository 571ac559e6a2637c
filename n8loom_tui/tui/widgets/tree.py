"""The tree of a loom as a widget: one row per node, drawn line by line, so that its size does not matter.

It shows what `TreeRows` holds and says where the cursor goes. It has no keys of its own: the app calls its
methods. The tree is the app's; whatever changes in it the app tells, and only what is seen of that is drawn
again. The scroll never moves by itself: rows that come or go above leave on the screen what was there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.tui.finding.query import Query

from .highlight import lit
from .line_view import LineView
from .row_layout import RowLayout, lay_out
from .row_views import RowView
from .rows import TreeRows
from .shown import is_written
from .signs import UNICODE, Signs

_SPINNER_SECONDS = 0.25


class TreeMessage(Message):
    """Something that a tree tells about one of its nodes."""

    def __init__(self, tree: LoomTree, node: Heddle | None) -> None:
        super().__init__()
        self.tree = tree
        self.node = node

    @property
    def control(self) -> LoomTree:
        return self.tree


class LoomTree(LineView):
    """Shows one tree or several, with a cursor."""

    DEFAULT_CSS = """
    LoomTree {
        & > .loomtree--guides { color: $foreground 40%; }
        & > .loomtree--prompt { text-style: bold; }
        & > .loomtree--generated { text-style: none; }
        & > .loomtree--written { color: $text-accent; text-style: italic; }
        & > .loomtree--stream { color: $text-success; text-style: bold; }
        & > .loomtree--count { color: $foreground 60%; text-style: bold; }
        & > .loomtree--tags { color: $text-secondary; }
        & > .loomtree--marks { color: $foreground 60%; }
        & > .loomtree--hit { color: $text-warning; text-style: bold underline; }
        & > .loomtree--cursor {
            color: $block-cursor-blurred-foreground;
            background: $block-cursor-blurred-background;
        }
        &:focus > .loomtree--cursor {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
        }
        &:nocolor > .loomtree--cursor { text-style: bold; }
        &:nocolor:ansi > .loomtree--cursor { text-style: reverse; }
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

    class CursorMoved(TreeMessage):
        """The cursor is on another node (None: there are no rows left)."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, LoomTree.CursorMoved) and message.tree is self.tree

    class FoldChanged(TreeMessage):
        """Something was folded or unfolded: this node, or (None) many."""

    class Activated(TreeMessage):
        """A node was double-clicked."""

    def __init__(
        self,
        *,
        signs: Signs = UNICODE,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(signs=signs, name=name, id=id, classes=classes)
        self.rows = TreeRows()
        self.extra: Callable[[Heddle], str] = lambda _node: ""
        """Signs that others put in front of a row's marks."""
        self._query: Query | None = None
        self._streaming: set[str] = set()
        self._frame = 0
        self._spinner: Timer | None = None
        self._seen: tuple[int, int, int, list[RowView]] | None = None
        self._drawn: dict[str, RowLayout] = {}

    # ------------------------------------------------------- the tree changed

    def set_roots(self, roots: Iterable[Heddle]) -> None:
        """Show these trees."""
        with self._rows_change():
            self.rows.set_roots(roots)

    def node_added(self, node: Heddle) -> None:
        """A node was entered below its parent."""
        if node.parent is not None:
            self.children_added(node.parent, [node])

    def children_added(self, parent: Heddle, nodes: Iterable[Heddle]) -> None:
        """Nodes were entered below `parent`."""
        with self._rows_change():
            self.rows.added(parent, nodes)

    def node_removed(self, node: Heddle, parent: Heddle | None = None) -> None:
        """A node was taken out (from `parent`, if the caller knows), with all below it."""
        with self._rows_change():
            self.rows.removed(node, parent)

    def children_changed(self, node: Heddle) -> None:
        """Below this node anything may have changed."""
        with self._rows_change():
            self.rows.changed_below(node)

    def node_changed(self, node: Heddle) -> None:
        """The node's text or state changed. Draws its row again if it is in sight and looks different."""
        for index, view in self._rows_in_sight():
            if view.node is node:
                if self._lay_out(view) != self._drawn.get(node.id):
                    self.refresh_line(index)
                return

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

    @contextmanager
    def _rows_change(self) -> Iterator[None]:
        """While rows come and go keep the cursor's row where it is on the screen, or else the first one."""
        cursor = self.rows.cursor
        top = self.scroll_offset.y
        held, place = cursor, self.rows.cursor_index
        in_sight = top <= place < top + self.page
        if not in_sight:
            held, place = self.rows.node_at(top), top
        yield
        self._seen = None
        self.virtual_size = Size(0, len(self.rows))
        now = self.rows.index_of(held) if held is not None else None
        if now is not None and now != place:
            self.scroll_top_to(now - (place - top))
        if in_sight:
            self._show_cursor()
        self.refresh()
        self._tell(cursor)

    def _tell(self, was: Heddle | None) -> None:
        if self.rows.cursor is not was:
            self.post_message(self.CursorMoved(self, self.rows.cursor))

    # ------------------------------------------------------------- the cursor

    @property
    def cursor_node(self) -> Heddle | None:
        """The node that the cursor is on; None only if the tree is empty."""
        return self.rows.cursor

    def go_to(self, node: Heddle) -> bool:
        """Put the cursor on a node and unfold what hides it. False if it is there or not in these trees."""
        if self.rows.index_of(node) is not None:
            return self._move(lambda: self.rows.move_to(node))
        with self._rows_change():
            moved = self.rows.move_to(node)
        self._show_cursor()
        if moved:
            self.post_message(self.FoldChanged(self, None))
        return moved

    def go_rows(self, step: int) -> bool:
        """Move the cursor down (up if negative) by rows."""
        return self._move(lambda: self.rows.move_rows(step))

    def go_pages(self, step: int) -> bool:
        """Move the cursor by screenfuls."""
        return self.go_rows(step * max(self.page - 1, 1))

    def go_parent(self) -> bool:
        return self._move(self.rows.move_parent)

    def go_child(self) -> bool:
        """Move to the child visited last, else to the first."""
        return self._move(self.rows.move_child)

    def go_sibling(self, step: int) -> bool:
        """Move by branches of the same parent."""
        return self._move(lambda: self.rows.move_sibling(step))

    def go_top(self) -> bool:
        return self._move(self.rows.move_top)

    def go_bottom(self) -> bool:
        return self._move(self.rows.move_bottom)

    def _move(self, step: Callable[[], bool]) -> bool:
        """Move the cursor and draw the two rows it concerns; scroll no further than needed to see it."""
        before, was_at = self.rows.cursor, self.rows.cursor_index
        moved = step()
        if moved:
            self.refresh_line(was_at)
            self.refresh_line(self.rows.cursor_index)
            self._tell(before)
        self._show_cursor()
        return moved

    def _show_cursor(self) -> None:
        index, top, page = self.rows.cursor_index, self.scroll_offset.y, self.page
        if index < 0 or page <= 0:
            return
        if index < top:
            self.scroll_top_to(index)
        elif index >= top + page:
            self.scroll_top_to(index - page + 1)

    # ---------------------------------------------------------------- folding

    def fold(self, node: Heddle | None = None) -> bool:
        """Fold a node (the cursor's, if none is given). False if there is nothing to fold."""
        return self._fold(node, self.rows.fold)

    def unfold(self, node: Heddle | None = None) -> bool:
        """Unfold a node (the cursor's, if none is given). False if it is not folded."""
        return self._fold(node, self.rows.unfold)

    def toggle(self, node: Heddle | None = None) -> bool:
        """Fold an unfolded node, unfold a folded one."""
        node = node or self.rows.cursor
        return node is not None and (self.unfold(node) if self.rows.is_folded(node) else self.fold(node))

    def is_folded(self, node: Heddle) -> bool:
        return self.rows.is_folded(node)

    @property
    def folded_ids(self) -> frozenset[str]:
        """The ids of the nodes that are folded."""
        return self.rows.folded_ids

    def restore_folds(self, ids: Iterable[str]) -> None:
        """Fold just these nodes, as they were folded when they were last seen."""
        self._fold_many(partial(self.rows.restore_folds, ids))

    def fold_all_but_path(self) -> None:
        """Fold all that does not lead to the cursor."""
        if self.rows.cursor is not None:
            self._fold_many(partial(self.rows.fold_all_but_path, self.rows.cursor))

    def fold_all(self) -> None:
        self._fold_many(self.rows.fold_all)

    def unfold_all(self) -> None:
        self._fold_many(self.rows.unfold_all)

    def _fold(self, node: Heddle | None, change: Callable[[Heddle], bool]) -> bool:
        node = node or self.rows.cursor
        if node is None:
            return False
        with self._rows_change():
            changed = change(node)
        if changed:
            self.post_message(self.FoldChanged(self, node))
        return changed

    def _fold_many(self, change: Callable[[], None]) -> None:
        with self._rows_change():
            change()
        self._show_cursor()
        self.post_message(self.FoldChanged(self, None))

    # ---------------------------------------------------------------- drawing

    def render_line(self, y: int) -> Strip:
        width = self.line_width
        index = y + self.scroll_offset.y
        views = self._views(self.scroll_offset.y)
        if not 0 <= y < len(views) or width <= 0:
            return Strip.blank(self.size.width, self.rich_style)
        view = views[y]
        row = self._lay_out(view)
        if len(self._drawn) > 4096:
            self._drawn.clear()
        self._drawn[view.node.id] = row
        at_cursor = index == self.rows.cursor_index
        body = "written" if is_written(view.node) else "generated"
        if isinstance(view.node, Loom):
            body = "prompt"
        segments = [
            Segment(row.guides, self._style("guides", at_cursor)),
            Segment(row.stream, self._style("stream", at_cursor)),
            *self._label(row.label, self._style(body, at_cursor), at_cursor),
            Segment(row.count, self._style("count", at_cursor)),
            Segment(" " * row.gap, self._style("guides", at_cursor)),
            Segment(row.tags, self._style("tags", at_cursor)),
            Segment(row.marks, self._style("marks", at_cursor)),
        ]
        return Strip(segments).adjust_cell_length(width, self._style("guides", at_cursor))

    def _label(self, text: str, style: Style, at_cursor: bool) -> list[Segment]:
        spans = self._query.label_spans(text, self.signs.newline) if self._query is not None else []
        if not spans:
            return [Segment(text, style)]
        over = self.get_component_rich_style("loomtree--hit", partial=True)
        if at_cursor:  # its colours are those of the cursor
            over = Style(bold=over.bold, underline=over.underline)
        return lit([Segment(text, style)], spans, over)

    def _style(self, part: str, at_cursor: bool) -> Style:
        name = f"loomtree--{part}"
        if not at_cursor:
            return self.get_component_rich_style(name)
        own = self.get_component_rich_style(name, partial=True)
        emphasis = Style(bold=own.bold, italic=own.italic, underline=own.underline)
        return self.get_component_rich_style("loomtree--cursor") + emphasis

    def _lay_out(self, view: RowView) -> RowLayout:
        streaming = view.node.id in self._streaming
        width = self.line_width
        spinner = self._spinner_sign() if streaming else ""
        return lay_out(view, self.signs, width, streaming, spinner, self.extra(view.node))

    def _views(self, top: int) -> list[RowView]:
        """The rows on the screen, worked out once for each state of the rows."""
        version, page = self.rows.version, max(self.page, 1)
        if self._seen is None or self._seen[:3] != (version, top, page):
            views = self.rows.views(top, top + page, keep=max(self.size.width, 1))
            self._seen = (version, top, page, views)
        return self._seen[3]

    def _rows_in_sight(self) -> Iterable[tuple[int, RowView]]:
        if not self.size:
            return ()
        return enumerate(self._views(self.scroll_offset.y), start=self.scroll_offset.y)

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
        row = self._lay_out(view)
        on_handle = view.has_children and (offset.x in row.handle or offset.x in row.counter)
        self.go_to(view.node)
        if on_handle:
            self.toggle(view.node)
        elif event.chain == 2:
            self.post_message(self.Activated(self, view.node))
