"""The tree widget without its looks: which rows there are, where the cursor stands, what is folded and hoisted.

It keeps what the person sees where it is: rows that come or go above the cursor do not move it on the screen. How a row
is drawn is `LoomTree`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from textual.message import Message

from n8loom_tui.loom.heddle import Heddle

from .hoist import Hoist
from .line_view import LineView
from .row_views import RowView
from .rows import TreeRows
from .tree_shape import TreeShape


class TreeMessage(Message):
    """Something that a tree tells about one of its nodes."""

    def __init__(self, tree: ShapedTree, node: Heddle | None) -> None:
        super().__init__()
        self.tree = tree
        self.node = node

    @property
    def control(self) -> ShapedTree:
        return self.tree


class ShapedTree(LineView):
    """Rows of one tree or several, with a cursor."""

    class CursorMoved(TreeMessage, namespace="loom_tree"):
        """The cursor is on another node (None: there are no rows left)."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, ShapedTree.CursorMoved) and message.tree is self.tree

    class FoldChanged(TreeMessage, namespace="loom_tree"):
        """Something was folded or unfolded: this node, or (None) many."""

    class Activated(TreeMessage, namespace="loom_tree"):
        """A node was double-clicked."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows = TreeRows()
        self._hoist = Hoist()
        self._lines: dict[str, int] = {}
        """By the id of a hoisted node, the line of the screen that it stood on before."""
        self._changing = False
        self._seen: tuple[int, int, int, list[RowView]] | None = None

    # ------------------------------------------------------- the tree changed

    def set_roots(self, roots: Iterable[Heddle], *, anew: bool = False) -> None:
        """Show these trees. `anew`: anything may have changed in them."""
        with self.changing():
            self._hoist.roots = list(roots)
            self._hoist.settle()
            if anew or not self._hoist.levels:
                self.rows.set_roots(self._hoist.shown)

    def show_shape(self, shape: TreeShape, line: int | None = None) -> None:
        """Show what was worked out, the cursor's row on this line of the screen if one is given."""
        was = self.rows.cursor
        self.rows, self._hoist = shape.rows, shape.hoist
        self._lines.clear()
        self._seen = None
        self.set_lines(len(self.rows))
        if line is not None:
            self.scroll_top_to(max(self.rows.cursor_index - line, 0))
        self._show_cursor()
        self.refresh()
        self._tell(was)

    @property
    def cursor_line(self) -> int:
        """The line of the screen that the cursor's row is on; outside of it there is none."""
        return self.rows.cursor_index - self.scroll_offset.y

    def children_added(self, parent: Heddle, nodes: Iterable[Heddle]) -> None:
        """Nodes were entered below `parent`."""
        with self.changing():
            self.rows.added(parent, nodes)

    def node_removed(self, node: Heddle, parent: Heddle | None = None) -> None:
        """A node was taken out (from `parent`, if the caller knows), with all below it."""
        with self.changing():
            if parent is None:
                self._hoist.roots = [root for root in self._hoist.roots if root is not node]
            if self._hoist.settle():
                self.rows.set_roots(self._hoist.shown)
                if parent is not None:
                    self.rows.move_to(parent)
            self.rows.removed(node, parent)

    def children_changed(self, node: Heddle) -> None:
        """Below this node anything may have changed."""
        with self.changing():
            self.rows.changed_below(node)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """While rows come and go keep the cursor's row where it is on the screen, or else the first one. Many changes
        may be made within one of these, and are then shown at once."""
        if self._changing:
            yield
            return
        cursor = self.rows.cursor
        top = self.scroll_offset.y
        held, place = cursor, self.rows.cursor_index
        in_sight = top <= place < top + self.page
        if not in_sight:
            held, place = self.rows.node_at(top), top
        self._changing = True
        try:
            yield
            if self._hoist.settle() or (self._hoist.levels and self.rows.roots != self._hoist.shown):
                self.rows.set_roots(self._hoist.shown)
        finally:
            self._changing = False
        self._seen = None
        self.set_lines(len(self.rows))
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
        with self.changing():
            if self._hoist.reach(node):
                self.rows.set_roots(self._hoist.shown)
            moved = self.rows.move_to(node)
        self._show_cursor()
        if moved:
            self.post_message(self.FoldChanged(self, None))
        return moved

    def go_rows(self, step: int) -> bool:
        """Move the cursor down (up if negative) by rows."""
        return self._move(lambda: self.rows.move_rows(step))

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
        self._fold_many(self.rows.unfold_shown if self._hoist.levels else self.rows.unfold_all)

    def _fold(self, node: Heddle | None, change: Callable[[Heddle], bool]) -> bool:
        node = node or self.rows.cursor
        if node is None:
            return False
        with self.changing():
            changed = change(node)
        if changed:
            self.post_message(self.FoldChanged(self, node))
        return changed

    def _fold_many(self, change: Callable[[], None]) -> None:
        with self.changing():
            change()
        self._show_cursor()
        self.post_message(self.FoldChanged(self, None))

    # ---------------------------------------------------------------- hoisting

    @property
    def hoisted(self) -> Sequence[Heddle]:
        """The nodes that were hoisted, the innermost last: the tree shows that one and what is below it."""
        return self._hoist.levels

    def hoist(self, node: Heddle | None = None) -> bool:
        """Show only a node (the cursor's, if none is given) and what is below it. False if that changes nothing."""
        node = node or self.rows.cursor
        index = self.rows.index_of(node) if node is not None else None
        if node is None or not self._hoist.down(node):
            return False
        self._lines[node.id] = (index or 0) - self.scroll_offset.y
        self._show_hoisted()
        return True

    def unhoist(self) -> bool:
        """Go back to what was shown before the last hoist, and as it stood on the screen. False if all is shown."""
        if not self._hoist.levels:
            return False
        node = self._hoist.levels.pop()
        self._show_hoisted()
        index, line = self.rows.index_of(node), self._lines.pop(node.id, None)
        if index is not None and line is not None:
            self.scroll_top_to(max(index - line, 0))
            self._show_cursor()
        return True

    def restore_hoist(self, nodes: Iterable[Heddle]) -> None:
        """Hoist these nodes as they were when they were last seen."""
        self._hoist.restore(nodes)
        self._show_hoisted()

    def _show_hoisted(self) -> None:
        with self.changing():
            self.rows.set_roots(self._hoist.shown)
        self._show_cursor()
        self.post_message(self.FoldChanged(self, None))

    # ---------------------------------------------------------------- in sight

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
