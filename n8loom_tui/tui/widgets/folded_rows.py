"""The rows of trees in their order, without those that are folded away. No user interface in here, nor a cursor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from n8loom_tui.garbage import no_collector
from n8loom_tui.loom.heddle import Heddle

from .sequence import Row, RowList


class FoldedRows:
    """A row for each node that nothing folded hides.

    Attributes:
        listed: the rows, from top to bottom.
        folded: ids of the nodes below which none has a row. Whoever changes them puts in or takes out the rows.
    """

    def __init__(self, folded: Iterable[str]) -> None:
        self.listed = RowList()
        self.folded = set(folded)
        self._at: dict[str, Row] = {}

    def of(self, node: Heddle) -> Row | None:
        """The node's row; None if it has none (folded away, or of another tree)."""
        return self._at.get(node.id)

    def index(self, row: Row) -> int:
        """The row's number."""
        return self.listed.index(row)

    def node_at(self, index: int) -> Heddle | None:
        """The node of the row with this number, if there is such a row."""
        return self.listed[index].node if 0 <= index < len(self.listed) else None

    # -------------------------------------------------------- rows come and go

    def fill(self, roots: Iterable[Heddle]) -> None:
        """Make all rows anew: those of these trees."""
        self.clear()
        with no_collector():
            self.listed.insert(0, self._make([(root, None) for root in roots]))

    def clear(self) -> None:
        """Have no rows any more."""
        self._at = {}
        self.listed.clear()

    def put(self, above: Row, node: Heddle) -> None:
        """A row for a child that has come, and for what shows below it, unless it has one already."""
        if node.id not in self._at:
            index = self._place(above, node)
            self.listed.insert(index, self._make([(node, above)]))

    def put_below(self, row: Row) -> None:
        """Rows for what shows below this one, where none are yet."""
        if row.node.id not in self.folded:
            todo: list[tuple[Heddle, Row | None]] = [(child, row) for child in row.node.children]
            self.listed.insert(self.index(row) + 1, self._make(todo))

    def take(self, index: int, count: int) -> None:
        """Take out so many rows from this number on."""
        for row in islice(self.listed.from_(index), count):
            del self._at[row.node.id]
        self.listed.remove(index, count)

    def _make(self, todo: list[tuple[Heddle, Row | None]]) -> list[Row]:
        """Rows for these nodes (each with its parent's row) and for all that shows below them, in order."""
        rows: list[Row] = []
        at, folded = self._at, self.folded
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

    # ---------------------------------------------------- what belongs together

    def extent(self, row: Row, index: int) -> int:
        """How many rows belong to the one with this number, itself included: by what the rows know, whatever became of
        the tree."""
        inside = {row}
        for below in self.listed.from_(index + 1):
            if below.above not in inside:
                break
            inside.add(below)
        return len(inside)

    def last_row(self, row: Row) -> Row:
        """The last row of all that belong to this one."""
        while True:
            if row.node.id in self.folded:
                return row
            rows = (self._at.get(child.id) for child in reversed(row.node.children))
            last = next((below for below in rows if below is not None and below.above is row), None)
            if last is None:
                return row
            row = last

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
                return self.index(self.last_row(before)) + 1
        return self.index(above) + 1
