"""Beginning a new tree: its prompt is written, or was given on the command line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from n8loom_tui.session.drafts import Editor, Place

from .screens.editor import CHAT, EditorScreen, Written

if TYPE_CHECKING:
    from .app import LoomApp

INTRO = (
    "A loom is a tree of texts: write how it begins, then press space and eight continuations grow at once. "
    "Walk among them with the arrows and go on from any. Enter alone takes the example and grows it."
)
EXAMPLE = "What would a river say about the sea?"


class NewLooms:
    """On an app."""

    def __init__(self, app: LoomApp) -> None:
        self._app = app

    def write_first(self) -> None:
        """Open the editor for somebody who sees an empty page."""
        self.write(INTRO, EXAMPLE)

    def write(self, intro: str = "", example: str = "") -> None:
        """Open the editor for a new loom. Enter alone takes the example, if there is one, and has it grow."""
        choice = replace(CHAT, chosen=self._app.launch.chat)
        screen = EditorScreen("A new loom", intro=intro, choice=choice, system=True, example=example)
        self._app.drafting.ask(Place(Editor.LOOM), screen, self.enter)

    def enter(self, written: Written) -> bool:
        """Take what was written for a new tree; nothing makes none. Always can."""
        if written.text.strip():
            self.start(written)
            if written.example:
                self._app.perform("ramify")
        return True

    def start(self, written: Written) -> None:
        """Make a new tree and go to it."""
        app = self._app
        app.show_there(app.document.new_loom(written.text, written.chosen, written.system), "new loom")
        keys = app.keymap.label("ramify"), app.keymap.label("help")
        app.tell(f"{keys[0]} grows {app.settings.n} branches from here. {keys[1]} shows all keys.")
