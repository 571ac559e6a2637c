"""Using an app as hands do: keys by the keymap in force, answers to what is asked."""

from __future__ import annotations

import pytest
from support.fake_backend import FakeBackend
from support.rig import Rig
from textual.widgets import Input

from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.screens.editor import EditorArea, EditorScreen

KEYMAPS = pytest.mark.parametrize("keymap", ["default", "vim", "arrows"])


def free() -> FakeBackend:
    """A backend that says everything at once."""
    backend = FakeBackend()
    backend.free()
    return backend


async def key(rig: Rig, action: str, count: int | None = None) -> None:
    """Press the key that an action has in the keymap in force, behind a count."""
    await rig.press(*(str(count) if count else ""), *rig.app.keymap.keys_of(action)[0])


async def write(rig: Rig, text: str) -> None:
    """Fill the editor that is open, and be done."""
    assert isinstance(rig.app.screen, EditorScreen)
    rig.app.screen.query_one(EditorArea).text = text
    await rig.press("enter")


async def answer(rig: Rig, text: str) -> None:
    """Answer the question that is asked."""
    assert isinstance(rig.app.screen, AskScreen)
    rig.app.screen.query_one(Input).value = text
    await rig.press("enter")
