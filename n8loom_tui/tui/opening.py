"""Which session is open: what is offered at the start, the session browser, and leaving one session for another."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from n8loom_tui.session import library
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.load import collect_again
from n8loom_tui.tui.saving import Saving
from n8loom_tui.tui.screens.sessions import NewLoom, Open, SessionsScreen

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp

WELCOME = "Welcome back: enter goes on with the last one, ctrl+n begins a new loom."


class Opening:
    """Opens sessions in an app."""

    def __init__(self, app: LoomApp) -> None:
        self._app = app
        self._offered = False
        self._switching = False

    def welcome(self) -> None:
        """Nothing is open yet: offer the sessions there are, the last one first, or else an empty page."""
        if not self._offered and library.listed():
            self.browse(WELCOME)
        else:
            self._app.write_first_prompt()

    def browse(self, intro: str = "") -> None:
        """Open the session browser."""
        self._offered = True
        app = self._app

        def chosen(wanted: Open | NewLoom | None) -> None:
            match wanted:
                case Open(path):
                    app.run_worker(self.open(path), group="files")
                case NewLoom():
                    app.run_worker(self.open(None), group="files")
                case None if not app.document.roots:
                    app.write_first_prompt()

        app.push_screen(SessionsScreen(app.saving.path, intro), chosen)

    async def open(self, path: Path | None) -> None:
        """Leave the session that is open, which is stored, for another one (None: a new one)."""
        app = self._app
        if self._switching or (path is not None and path == app.saving.path):
            return
        self._switching = True
        try:
            saving = await asyncio.to_thread(Saving.open, path)
        except SessionError as error:
            app.tell(str(error), "error")
            return
        finally:
            self._switching = False
        left = app.saving
        while app.screen is not app.view and len(app.screen_stack) > 1:
            app.pop_screen()  # what was opened meanwhile is about the session that is left
        collect_again()
        app.end_all()
        app.take_up(saving)
        await app.switch_screen(app.view)
        stored = await asyncio.to_thread(left.close)
        if not stored:
            for line in left.last_words(stored):
                app.tell(line, "warning")
        app.call_after_refresh(app.begin)
