"""Makes the pictures in this folder from the real app on the built-in model: `python screenshots/make.py`."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from textual.pilot import Pilot

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp

HERE = Path(__file__).parent
PROMPT = "What does the flood mean to Gilgamesh?"
SIZE = (120, 36)


async def until(pilot: Pilot[int], condition: Callable[[], object]) -> None:
    """Wait for a condition, two minutes at the most."""
    for _ in range(2400):
        if condition():
            return
        await pilot.pause(0.05)
    raise TimeoutError


@asynccontextmanager
async def running(size: tuple[int, int], theme: str) -> AsyncIterator[tuple[LoomApp, Pilot[int]]]:
    """The app on the one session that all pictures are of."""
    from n8loom_tui.loom.protocol import SamplingParams
    from n8loom_tui.tui.app import Launch, LoomApp
    from n8loom_tui.tui.backend import ModelBackend
    from n8loom_tui.tui.keymap import load_keymaps, shipped_keymaps_path
    from n8loom_tui.tui.saving import Saving
    from n8loom_tui.tui.settings import Settings

    keymap, _ = load_keymaps("default", shipped_keymaps_path(), None)
    settings = Settings(n=8, params=SamplingParams(max_tokens=40, seed=7))
    session = Path(os.environ["N8LOOM_DATA_DIR"]) / "gilgamesh.loom"
    app = LoomApp(
        ModelBackend("smollm2"), keymap, Saving.open(session), Launch(settings=settings, theme=theme)
    )
    try:
        async with app.run_test(size=size) as pilot:
            yield app, pilot
    finally:
        app.engine.stop(5)
        app.saving.close()


def take(app: LoomApp, name: str) -> None:
    """Take a picture of what is on the screen."""
    app.clear_notifications()
    (HERE / f"{name}.svg").write_text(app.export_screenshot(title="n8loom-tui", simplify=True), "utf-8")


async def grow() -> None:
    """From the start to a tree of three levels."""
    async with running(SIZE, "dark") as (app, pilot):
        await until(pilot, lambda: app.status.loading is not None or app.status.model is not None)
        await pilot.press(*PROMPT)
        take(app, "start")
        await pilot.press("enter")
        await until(pilot, lambda: app.status.model is not None and not app.document.unencoded())
        root = app.document.roots[0]
        app.perform("ramify")
        while not all(len(child.tokens) > 20 for child in root.children):
            await asyncio.sleep(0.02)
        take(app, "streaming")
        await until(pilot, lambda: not app.document.growing)
        await pilot.press("3", "space")
        await until(pilot, lambda: not app.document.growing)
        await pilot.press("right", "2", "space")
        await until(pilot, lambda: not app.document.growing)
        await pilot.press("left", "down", "down", "down", "down")
        await pilot.press("i", *" Still, he goes home", "enter")
        await until(pilot, lambda: not app.document.unencoded())
        await pilot.press("b", "3", "space")
        await until(pilot, lambda: not app.document.growing)
        await still(app, pilot, "tree")
        await pilot.press("question_mark")
        await still(app, pilot, "help")
        await pilot.press("escape", "q")


async def still(app: LoomApp, pilot: Pilot[int], name: str) -> None:
    """Take a picture once everything is drawn."""
    app.clear_notifications()
    await pilot.pause(1.5)
    take(app, name)


async def look(name: str, size: tuple[int, int], theme: str, *keys: str) -> None:
    """The session again, in other looks."""
    async with running(size, theme) as (app, pilot):
        await until(pilot, lambda: app.status.model is not None and not app.document.unencoded())
        await pilot.press(*keys)
        await still(app, pilot, name)


async def shoot() -> None:
    """All pictures."""
    await grow()
    await look("light", SIZE, "light")
    await look("narrow", (80, 24), "dark")
    await look("settings", (100, 34), "dark", "comma", "comma")
    await look("keys", (100, 34), "dark", "comma", "k", *"jjjjjjjjjjjj", "enter", "u")
    await look("tokens", SIZE, "dark", "g", "down", "P", "T", *["right"] * 9)
    await look("wide", (160, 40), "dark", "I")
    os.environ["NO_COLOR"] = "1"
    await look("colourless", (80, 24), "dark", "I")


def main() -> None:
    """Take them with folders of their own, so that nobody's sessions are touched."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["N8LOOM_CONFIG_DIR"] = os.environ["N8LOOM_DATA_DIR"] = folder
        asyncio.run(shoot())


if __name__ == "__main__":
    main()
