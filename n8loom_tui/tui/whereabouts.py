"""Where the person stands and how they look at the tree, for the session: stored now and then, and on leaving.

None of it is a change of the loom. It is stored only once what the session told of it was taken up: before that the
screen stands wherever it begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from n8loom_tui.tui.stored import Look
from n8loom_tui.tui.widgets.tree_shape import TreeShape

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp

LOOK_EVERY = 20.0
"""Seconds after which it is stored what is hoisted and which children were visited last, if it has changed."""


class Whereabouts:
    """Of the session that is open in an app.

    Attributes:
        moved, folded: whether the person went elsewhere, and whether anything was (un)folded, since it was stored.
    """

    def __init__(self, app: LoomApp) -> None:
        self._app = app
        self._taken_up = False
        self._looked_at = 0.0
        self.moved = False
        self.folded = False

    def take_up(self, now: float, shape: TreeShape | None = None, line: int | None = None) -> None:
        """Go to where the person stood when the session was left: to the shape that was worked out, or to where that
        is. `line`: where on the screen the cursor is to be."""
        view, saving = self._app.view, self._app.saving
        self._taken_up, self._looked_at = True, now
        shape = shape or saving.shape()
        view.tree_view.show_shape(shape, line)
        self.folded = shape.rows.folded_ids != saving.folded_ids
        if shape.rows.cursor is not None:
            view.show_node(shape.rows.cursor)

    def store_changes(self, now: float) -> None:
        """Store what is otherwise than it was when this was called last."""
        if not self._taken_up:
            return
        view, saving = self._app.view, self._app.saving
        if self.moved or self.folded:
            saving.place(view.current, view.tree_view.folded_ids if self.folded else None)
            self.moved = self.folded = False
        if now - self._looked_at > LOOK_EVERY:
            self._looked_at = now
            self._store_look()

    def store(self) -> None:
        """Store all of it."""
        if self._taken_up:
            view = self._app.view
            self._app.saving.place(view.current, view.tree_view.folded_ids)
            self._store_look()

    def _store_look(self) -> None:
        tree = self._app.view.tree_view
        visited = tree.rows.visited.told(self._app.document.nodes)
        self._app.saving.store_look(Look(tuple(node.id for node in tree.hoisted), visited))
