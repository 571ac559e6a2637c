"""Sessions and the files of other programs: open, name, copy, export, import. What takes long runs beside the app."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from n8loom_tui.session import library
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.formats import import_file
from n8loom_tui.session.typed import mode_at
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError
from n8loom_tui.tui.exporting import Export, unnamed, write_export
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.screens.export import ExportScreen
from n8loom_tui.tui.widgets.sanitize import visible


class Files(Part):
    """Sessions and the files of other programs."""

    def do_sessions(self, _count: int | None) -> None:
        self._app.opening.browse()

    def do_save_as(self, _count: int | None) -> None:
        saving = self._app.saving
        title, hint = "Copy the session", "All is stored as it happens. A name, or a path, for a copy."
        if saving.stuck:
            title, hint = (
                "Save elsewhere",
                "The session's own file takes nothing. A name, or a path, to go on in.",
            )
        elif not saving.named:
            title, hint = (
                "Name the session",
                "All is stored as it happens. A name, or a path, for this session.",
            )

        def check(text: str) -> str | None:
            try:
                target = library.named(text)
                taken = mode_at(target) is not None
            except SessionError as error:
                return str(error)
            return f"{visible(str(target), ' ')} exists already; choose another name." if taken else None

        def answered(text: str | None) -> None:
            if text is not None:
                self._beside(self._save(text))

        name = "" if saving.named or saving.stuck else saving.title
        self._app.push_screen(AskScreen(title, hint, visible(name, " "), check), answered)

    async def _save(self, name: str) -> None:
        self._app.tell(await self._app.saving.save_as(library.named(name)))

    def do_export(self, _count: int | None) -> None:
        app = self._app
        node = self._node()
        marked = [other.id for other in app.marked_nodes()]

        def answered(wanted: Export | None) -> None:
            if wanted is not None:
                self._beside(self._export(wanted))

        app.push_screen(ExportScreen(app.saving.title, node.id, marked), answered)

    async def _export(self, wanted: Export) -> None:
        app = self._app
        app.hearing.store_growing()
        app.saving.place(app.view.current)
        notices = await write_export(app.saving, wanted)
        app.tell(" ".join([f"Written to {wanted.target}.", *notices]))

    def do_import(self, _count: int | None) -> None:
        def check(text: str) -> str | None:
            return unnamed(text)

        def answered(text: str | None) -> None:
            if text is not None:
                self._beside(self._import(text.strip()))

        hint = "A file of n8loom, PyLoom, Loomsidian, basemode-loom, exoloom or logitloom, or JSON lines."
        self._app.push_screen(AskScreen("Import", hint, "", check), answered)

    async def _import(self, source: str) -> None:
        path, notices = await asyncio.to_thread(import_file, source)
        self._app.tell(" ".join(notices))
        await self._app.opening.open(path)

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that takes its time; where it can't be done, say why."""

        async def done() -> None:
            try:
                await work
            except (SessionError, EditError) as error:
                self._app.tell(str(error), "error")

        self._app.run_worker(done(), group="files")
