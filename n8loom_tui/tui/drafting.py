"""Words on their way into the tree: what stands in the editor that is open is kept in the session a moment after each
change, and at once when the program ends. What was not entered stands there again when the editor is opened anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from n8loom_tui.session.drafts import Editor, Place
from n8loom_tui.session.history_edits import counted
from n8loom_tui.tui import outside
from n8loom_tui.tui.drafts import Drafts
from n8loom_tui.tui.screens.editor import EditorScreen, Written

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp

KEPT_AFTER = 0.5
"""Seconds between a key and the words being handed over, at most: with what a commit takes, they are in the file
within a second."""
GONE = "The node that these words were for is gone. Entered, they begin a new loom."


class Drafting:
    """On an app."""

    def __init__(self, app: LoomApp) -> None:
        self._app = app
        self._open: tuple[Drafts, Place, EditorScreen] | None = None
        self._waits = False
        self._resumed: Place | None = None

    def ask(self, place: Place, screen: EditorScreen, enter: Callable[[Written], bool]) -> None:
        """Open an editor, which begins with what was written there before. `enter` takes what is written, and says
        whether it could: otherwise it stays kept."""
        drafts = self._app.saving.drafts
        held = drafts.at(place)
        if held is not None:
            screen.hold(held)
        screen.on_words = self._soon
        self._open = drafts, place, screen
        if place != self._resumed:
            self._resumed = None

        def closed(written: Written | None) -> None:
            self._note()
            self._open = None
            kept = drafts.at(place)
            if written is None:
                if kept is not None:
                    self._app.tell(f"Kept, not entered: {self.key} goes on with it.")
            else:
                drafts.forget(place)
                if not enter(written) and kept is not None:
                    drafts.keep(place, kept)
            self._app.saving.save("draft")

        self._app.push_screen(screen, closed)

    # ------------------------------------------------------------- what is kept

    def _soon(self) -> None:
        """Something was written."""
        if not self._waits:
            self._waits = True
            self._app.set_timer(KEPT_AFTER, self._in_time)

    def _in_time(self) -> None:
        self._waits = False
        self.keep()

    def keep(self) -> None:
        """Have what stands in the editor stored, if one is open."""
        if self._open is not None:
            self._note()
            self._app.saving.save("draft")

    def _note(self) -> None:
        if self._open is None:
            return
        drafts, place, screen = self._open
        words = screen.words()
        if words is None:
            drafts.forget(place)
        else:
            drafts.keep(place, words)

    # -------------------------------------------------------------- going on

    @property
    def key(self) -> str:
        """What goes on with what was written."""
        return self._app.keymap.label("resume_writing") or "the command palette"

    def tell(self) -> None:
        """Say that there are words, where no editor shows them by itself."""
        places = self._places()
        if places and self._app.document.roots:
            where = "" if len(places) == 1 else f" at {counted(len(places), 'place')}"
            self._app.tell(f"Words that were not entered are kept{where}: {self.key} goes on with them.")

    def _places(self) -> list[Place]:
        """Where something is written that is not entered, the latest last. What a program of the person's own was given
        when everything ended, and did nothing with, is nothing."""
        nodes, drafts = self._app.document.nodes, self._app.saving.drafts
        return [
            place
            for place, draft in drafts.all().items()
            if not (draft.folder and place.node in nodes)
            or outside.newest(draft).text != nodes[place.node].source_text()
            or outside.holds_more(draft.folder)
        ]

    def next_place(self) -> Place | None:
        """Where to go on: where something was written last, and from there to what was written before."""
        places = self._places()[::-1]
        if not places:
            return None
        behind = places.index(self._resumed) + 1 if self._resumed in places else 0
        self._resumed = places[behind % len(places)]
        return self._resumed

    def ask_for_lost(self, place: Place) -> None:
        """Open an editor for words whose node is gone."""
        self.ask(place, EditorScreen("Words that were not entered", intro=GONE), self._app.new_looms.enter)


ACTIONS = {
    Editor.LOOM: "new_loom",
    Editor.CHILD: "add_text",
    Editor.TURN: "chat_turn",
    Editor.TEXT: "edit",
    Editor.NOTE: "note",
}
"""The action that opens each editor."""
