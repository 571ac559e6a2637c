"""The rows of a tree: which nodes have one, in which order, and where the cursor stands. No user interface in
here.

A node's row is found, put in and taken out in a time that hardly grows with the tree (`sequence.RowList`),
and whatever depends on the way down to a row (its indent, its guides) is worked out for the few rows that are
drawn (`row_views`). Nothing recurses. The cursor is a node, so rows may come and go around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from n8loom_tui.garbage import no_collector
from n8loom_tui.loom.heddle import Heddle

from .row_views import RowView, row_views
from .sequence import Row, RowList
from .visited import Visited


class TreeRows:
    """The flat rows of one tree or several, what is folded in them, and a cursor.

    The tree itself belongs to somebody else, who tells what changed in it: `added`, `removed`,
    `changed_below`.
    """

    def __init__(self, folded: Iterable[str] = ()) -> None:
        """`folded`: ids of nodes with children whose rows are hidden from the first."""
        self._roots: list[Heddle] = []
        self._rows = RowList()
        self._at: dict[str, Row] = {}
        self._folded = set(folded)
        self._cursor: Heddle | None = None
        self.visited = Visited()
        self._below: dict[str, int] = {}
        self.version = 0
        """Grows whenever rows came, went, or were folded."""

    # ---------------------------------------------------------------- reading

    def __len__(self) -> int:
        return len(self._rows)

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
        return -1 if self._cursor is None else self._rows.index(self._at[self._cursor.id])

    def node_at(self, index: int) -> Heddle | None:
        """The node of the row with this number, if there is such a row."""
        return self._rows[index].node if 0 <= index < len(self._rows) else None

    def index_of(self, node: Heddle) -> int | None:
        """The number of the node's row; None if it has none (folded away, or of another tree)."""
        row = self._at.get(node.id)
        return None if row is None else self._rows.index(row)

    def place(self, node: Heddle) -> tuple[int, ...] | None:
        """Where a node comes in the order of these trees, folded away or not: to be compared with another's. None: it
        is not in them."""
        hidden: list[int] = []
        above: Heddle | None = node
        while above is not None and (row := self._at.get(above.id)) is None:
            if above.parent is not None:
                hidden.append(above.parent.children.index(above))
            above = above.parent
        return None if above is None or row is None else (self._rows.index(row), *reversed(hidden))

    def is_folded(self, node: Heddle) -> bool:
        return node.id in self._folded

    def below(self, node: Heddle) -> int:
        """How many nodes stand below this one. Counted once, until something changes below."""
        known = self._below.get(node.id)
        if known is None:
            known, stack = 0, list(node.children)
            while stack:
                child = stack.pop()
                known += 1
                counted = self._below.get(child.id)
                if counted is None:
                    stack.extend(child.children)
                else:
                    known += counted
            self._below[node.id] = known
        return known

    def count_below(self, counts: Mapping[str, int]) -> None:
        """Take it from somebody how many nodes stand below some."""
        self._below.update(counts)

    def views(self, start: int, stop: int, keep: int = 64) -> list[RowView]:
        """The rows from `start` up to `stop` (not included), with at most `keep` rails each."""
        start = max(start, 0)
        rows = list(islice(self._rows.from_(start), max(stop - start, 0)))
        return row_views(rows, self._folded, self.below, keep)

    def clear(self) -> None:
        """Have no rows any more, nor know of any node."""
        self._rows.clear()
        self._at.clear()
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
        self._forget_counts(parent)
        self.version += 1
        above = self._at.get(parent.id)
        if above is None or parent.id in self._folded:
            return
        for node in nodes:
            if node.id not in self._at:
                index = self._place(above, node)
                self._rows.insert(index, self._make([(node, above)]))

    def removed(self, node: Heddle, parent: Heddle | None = None) -> None:
        """A node was taken out, with all below it. `parent` is the one it was taken from, if the caller
        knows.

        The cursor goes from a removed node to the next sibling, else to the previous one, else to the parent.
        """
        row = self._at.get(node.id)
        parent = parent or node.parent
        if parent is None and row is not None and row.above is not None:
            parent = row.above.node
        if parent is not None:
            self._forget_counts(parent)
        else:
            self._below.clear()
        self._roots = [root for root in self._roots if root is not node]
        self.version += 1
        if row is None:
            return
        index = self._rows.index(row)
        count = self._extent(row, index)
        if index <= self.cursor_index < index + count:
            self._set_cursor(self._heir(row, index, count))
        self._take(index, count)

    def changed_below(self, node: Heddle) -> None:
        """What stands below this node is no longer what it was; nobody says in what way."""
        self._forget_counts(node)
        self.version += 1
        row = self._at.get(node.id)
        if row is None:
            return
        above_cursor = self._way_up(self._cursor)
        index = self._rows.index(row)
        self._take(index + 1, self._extent(row, index) - 1)
        self._rows.insert(index + 1, self._make(self._children(row)))
        self._settle(above_cursor)

    def _forget_counts(self, node: Heddle) -> None:
        if self._below:
            for above in node.ancestors():
                self._below.pop(above.id, None)

    def _children(self, row: Row) -> list[tuple[Heddle, Row | None]]:
        if row.node.id in self._folded:
            return []
        return [(child, row) for child in row.node.children]

    def _make(self, todo: list[tuple[Heddle, Row | None]]) -> list[Row]:
        """Rows for these nodes (each with its parent's row) and for all that shows below them, in order."""
        rows: list[Row] = []
        at, folded = self._at, self._folded
        for top, above in todo:
            # Children are gone through as far as a child that has some of its own; then those are, first.
            stack: list[tuple[Iterator[Heddle], Row | None]] = [(iter((top,)), above)]
            while stack:
                nodes, parent = stack[-1]
                for node in nodes:
                    row = at[node.id] = Row(node, parent)
                    rows.append(row)
                    if node.children and node.id not in folded:
                        stack.append((iter(node.children), row))
                        break
                else:
                    stack.pop()
        return rows

    def _take(self, index: int, count: int) -> None:
        for row in islice(self._rows.from_(index), count):
            del self._at[row.node.id]
        self._rows.remove(index, count)

    def _extent(self, row: Row, index: int) -> int:
        """How many rows belong to this one, itself included: by what the rows know, whatever became of the
        tree."""
        inside = {row}
        for below in self._rows.from_(index + 1):
            if below.above not in inside:
                break
            inside.add(below)
        return len(inside)

    def _place(self, above: Row, node: Heddle) -> int:
        """The number that the row of a new child is to get."""
        siblings = above.node.children
        position = len(siblings) - 1
        while position > 0 and siblings[position] is not node:
            position -= 1
        while position > 0:
            position -= 1
            before = self._at.get(siblings[position].id)
            if before is not None:
                return self._rows.index(self._last_row(before)) + 1
        return self._rows.index(above) + 1

    def _last_row(self, row: Row) -> Row:
        """The last row of all that belong to this one."""
        while True:
            if row.node.id in self._folded:
                return row
            rows = (self._at.get(child.id) for child in reversed(row.node.children))
            last = next((below for below in rows if below is not None and below.above is row), None)
            if last is None:
                return row
            row = last

    def _heir(self, row: Row, index: int, count: int) -> Heddle | None:
        """Where the cursor goes when these rows go."""
        if index + count < len(self._rows) and (after := self._rows[index + count]).above is row.above:
            return after.node
        before = self._rows[index - 1] if index > 0 else None
        while before is not None and before is not row.above and before.above is not row.above:
            before = before.above
        return before.node if before is not None else None

    # ---------------------------------------------------------------- folding

    def fold(self, node: Heddle) -> bool:
        """Hide what stands below the node; the cursor comes up to it. False if there was nothing to hide."""
        if not node.children or node.id in self._folded:
            return False
        row = self._at.get(node.id)
        if row is not None:
            index = self._rows.index(row)
            count = self._rows.index(self._last_row(row)) + 1 - index
            if index < self.cursor_index < index + count:
                self._remember(self._cursor)
                self._cursor = node
            self._take(index + 1, count - 1)
        self._folded.add(node.id)
        self.version += 1
        return True

    def unfold(self, node: Heddle) -> bool:
        """Show what stands below the node. False if it was not folded."""
        if node.id not in self._folded:
            return False
        self._folded.discard(node.id)
        row = self._at.get(node.id)
        if row is not None:
            with no_collector():
                self._rows.insert(self._rows.index(row) + 1, self._make(self._children(row)))
        self.version += 1
        return True

    def fold_all_but_path(self, node: Heddle) -> None:
        """Fold all that does not lead to the node; what stands right below it stays in sight."""
        path = {above.id for above in node.ancestors()}
        self._fold_all(except_=path)

    def unfold_all(self) -> None:
        """Unfold every node, of these trees or not."""
        self._folded.clear()
        self._rebuild()

    def unfold_shown(self) -> None:
        """Unfold every node of these trees."""
        self._folded.difference_update(node.id for root in self._roots for node in root.walk())
        self._rebuild()

    def fold_all(self) -> None:
        """Fold every node that has children."""
        self._fold_all(except_=set())

    def _fold_all(self, except_: set[str]) -> None:
        stack = list(self._roots)
        while stack:
            node = stack.pop()
            if node.children:
                self._folded.add(node.id)
                stack.extend(node.children)
        self._folded -= except_
        self._rebuild()

    @property
    def folded_ids(self) -> frozenset[str]:
        """The ids of the nodes that are folded."""
        return frozenset(self._folded)

    def restore_folds(self, ids: Iterable[str]) -> None:
        """Fold just these nodes, where they have children."""
        wanted = set(ids)
        if not (wanted or self._folded):
            return
        self._folded = {n.id for root in self._roots for n in root.walk() if n.id in wanted and n.children}
        self._rebuild()

    def reveal(self, node: Heddle) -> bool:
        """Unfold all that hides the node. False if it does not stand in these trees."""
        hidden: list[Heddle] = []
        above: Heddle | None = node
        while above is not None and above.id not in self._at:
            hidden.append(above)
            above = above.parent
        if above is None:
            return False
        if hidden:
            for between in [above, *hidden[1:]]:
                self._folded.discard(between.id)
            self.changed_below(above)
        return node.id in self._at

    def _rebuild(self) -> None:
        above_cursor = self._way_up(self._cursor)
        self._at = {}
        self._rows.clear()
        todo: list[tuple[Heddle, Row | None]] = [(root, None) for root in self._roots]
        with no_collector():
            self._rows.insert(0, self._make(todo))
        self.version += 1
        self._settle(above_cursor)

    def _way_up(self, node: Heddle | None) -> list[Heddle]:
        """The node and those above it, by what the rows know."""
        row = self._at.get(node.id) if node is not None else None
        nodes: list[Heddle] = []
        while row is not None:
            nodes.append(row.node)
            row = row.above
        return nodes

    def _settle(self, candidates: list[Heddle]) -> None:
        """Put the cursor on the first of these nodes that has a row, else on the first row."""
        found = next((node for node in candidates if node.id in self._at), None)
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
        index = min(max(self.cursor_index + step, 0), len(self._rows) - 1)
        return self._set_cursor(self._rows[index].node)

    def move_top(self) -> bool:
        return self._set_cursor(self.node_at(0))

    def move_bottom(self) -> bool:
        return self._set_cursor(self.node_at(len(self._rows) - 1))

    def move_parent(self) -> bool:
        """Go to the parent. False on a root."""
        row = self._cursor_row()
        return row is not None and row.above is not None and self._set_cursor(row.above.node)

    def move_child(self) -> bool:
        """Go to the child that was visited last, else to the first. False if none is in sight."""
        if self._cursor is None or self._cursor.id in self._folded:
            return False
        child = self.visited.child(self._cursor)
        return child is not None and child.id in self._at and self._set_cursor(child)

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
        return there.id in self._at and self._set_cursor(there)

    def _cursor_row(self) -> Row | None:
        return None if self._cursor is None else self._at[self._cursor.id]

    def _set_cursor(self, node: Heddle | None) -> bool:
        if node is self._cursor:
            return False
        self._cursor = node
        self._remember(node)
        return True

    def _remember(self, node: Heddle | None) -> None:
        """Note along the way up which child leads here."""
        row = self._at.get(node.id) if node is not None else None
        while row is not None and row.above is not None:
            self.visited.note(row.above.node, row.node)
            row = row.above
