"""Other views of what is at the cursor, on screens of their own."""

from __future__ import annotations

from dataclasses import replace

from n8loom_tui.loom.foresight import Foresight
from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.protocol import GivenToken
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError
from n8loom_tui.tui.screens.multiverse import MultiverseScreen
from n8loom_tui.tui.screens.side_by_side import SideBySide
from n8loom_tui.tui.widgets.shown import last_line


class Views(Part):
    """Other views of what is at the cursor, on screens of their own."""

    def do_children_side_by_side(self, _count: int | None) -> None:
        node = self._node()
        if not node.children:
            raise EditError(f"Nothing below yet: {self._app.keymap.label('ramify')} grows branches here.")

        def chosen(child: Heddle | None) -> None:
            if child is not None:
                self._attempt(lambda: self._go_there(child))

        self._app.push_screen(
            SideBySide(self._app.document, node, self._app.keymap, self._app.looks.signs), chosen
        )

    def do_multiverse(self, _count: int | None) -> None:
        app, node = self._app, self._node()
        app.document.refuse_growing(node, "Wait for it to end, or stop it.")
        if app.status.failure:
            raise EditError(app.status.failure)
        if node.terminal:
            raise EditError("The model ended here: nothing comes next.")
        before = app.lore.before(node, len(node.tokens))
        title = last_line(node.text, " ⏎ ", 80)

        def chosen(given: tuple[GivenToken, ...] | None) -> None:
            if given:
                self._attempt(lambda: self._take_way(node, given))

        screen = MultiverseScreen(
            Foresight(app.document.path_of(node)), before, title, app.lore, app.keymap, app.looks.signs
        )
        app.push_screen(screen, chosen)

    def _take_way(self, node: Heddle, given: tuple[GivenToken, ...]) -> None:
        """Make a child of these tokens. The engine says them, so that their text and their KV are as in any branch."""
        self._see_there(node)
        app = self._app
        params = replace(app.settings.params, max_tokens=len(given), stop_strings=(), until=())
        first = len(node.children)
        change = app.document.ramify([node], 1, params, given)
        change.focus = node.children[first] if len(node.children) > first else node
        app.show_there(change, "way")

    def _go_there(self, node: Heddle) -> None:
        self._see_there(node)
        self._app.view.go_to(node)
