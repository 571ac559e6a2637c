"""An app on a backend without a model, and ways to wait for it without sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.fake_backend import FakeBackend
from support.settled import attend
from textual.pilot import Pilot

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.protocol import SamplingParams
from n8loom_tui.tui import app as app_module
from n8loom_tui.tui import pace
from n8loom_tui.tui.app import Launch, LoomApp
from n8loom_tui.tui.glimpsed import begin_opening
from n8loom_tui.tui.keymap import load_keymaps, shipped_keymaps_path
from n8loom_tui.tui.settings import Settings

PATIENCE = 30.0
"""Seconds that a test waits for what must come. None is in a hurry on a machine that others use too."""


@dataclass
class Rig:
    """A running app with its pilot."""

    app: LoomApp
    pilot: Pilot[int]
    backend: FakeBackend
    told: list[tuple[str, str]]
    """All that was told so far, with how bad it is: notices are gone from the screen after a while."""

    async def until(self, condition: Callable[[], Any]) -> None:
        """Let the app run until a condition holds. Fails when it does not come to hold."""
        give_up = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > give_up:
                raise AssertionError("the app never got there")
            await asyncio.sleep(0.003)
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until each has been dealt with (or has to wait for a session to be read)."""
        await self.pilot.press(*keys)
        app, typed = self.app, self.app._typed
        await self.until(lambda: app._exit or typed.held or not (typed.waiting or typed._busy))

    @property
    def root(self) -> Heddle:
        return self.app.document.roots[0]

    @property
    def current(self) -> Heddle:
        node = self.app.view.current
        assert node is not None
        return node

    async def ready(self) -> None:
        """The model is there and the prompt is read."""
        await self.until(lambda: self.app.status.model is not None)
        await self.until(lambda: not self.app.document.unencoded())

    async def grown(self) -> None:
        """Nothing grows any more."""
        await self.until(lambda: not self.app.document.growing and not self.app.document.waiting)

    def texts(self) -> list[str]:
        """All rows of the tree as they were drawn: those that nobody had drawn anew are what they were."""
        tree = self.app.view.tree_view
        return [strip.text for strip in tree.render_lines(tree.size.region)]


def notices_of(app: LoomApp) -> list[tuple[str, str]]:
    """A list that fills with what the app tells from now on."""
    told: list[tuple[str, str]] = []
    notify = app.notify

    def noted(message: str, **more: Any) -> None:
        told.append((message, more.get("severity", "information")))
        notify(message, **more)

    app.notify = noted  # type: ignore[method-assign,assignment]
    return told


Launcher = Callable[..., AbstractAsyncContextManager[Rig]]


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Launcher:
    """Start an app: `async with launch(prompt="…") as rig`."""
    for name in ("CONFIG", "DATA"):
        monkeypatch.setenv(f"N8LOOM_{name}_DIR", str(tmp_path / name.lower()))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setattr(app_module, "FIRST_PAINT", 0.001)
    monkeypatch.setattr(app_module, "DRAIN_RATE", 0.01)
    monkeypatch.setattr(pace, "AMID_KEYS", 0.0)

    @asynccontextmanager
    async def start(
        backend: FakeBackend | None = None,
        *,
        prompt: str | None = "Once",
        session: Path | None = None,
        keymap: str = "default",
        size: tuple[int, int] = (120, 40),
        n: int = 3,
        max_tokens: int = 4,
        notices: tuple[str, ...] = (),
        theme: str | None = None,
        reduced_motion: bool = False,
        given: dict[str, Any] | None = None,
        named: bool = False,
    ) -> AsyncIterator[Rig]:
        backend = backend or FakeBackend()
        keys, problems = load_keymaps(keymap, shipped_keymaps_path(), None)
        assert not problems
        saving = begin_opening(session, size[1])
        settings = Settings(n=n, params=SamplingParams(max_tokens=max_tokens))
        wanted = Launch(
            prompt,
            True,
            named,
            settings,
            given or {},
            theme=theme,
            reduced_motion=reduced_motion,
            notices=notices,
        )
        app = LoomApp(backend, keys, saving, wanted)
        try:
            told = notices_of(app)
            attend(app, backend)
            async with app.run_test(size=size) as pilot:
                yield Rig(app, pilot, backend, told)
        finally:
            assert app.engine.stop(5)
            for left in (saving, *app.opening.leaving, app.saving):
                left.close()

    return start
