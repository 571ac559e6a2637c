"""Which rows a tree shows when a session is opened, worked out before any widget is told. No user interface in here, so
that any thread may do it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from n8loom_tui.loom.heddle import Heddle

from .hoist import Hoist
from .rows import TreeRows


@dataclass(frozen=True, slots=True)
class TreeShape:
    """Rows with a cursor, and what of the trees they show."""

    rows: TreeRows
    hoist: Hoist

    @classmethod
    def of(
        cls,
        roots: Iterable[Heddle],
        cursor: Heddle | None,
        *,
        folded: Iterable[str] = (),
        hoisted: Iterable[Heddle] = (),
        visited: Mapping[str, str] | None = None,
        below: Mapping[str, int] | None = None,
    ) -> TreeShape:
        """The shape with the cursor on a node: what hides that is unfolded, or not hoisted any more.

        `folded`: ids of nodes with children. `below` tells how many nodes stand below some of them where these are
        not all here (fewer than 0: very many).
        """
        hoist = Hoist()
        hoist.roots = list(roots)
        hoist.restore(hoisted)
        hidden = set(folded)
        if cursor is not None:
            hoist.reach(cursor)
            above = cursor.parent if cursor is not hoist.top else None
            while above is not None:
                hidden.discard(above.id)
                above = above.parent if above is not hoist.top else None
        rows = TreeRows(hidden)
        rows.visited.restore(visited or {})
        rows.set_roots(hoist.shown)
        rows.count_below(below or {})
        if cursor is not None:
            rows.move_to(cursor)
        return cls(rows, hoist)
