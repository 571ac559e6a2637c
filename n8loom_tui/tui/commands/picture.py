"""The tree as a picture, and two paths compared."""

from __future__ import annotations

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError
from n8loom_tui.tui.screens.compare import CompareScreen
from n8loom_tui.tui.screens.map import MapScreen


class Picture(Part):
    """The tree as a picture, and two paths compared."""

    def do_map(self, _count: int | None) -> None:
        node, app = self._node(), self._app
        view = app.view
        screen = MapScreen(
            app.keymap,
            app.document,
            node,
            view.tree_view.signs,
            visited=view.tree_view.rows.visited.child,
            shape=lambda: view.shape,
        )
        app.push_screen(screen, self._chosen)

    def do_compare(self, _count: int | None) -> None:
        node, app = self._node(), self._app
        marked = app.marked_nodes()
        if len(marked) == 2:
            self._compare(*marked)
            return
        first = app.document.nodes.get(app.view.compared or "")
        if first is None:
            self._remember(node)
            key = app.keymap.label("compare")
            app.status.said = f"compare with: go to another node and press {key} again"
            return
        self._remember(None)
        if first is node:
            first = self._sibling(node)
        self._compare(first, node)

    def _remember(self, node: Heddle | None) -> None:
        view = self._app.view
        changed = [self._app.document.nodes.get(view.compared or ""), node]
        view.compared = node.id if node is not None else None
        for other in changed:
            if other is not None:
                self._tree.nodes_changed([other])

    def _sibling(self, node: Heddle) -> Heddle:
        """The sibling before a node, or behind it if it is the first."""
        siblings = node.parent.children if node.parent is not None else self._app.document.roots
        if len(siblings) < 2:
            raise EditError("This is an only child: there is no sibling to compare it with.")
        at = siblings.index(node)
        return siblings[at - 1 if at else 1]

    def _compare(self, left: Heddle, right: Heddle) -> None:
        screen = CompareScreen(self._app.keymap, left, right, self._tree.signs)
        self._app.push_screen(screen, self._chosen)

    def _chosen(self, node: Heddle | None) -> None:
        """Go where a screen was left for."""

        def go() -> None:
            if node is not None:
                self._see_there(node)
                self._app.leap(node)

        self._attempt(go)
