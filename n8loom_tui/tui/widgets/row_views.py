"""What there is to draw of a row: how it hangs in the tree. No user interface in here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from n8loom_tui.loom.heddle import Heddle

from .sequence import Row


class Branch(Enum):
    """How a row hangs on the row of its parent."""

    ROOT = "root"
    ONLY = "only"  # an only child: it goes on under its parent, with no further indent
    MIDDLE = "middle"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class RowView:
    """What there is to draw of one row.

    `depth` counts the levels of indent left of it; `rails` tells for each level (for the innermost ones, if
    they are many) whether a line runs down through it. `hidden` counts the nodes below if the row is folded; a number
    below 0 says that they are not counted yet.
    """

    node: Heddle
    branch: Branch
    depth: int
    rails: tuple[bool, ...]
    has_children: bool
    folded: bool
    hidden: int


def row_views(
    rows: Sequence[Row], folded: Collection[str], below: Callable[[Heddle], int], keep: int
) -> list[RowView]:
    """The views of rows that follow one another in their list, with at most `keep` rails each.

    `below` counts the nodes below one. Costs as much as the rows and the way down to the first of them are
    long.
    """
    rails: list[bool] = []
    level: dict[Row, int] = {}
    way: list[Row] = []
    row = rows[0].above if rows else None
    while row is not None:
        way.append(row)
        row = row.above
    for row in reversed(way):
        _descend(row, rails, level)
    views: list[RowView] = []
    for row in rows:
        del rails[level[row.above] if row.above is not None else 0 :]
        node = row.node
        is_folded = bool(node.children) and node.id in folded
        hidden = below(node) if is_folded else 0
        shown = tuple(rails[-keep:])
        views.append(RowView(node, _branch(row), len(rails), shown, bool(node.children), is_folded, hidden))
        _descend(row, rails, level)
    return views


def _branch(row: Row) -> Branch:
    if row.above is None:
        return Branch.ROOT
    siblings = row.above.node.children
    if len(siblings) <= 1:
        return Branch.ONLY
    return Branch.LAST if siblings[-1] is row.node else Branch.MIDDLE


def _descend(row: Row, rails: list[bool], level: dict[Row, int]) -> None:
    """Make `rails` those of the row's children. They begin with those of all that stands above, so one list
    serves all rows in their order; `level` says how much of it belongs to a row."""
    if row.above is None:
        rails.clear()
    else:
        del rails[level[row.above] :]
        siblings = row.above.node.children
        if len(siblings) > 1:
            rails.append(siblings[-1] is not row.node)
    level[row] = len(rails)
