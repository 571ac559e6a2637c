"""Waiting until an app has done all that there is to do now: no longer, and no shorter on a slow machine.

Textual's own wait sleeps for a fiftieth of a second at a time until the process takes little of the processor. That is
most of what a test of the app would take, and says nothing of what another thread is still to tell. Here the event loop
is asked whether anything is left to do, the threads that it handed work to whether they are done, and the engine
whether it was heard on all that it was asked for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import textual.app
import textual.pilot
from support.fake_backend import FakeBackend
from textual._context import active_app
from textual.app import App

from n8loom_tui.loom.protocol import Request
from n8loom_tui.tui.app import LoomApp

SOON = 0.002
"""Seconds. What is due so soon belongs to what is done now: long work pauses for less between its slices."""
POLL = 0.001
"""Seconds between two looks at what other threads do."""
AT_MOST = 1.0
"""Seconds after which it is left at that, as Textual does: a test may let something run on and on."""
WITH_THREADS = 0.25
"""Seconds that threads are waited for where all else is done: a test may hold one."""


class Hands(ThreadPoolExecutor):
    """The threads that coroutines hand work to. Knows whether all of it is done."""

    def __init__(self) -> None:
        super().__init__(4, "handed-over")
        self._open: set[Future[Any]] = set()

    def submit(self, *args: Any, **more: Any) -> Future[Any]:
        future = super().submit(*args, **more)
        self._open.add(future)
        return future

    def idle(self) -> bool:
        self._open = {future for future in self._open if not future.done()}
        return not self._open


class Ear:
    """Knows whether all that an engine may say by now has been heard."""

    def __init__(self, app: LoomApp, backend: FakeBackend) -> None:
        self._app = app
        self._engine = engine = app.engine
        self._backend = backend
        self._asked = 0
        submit = engine.submit

        def counted(request: Request) -> None:
            self._asked += 1
            submit(request)

        engine.submit = counted  # type: ignore[method-assign]

    def listen(self) -> Callable[[], bool]:
        """Whether all has been heard that there is to say to what had been asked when this was first looked at."""
        asked: int | None = None
        answered, last = False, None

        def heard() -> bool:
            nonlocal asked, answered, last
            if asked is None:
                asked = self._asked
            if not answered:
                answered = self._backend.answered >= asked or not self._engine._thread.is_alive()
                told = list(self._engine._told)
                last = told[-1] if told else None
            ended = self._app._exit  # then nobody hears anything any more
            return ended or (answered and all(item is not last for item in list(self._engine._told)))

        return heard


def _still(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a loop has nothing to do now or soon, but for the task that asks."""
    soon = loop.time() + SOON
    timers = loop._scheduled  # type: ignore[attr-defined]
    return not loop._ready and not any(  # type: ignore[attr-defined]
        timer.when() <= soon and not timer.cancelled() for timer in timers
    )


def _to_draw(app: App[Any]) -> bool:
    """Whether the screen has anything to draw that it would draw with its next picture."""
    screen = app.screen if app.screen_stack and not app._exit else None
    if screen is None or app._batch_count or not screen.is_current:
        return False
    wanted = screen._layout_required or screen._scroll_required or screen._repaint_required
    return bool(wanted or screen._recompose_required or screen._dirty_widgets)


async def settled(min_sleep: float = 0.0, max_sleep: float = AT_MOST) -> None:
    """Let the app go on until there is nothing to do but to wait for a person, or for time to pass."""
    loop = asyncio.get_running_loop()
    app = active_app.get()
    others = [listen() for listen in getattr(app, "others", ())]
    until, patience = time.monotonic() + max_sleep, WITH_THREADS
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    while time.monotonic() < until:
        if not _still(loop) or app._resize_timer is not None:
            await asyncio.sleep(0 if loop._ready else POLL)  # type: ignore[attr-defined]
        elif _to_draw(app):
            app.screen._on_timer_update()
            await asyncio.sleep(0)
        elif patience <= 0 or all(idle() for idle in others):
            return
        else:
            patience -= POLL
            await asyncio.sleep(POLL)


def attend(app: LoomApp, backend: FakeBackend) -> None:
    """Have waits on this app see to its threads too."""
    hands = Hands()
    asyncio.get_running_loop().set_default_executor(hands)
    ear = Ear(app, backend)
    app.others = [ear.listen, lambda: hands.idle]  # type: ignore[attr-defined]


def wait_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Textual's pilot wait so."""
    monkeypatch.setattr(textual.app, "wait_for_idle", settled)
    monkeypatch.setattr(textual.pilot, "wait_for_idle", settled)
