"""Taking what the engine told, some thirty times a second: tokens go into the tree and onto the screen, what the bars
tell is noted, what grows is stored. Runs on the UI's thread, which owns the tree.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from n8loom_tui.loom.protocol import (
    BranchToken,
    EngineStats,
    Event,
    PrefillProgress,
    RequestFailed,
    RequestFinished,
    RequestStarted,
    Weighed,
)
from n8loom_tui.loom.survey import Surveyed
from n8loom_tui.tui.backend import ModelInfo
from n8loom_tui.tui.engine_thread import EngineDied, LoadFailed, Loading, Ready, Told
from n8loom_tui.tui.screens.keyed import Keyed

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp

BARS_EVERY = 0.2
"""Seconds after which the lines at the edges are looked at again where nothing was told."""
SAVE_EVERY = 0.5
"""Seconds after which the text of growing branches is stored too: with what a commit takes, nothing is older than one
second and not in the file."""


class Hearing:
    """On an app."""

    def __init__(self, app: LoomApp) -> None:
        self._app = app
        self._saved_at = 0.0
        self._bars_at = 0.0

    def drain(self) -> None:
        """Take what the engine told since the last time, and show it at once."""
        app = self._app
        told = list(app.engine.drain())
        now = time.monotonic()
        app.filling.look()
        if told:
            self._take(told, now)
        for request in app.catch_up.requests():
            app.ask_engine(request)
        app.watching.look(now)
        app.ask_engine(app.evictions.question(app.view.tree_view, app.status.stats, now))
        self._store_now_and_then(now)
        app.view.finder.refresh()
        problems = list(app.saving.problems())
        for message in problems:
            app.tell(f"{message}{self._way_out()}", "error")
        if told or problems or now - self._bars_at > BARS_EVERY:
            self._bars_at = now
            app.refresh_bars()

    def _way_out(self) -> str:
        """What to press where the session's own file takes nothing more."""
        key = self._app.keymap.label("save_as")
        return f" {key} stores all of it elsewhere." if key and self._app.saving.stuck else ""

    def _take(self, told: list[Told], now: float) -> None:
        app = self._app
        events: list[Event] = []
        for item in told:
            match item:
                case Loading(progress=progress):
                    app.status.loading = progress
                case Ready(info=info):
                    self._model_ready(info)
                case LoadFailed(message=message, error=error) | EngineDied(message=message, error=error):
                    self._model_failed(message, error)
                case EngineStats():
                    app.status.stats = item
                case Surveyed():
                    app.evictions.take(item, app.view.tree_view)
                case PrefillProgress():
                    app.status.prefill = item
                case RequestStarted(request_id=request) | RequestFinished(request_id=request):
                    app.status.prefill_over(request)
                case Weighed():
                    app.watching.weighed(item)
                case _:
                    events.append(item)
        tokens = sum(isinstance(event, BranchToken) for event in events)
        if tokens:
            app.status.meter.add(tokens, now)
        change = app.document.apply(events)
        for event in events:
            if isinstance(event, RequestFailed):
                app.status.prefill = None
                app.catch_up.failed(event.request_id)
                app.tell(event.message, "error")
            if (learnt := app.lore.take(event)) is not None:
                change.join(learnt)
        app.show(change, "growing")
        on_top: object = app.screen
        if isinstance(on_top, Keyed) and events:
            on_top.hear(events)

    def _model_ready(self, info: ModelInfo) -> None:
        app = self._app
        app.status.loading = None
        app.status.model = info
        app.document.use_model(info)
        app.saving.model(info)

    def _model_failed(self, message: str, error: BaseException) -> None:
        app = self._app
        app.status.loading = None
        app.status.failure = message
        app.failure = error
        app.watching.engine_gone()
        change = app.document.cancel_all()
        app.show(change)
        app.tell(f"{message.rstrip('.')}. You can read, write and edit; nothing can be generated.", "error")

    def store_growing(self) -> None:
        """Store the text of growing branches as far as it has come."""
        self._app.document.growth.note_growing()
        self._app.saving.save("growing")

    def _store_now_and_then(self, now: float) -> None:
        """Store the text of growing branches as far as it has come, and what else no operation has stored."""
        app = self._app
        if now - self._saved_at > SAVE_EVERY:
            self._saved_at = now
            self.store_growing()
            app.whereabouts.store_changes(now)
