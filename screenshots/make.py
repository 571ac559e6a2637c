"""Makes the pictures in this folder from the real app on the built-in model: `python screenshots/make.py`."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

HERE = Path(__file__).parent
PROMPT = "What does the flood mean to Gilgamesh?"


async def until(pilot: Pilot[int], condition: Callable[[], object]) -> None:
    """Wait for a condition, two minutes at the most."""
    for _ in range(2400):
        if condition():
            return
        await pilot.pause(0.05)
    raise TimeoutError


async def shoot() -> None:
    """Walk through the app and take the pictures."""
    from n8loom_tui.loom.protocol import SamplingParams
    from n8loom_tui.tui.app import Launch, LoomApp
    from n8loom_tui.tui.backend import ModelBackend
    from n8loom_tui.tui.keymap import load_keymaps, shipped_keymaps_path
    from n8loom_tui.tui.saving import Saving
    from n8loom_tui.tui.settings import Settings

    keymap, _ = load_keymaps("default", shipped_keymaps_path(), None)
    settings = Settings(n=8, params=SamplingParams(max_tokens=40, seed=7))
    session = Path(os.environ["N8LOOM_DATA_DIR"]) / "gilgamesh.loom"
    app = LoomApp(ModelBackend("smollm2"), keymap, Saving.open(session), Launch(settings=settings))

    def take(name: str) -> None:
        (HERE / f"{name}.svg").write_text(app.export_screenshot(title="n8loom-tui", simplify=True), "utf-8")

    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.status.loading is not None or app.status.model is not None)
        await pilot.press(*PROMPT)
        take("start")
        await pilot.press("enter")
        await until(pilot, lambda: app.status.model is not None and not app.document.unencoded())
        app.clear_notifications()
        root = app.document.roots[0]
        app.perform("ramify")
        app.view.tree_view.go_rows(2)
        while not all(len(child.tokens) > 20 for child in root.children):
            await asyncio.sleep(0.02)
        take("streaming")
        await until(pilot, lambda: not app.document.growing)
        await pilot.press("3", "space")
        await until(pilot, lambda: not app.document.growing)
        await pilot.press("right", "2", "space")
        await until(pilot, lambda: not app.document.growing)
        await pilot.press("left", "down", "down", "down", "down")
        await pilot.press("i", *" Still, he goes home", "enter")
        await until(pilot, lambda: not app.document.unencoded())
        await pilot.press("3", "space")
        await until(pilot, lambda: not app.document.growing)
        app.clear_notifications()
        await pilot.pause(0.2)
        take("tree")
        await pilot.press("question_mark")
        await pilot.pause(0.2)
        take("help")
    app.engine.stop(5)
    app.saving.close()


def main() -> None:
    """Take them with folders of their own, so that nobody's sessions are touched."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["N8LOOM_CONFIG_DIR"] = os.environ["N8LOOM_DATA_DIR"] = folder
        asyncio.run(shoot())


if __name__ == "__main__":
    main()
