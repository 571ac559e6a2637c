"""Rows of the tree as they were laid out last. What a row is made of is compared, so nobody has to tell what changed; a
row that says what it said is not laid out again when it moves on the screen. No user interface in here."""

from __future__ import annotations

from n8loom_tui.loom.heddle import Kind, Loom

from .row_layout import RowLayout, lay_out
from .row_views import RowView
from .signs import Signs

_KEPT = 4096
"""Of how many rows this is kept."""


class LaidOut:
    """Keeps the layouts of rows."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[tuple[object, ...], RowLayout]] = {}

    def row(
        self,
        view: RowView,
        signs: Signs,
        width: int,
        streaming: bool,
        spinner: str,
        extra: str,
        marked: bool,
        evicted: bool,
    ) -> RowLayout:
        """The same as `lay_out` gives."""
        node = view.node
        around = (view, signs, width, streaming, spinner, extra, marked, evicted)
        said = (node.kind, node.text, node.marks, node.finish, node.terminal)
        known = self._rows.get(node.id)
        if known is not None and known[0] == (around, said):
            return known[1]
        row = lay_out(view, signs, width, streaming, spinner, extra, marked=marked, evicted=evicted)
        elsewhere = node.kind is Kind.TURN or isinstance(
            node, Loom
        )  # what these say stands in other places too
        if not elsewhere:
            if len(self._rows) >= _KEPT:
                self._rows.clear()
            self._rows[node.id] = (around, said), row
        return row
