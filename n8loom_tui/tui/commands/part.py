"""What the commands have in common: app, tree, the node under the cursor, how a dialog's answer is entered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.document import Change, EditError

if TYPE_CHECKING:
    from textual.message import Message

    from n8loom_tui.tui.app import LoomApp
    from n8loom_tui.tui.widgets.tree import LoomTree

Command = Callable[[int | None], None]
"""Does one action; takes the count typed before the key, if the action has a use for one."""


class Part:
    """Some of the actions: one method `do_<action id>` for each."""

    footer: tuple[tuple[tuple[str, ...], str], ...] = ()
    """For a mode: what the keys' line shows while it is on, as (actions, the word for them)."""

    def __init__(self, app: LoomApp) -> None:
        self._app = app

    def settle(self) -> None:
        """For a mode: bring what it shows up to date. Called often."""

    def clicked(self, message: Message) -> None:
        """For a mode: something that it may be about was clicked."""

    def commands(self) -> dict[str, Command]:
        """What this part does, by action id."""
        return {name[3:]: getattr(self, name) for name in dir(self) if name.startswith("do_")}

    @property
    def _tree(self) -> LoomTree:
        return self._app.view.tree_view

    def _node(self) -> Heddle:
        node = self._app.view.current
        if node is None:
            raise EditError("There is no tree yet: start a new loom.")
        return node

    def _branches(self, count: int | None) -> int:
        """How many branches are wanted: as many as were typed, else as many as are set."""
        try:
            return self._app.settings.with_value("n", count or self._app.settings.n).n
        except ValueError as error:
            raise EditError(str(error)) from None

    def _marked(self) -> list[Heddle]:
        """The nodes that are marked, from top to bottom: what is done is done to them, as one."""
        return self._app.marked.nodes()

    def _change(self, label: str, node: Heddle, change: Callable[[], Change]) -> bool:
        """Make a change that was asked for in a dialog, and go there. Returns whether that could be done."""

        def made() -> None:
            self._see_there(node)
            if self._tree.is_folded(node):
                self._tree.unfold(node)
            self._app.show_there(change(), label)

        return self._attempt(made)

    def _see_there(self, node: Heddle) -> None:
        """While a dialog was open its node may have gone."""
        if node.id not in self._app.document.nodes:
            raise EditError("The node that this was for is gone.")

    def _attempt(self, action: Callable[[], None]) -> bool:
        """Do what a dialog was opened for; where it can't be done, say why. Returns whether it could."""
        try:
            action()
            return True
        except EditError as error:
            self._app.tell(str(error), "warning")
            return False
        finally:
            self._app.refresh_bars()
