"""Which session is open: what is offered at the start, the session browser, and leaving one session for another."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from n8loom_tui.session import library
from n8loom_tui.session.errors import SessionError
from n8loom_tui.tui.document import Document
from n8loom_tui.tui.glimpsed import begin_opening
from n8loom_tui.tui.saving import Saving
from n8loom_tui.tui.screens.sessions import NewLoom, Open, SessionsScreen
from n8loom_tui.tui.screens.wait import WaitScreen
from n8loom_tui.tui.widgets.rows import TreeRows

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp

WELCOME = "Welcome back: enter goes on with the last one, ctrl+n begins a new loom."


class Opening:
    """Opens sessions in an app."""

    def __init__(self, app: LoomApp) -> None:
        self._app = app
        self._offered = False
        self.leaving: list[Saving] = []
        """Sessions that were left, and are being stored still."""

    def welcome(self) -> None:
        """Nothing is open yet: offer the sessions there are, the last one first, or else an empty page."""
        if not self._offered and library.listed():
            self.browse(WELCOME)
        else:
            self._app.new_looms.write_first()

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
                    app.new_looms.write_first()

        app.push_screen(SessionsScreen(app.saving.path, app.saving.stored, intro), chosen)

    async def open(self, path: Path | None) -> None:
        """Leave the session that is open, which is stored, for another one (None: a new one). Nothing happens to what
        somebody is writing meanwhile: then the other one only waits to be opened."""
        app = self._app
        if path is not None and self._is_open(path):
            return
        if app.screen is not app.view or app.saving.moving:
            app.tell(
                f"{path.stem if path else 'A new session'} is ready; {app.keymap.label('sessions')} opens it."
            )
            return
        wait = WaitScreen(f"Opening {path.stem if path else 'a new session'} …")
        await app.push_screen(wait)
        try:
            saving = await asyncio.to_thread(begin_opening, path, app.size.height)
        except SessionError as error:
            app.tell(str(error), "error")
            wait.dismiss()
            return
        left, rows = app.saving, app.view.tree_view.rows
        self.leaving.append(left)
        app.leaving.end_all()
        app.launch = replace(app.launch, prompt=None, named=False, notices=(), given={})
        app.take_up(saving)
        app.show_anew()
        app.pop_screen()
        await app.switch_screen(app.view)
        app.call_after_refresh(app.begin)
        for line in await asyncio.to_thread(left.leave):
            app.tell(line, "warning")
        self.leaving.remove(left)
        await asyncio.to_thread(_take_apart, left.document, rows)

    def _is_open(self, path: Path) -> bool:
        """Whether a path leads to the session that is open, perhaps by another name."""
        own = self._app.saving.path
        try:
            return own is not None and path.samefile(own)
        except OSError:
            return path == own


def _take_apart(document: Document, rows: TreeRows) -> None:
    """Have the memory of trees that were left free: their nodes hold each other, and the cycle collector is kept from
    them, since it would stop everybody for the better part of a second."""
    rows.clear()
    trees = document.trees
    nodes = [*trees.nodes.values(), *(node for top in trees.trash.values() for node in top.walk())]
    for known in (trees.nodes, trees.trash, trees.roots, trees.bookmarks, trees.unread):
        known.clear()
    for node in nodes:
        node.parent, node.children = None, []
