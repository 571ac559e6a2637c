"""The rows of a tree: which nodes have one, in which order, and where the cursor stands. No user interface in
here.

A node's row is found, put in and taken out in a time that hardly grows with the tree (`folded_rows`), and whatever
depends on the way down to a row (its indent, its guides) is worked out for the few rows that are drawn (`row_views`).
Nothing recurses. The cursor is a node, so rows may come and go around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from n8loom_tui.garbage import no_collector
from n8loom_tui.loom.heddle import Heddle

from .below import Below
from .folded_rows import FoldedRows
from .row_views import RowView, row_views
from .sequence import Row
from .visited import Visited


class TreeRows:
    """The flat rows of one tree or several, what is folded in them, and a cursor.

    The tree itself belongs to somebody else, who tells what changed in it: `added`, `removed`,
    `changed_below`.
    """

    def __init__(self, folded: Iterable[str] = ()) -> None:
        """`folded`: ids of nodes with children whose rows are hidden from the first."""
        self._roots: list[Heddle] = []
        self._rows = FoldedRows(folded)
        self._cursor: Heddle | None = None
        self.visited = Visited()
        self._below = Below()
        self.version = 0
        """Grows whenever rows came, went, or were folded."""

    # ---------------------------------------------------------------- reading

    def __len__(self) -> int:
        return len(self._rows.listed)

    @property
    def roots(self) -> Sequence[Heddle]:
        return self._roots

    @property
    def cursor(self) -> Heddle | None:
        """The node that the cursor is on; None only if there are no rows."""
        return self._cursor

    @property
    def cursor_index(self) -> int:
        """The number of the cursor's row; -1 if there is none."""
        row = self._cursor_row()
        return -1 if row is None else self._rows.index(row)

    def node_at(self, index: int) -> Heddle | None:
        """The node of the row with this number, if there is such a row."""
        return self._rows.node_at(index)

    def index_of(self, node: Heddle) -> int | None:
        """The number of the node's row; None if it has none (folded away, or of another tree)."""
        row = self._rows.of(node)
        return None if row is None else self._rows.index(row)

    def place(self, node: Heddle) -> tuple[int, ...] | None:
        """Where a node comes in the order of these trees, folded away or not: to be compared with another's. None: it
        is not in them."""
        hidden: list[int] = []
        above: Heddle | None = node
        while above is not None and (row := self._rows.of(above)) is None:
            if above.parent is not None:
                hidden.append(above.parent.children.index(above))
            above = above.parent
        return None if above is None or row is None else (self._rows.index(row), *reversed(hidden))

    def is_folded(self, node: Heddle) -> bool:
        return node.id in self._rows.folded

    def below(self, node: Heddle) -> int:
        """How many nodes stand below this one."""
        return self._below.count(node)

    def count_below(self, counts: Mapping[str, int]) -> None:
        """Take it from somebody how many nodes stand below some."""
        self._below.take(counts)

    def views(self, start: int, stop: int, keep: int = 64) -> list[RowView]:
        """The rows from `start` up to `stop` (not included), with at most `keep` rails each."""
        start = max(start, 0)
        rows = list(islice(self._rows.listed.from_(start), max(stop - start, 0)))
        return row_views(rows, self._rows.folded, self._below.count, keep)

    def clear(self) -> None:
        """Have no rows any more, nor know of any node."""
        self._rows.clear()
        self._below.clear()
        self._roots, self._cursor = [], None

    # ------------------------------------------------------- the tree changed

    def set_roots(self, roots: Iterable[Heddle]) -> None:
        """Show these trees. The cursor stays if its node has a row again, else it goes up or to the first
        root."""
        self._roots = list(roots)
        self._below.clear()
        self._rebuild()

    def added(self, parent: Heddle, nodes: Iterable[Heddle]) -> None:
        """Nodes were entered into `parent.children`. Those that have a row already are left alone."""
        self._below.changed(parent)
        self.version += 1
        above = self._rows.of(parent)
        if above is not None and not self.is_folded(parent):
            for node in nodes:
                self._rows.put(above, node)

    def removed(self, node: Heddle, parent: Heddle | None = None) -> None:
        """A node was taken out, with all below it. `parent` is the one it was taken from, if the caller
        knows.

        The cursor goes from a removed node to the next sibling, else to the previous one, else to the parent.
        """
        row = self._rows.of(node)
        parent = parent or node.parent
        if parent is None and row is not None and row.above is not None:
            parent = row.above.node
        if parent is not None:
            self._below.changed(parent)
        else:
            self._below.clear()
        self._roots = [root for root in self._roots if root is not node]
        self.version += 1
        if row is None:
            return
        index = self._rows.index(row)
        count = self._rows.extent(row, index)
        if index <= self.cursor_index < index + count:
            self._set_cursor(self._heir(row, index, count))
        self._rows.take(index, count)

    def changed_below(self, node: Heddle) -> None:
        """What stands below this node is no longer what it was; nobody says in what way."""
        self._below.changed(node)
        self.version += 1
        row = self._rows.of(node)
        if row is None:
            return
        above_cursor = self._way_up(self._cursor)
        index = self._rows.index(row)
        self._rows.take(index + 1, self._rows.extent(row, index) - 1)
        self._rows.put_below(row)
        self._settle(above_cursor)

    def _heir(self, row: Row, index: int, count: int) -> Heddle | None:
        """Where the cursor goes when these rows go."""
        rows = self._rows.listed
        if index + count < len(rows) and (after := rows[index + count]).above is row.above:
            return after.node
        before = rows[index - 1] if index > 0 else None
        while before is not None and before is not row.above and before.above is not row.above:
            before = before.above
        return before.node if before is not None else None

    # ---------------------------------------------------------------- folding

    def fold(self, node: Heddle) -> bool:
        """Hide what stands below the node; the cursor comes up to it. False if there was nothing to hide."""
        if not node.children or self.is_folded(node):
            return False
        row = self._rows.of(node)
        if row is not None:
            index = self._rows.index(row)
            count = self._rows.index(self._rows.last_row(row)) + 1 - index
            if index < self.cursor_index < index + count:
                self._remember(self._cursor)
                self._cursor = node
            self._rows.take(index + 1, count - 1)
        self._rows.folded.add(node.id)
        self.version += 1
        return True

    def unfold(self, node: Heddle) -> bool:
        """Show what stands below the node. False if it was not folded."""
        if not self.is_folded(node):
            return False
        self._rows.folded.discard(node.id)
        row = self._rows.of(node)
        if row is not None:
            with no_collector():
                self._rows.put_below(row)
        self.version += 1
        return True

    def fold_all_but_path(self, node: Heddle) -> None:
        """Fold all that does not lead to the node; what stands right below it stays in sight."""
        path = {above.id for above in node.ancestors()}
        self._fold_all(except_=path)

    def unfold_all(self) -> None:
        """Unfold every node, of these trees or not."""
        self._rows.folded.clear()
        self._rebuild()

    def unfold_shown(self) -> None:
        """Unfold every node of these trees."""
        self._rows.folded.difference_update(node.id for root in self._roots for node in root.walk())
        self._rebuild()

    def fold_all(self) -> None:
        """Fold every node that has children."""
        self._fold_all(except_=set())

    def _fold_all(self, except_: set[str]) -> None:
        stack = list(self._roots)
        while stack:
            node = stack.pop()
            if node.children:
                self._rows.folded.add(node.id)
                stack.extend(node.children)
        self._rows.folded -= except_
        self._rebuild()

    @property
    def folded_ids(self) -> frozenset[str]:
        """The ids of the nodes that are folded."""
        return frozenset(self._rows.folded)

    def restore_folds(self, ids: Iterable[str]) -> None:
        """Fold just these nodes, where they have children."""
        wanted = set(ids)
        if not (wanted or self._rows.folded):
            return
        self._rows.folded = {
            n.id for root in self._roots for n in root.walk() if n.id in wanted and n.children
        }
        self._rebuild()

    def reveal(self, node: Heddle) -> bool:
        """Unfold all that hides the node. False if it does not stand in these trees."""
        hidden: list[Heddle] = []
        above: Heddle | None = node
        while above is not None and self._rows.of(above) is None:
            hidden.append(above)
            above = above.parent
        if above is None:
            return False
        if hidden:
            for between in [above, *hidden[1:]]:
                self._rows.folded.discard(between.id)
            self.changed_below(above)
        return self._rows.of(node) is not None

    def _rebuild(self) -> None:
        above_cursor = self._way_up(self._cursor)
        self._rows.fill(self._roots)
        self.version += 1
        self._settle(above_cursor)

    def _way_up(self, node: Heddle | None) -> list[Heddle]:
        """The node and those above it, by what the rows know."""
        row = self._rows.of(node) if node is not None else None
        nodes: list[Heddle] = []
        while row is not None:
            nodes.append(row.node)
            row = row.above
        return nodes

    def _settle(self, candidates: list[Heddle]) -> None:
        """Put the cursor on the first of these nodes that has a row, else on the first row."""
        found = next((node for node in candidates if self._rows.of(node) is not None), None)
        self._cursor = found if found is not None else self.node_at(0)

    # ------------------------------------------------------------- the cursor

    def move_to(self, node: Heddle) -> bool:
        """Put the cursor on a node, unfolding what hides it. False if it was there already or has no place
        here."""
        if not self.reveal(node):
            return False
        return self._set_cursor(node)

    def move_rows(self, step: int) -> bool:
        """Move down (up if negative) by rows, as far as there are any."""
        if self._cursor is None:
            return False
        return self._set_cursor(self.node_at(min(max(self.cursor_index + step, 0), len(self) - 1)))

    def move_top(self) -> bool:
        return self._set_cursor(self.node_at(0))

    def move_bottom(self) -> bool:
        return self._set_cursor(self.node_at(len(self) - 1))

    def move_parent(self) -> bool:
        """Go to the parent. False on a root."""
        row = self._cursor_row()
        return row is not None and row.above is not None and self._set_cursor(row.above.node)

    def move_child(self) -> bool:
        """Go to the child that was visited last, else to the first. False if none is in sight."""
        if self._cursor is None or self._cursor.id in self._rows.folded:
            return False
        child = self.visited.child(self._cursor)
        return child is not None and self._rows.of(child) is not None and self._set_cursor(child)

    def move_sibling(self, step: int) -> bool:
        """Go `step` branches down under the same parent (up if negative), as far as there are any."""
        row = self._cursor_row()
        if row is None:
            return False
        siblings = self._roots if row.above is None else row.above.node.children
        here = next((at for at, node in enumerate(siblings) if node is row.node), None)
        if here is None:
            return False
        there = siblings[min(max(here + step, 0), len(siblings) - 1)]
        return self._rows.of(there) is not None and self._set_cursor(there)

    def _cursor_row(self) -> Row | None:
        return None if self._cursor is None else self._rows.of(self._cursor)

    def _set_cursor(self, node: Heddle | None) -> bool:
        if node is self._cursor:
            return False
        self._cursor = node
        self._remember(node)
        return True

    def _remember(self, node: Heddle | None) -> None:
        """Note along the way up which child leads here."""
        row = self._rows.of(node) if node is not None else None
        while row is not None and row.above is not None:
            self.visited.note(row.above.node, row.node)
            row = row.above
