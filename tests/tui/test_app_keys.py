"""Keys are changed in the app, by keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.keys import KEYMAPS, free, key
from support.rig import Launcher, Rig
from textual.widgets import Static

from n8loom_tui.paths import config_dir
from n8loom_tui.tui.keymap import load_keymaps, shipped_keymaps_path
from n8loom_tui.tui.screens.keys import KeysScreen
from n8loom_tui.tui.screens.loom import LoomScreen
from n8loom_tui.tui.widgets.dialog_keys import DialogKeys


def own_file() -> Path:
    return config_dir() / "keymaps.toml"


def stored(action: str, keymap: str = "default") -> tuple[str, ...]:
    found, problems = load_keymaps(keymap, shipped_keymaps_path(), own_file())
    assert not problems
    return found.labels(action, ascii_only=True)


def said(rig: Rig) -> str:
    return str(rig.app.screen.query_one("#keys-said", Static).content)


def told(rig: Rig) -> str:
    """The keys that the dialog tells of."""
    return rig.app.screen.query_one(DialogKeys).keys


async def search(rig: Rig, text: str) -> None:
    """Open the keys, and go to the first action that fits."""
    if not isinstance(rig.app.screen, KeysScreen):
        await key(rig, "change_keys")
    await key(rig, "search")
    await rig.press(*text, "enter")


@KEYMAPS
async def test_a_new_key_is_pressed_and_counts_at_once(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await rig.ready()
        await search(rig, "side by side")
        await key(rig, "continue_one")
        await rig.press("f19")
        assert "Children side by side: f19" in said(rig)
        await rig.press("enter")
        assert stored("children_side_by_side", keymap) == ("f19",)
        await key(rig, "stop")
        await key(rig, "stop")
        assert isinstance(rig.app.screen, LoomScreen)
        await key(rig, "ramify")
        await rig.grown()
        await rig.press("f19")
        assert rig.app.screen is not rig.app.view, "the new key opens it"
        await key(rig, "stop")


async def test_what_has_the_key_is_named_and_loses_it(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await search(rig, "markdown")
        await rig.press("enter", "u")
        assert "u is taken from Undo, which has no key then" in said(rig)
        await rig.press("enter")
        assert stored("markdown") == ("u",) and stored("undo") == ()
        await search(rig, "sessions")
        await rig.press("enter", "k")
        assert "k is taken from Up one row, which keeps ↑." in said(rig)
        await rig.press("enter")
        assert stored("row_up") == ("up",) and stored("sessions") == ("k",)


async def test_several_keys_one_after_the_other_and_beside_others(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await search(rig, "markdown")
        await rig.press("i", "O", "m", "enter")
        assert stored("markdown") == ("p", "O m")
        assert rig.app.keymap.action_of(("O", "m")) == "markdown"


async def test_what_was_changed_is_taken_back_and_done_again(launch: Launcher) -> None:
    own_file().parent.mkdir(parents=True, exist_ok=True)
    mine = '# mine\n[vim]\ntrim = "t"  # kept\n'
    own_file().write_text(mine, "utf-8")
    async with launch(free()) as rig:
        await rig.ready()
        await search(rig, "markdown")
        await rig.press("enter", "f18", "enter", "d")
        assert stored("markdown") == ()
        assert own_file().read_text("utf-8").startswith(mine)
        await rig.press("u")
        assert stored("markdown") == ("f18",)
        await rig.press("u")
        assert own_file().read_text("utf-8") == mine
        assert rig.app.keymap.labels("markdown") == ("p",)
        await rig.press("u")
        assert "Nothing was changed" in said(rig)
        await rig.press("ctrl+r", "ctrl+r")
        assert stored("markdown") == ()
        await rig.press("backspace")
        assert stored("markdown") == ("p",), "its own line is gone"
        assert own_file().read_text("utf-8").startswith(mine)


async def test_a_file_that_was_changed_meanwhile_stays(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await search(rig, "markdown")
        await rig.press("enter", "f18", "enter")
        own_file().write_text('[override]\ntrim = "f8"\n', "utf-8")
        await rig.press("u")
        assert "changed meanwhile" in said(rig)
        assert own_file().read_text("utf-8") == '[override]\ntrim = "f8"\n'


@pytest.mark.parametrize(
    ("action", "pressed", "says"),
    [
        ("markdown", ("5", "enter"), "begins a count"),
        ("markdown", ("ctrl+c", "enter"), "reserved"),
        ("help", ("d",), "Help always has a key"),
        ("delete", ("q", "enter"), "keeps ctrl+q"),
    ],
)
async def test_what_cannot_be_is_said(
    launch: Launcher, action: str, pressed: tuple[str, ...], says: str
) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await search(rig, action)
        screen: Any = rig.app.screen
        while screen._action.id != action:
            await rig.press("down")
        before = dict(rig.app.keymap.bindings)
        if pressed[-1] == "enter":
            await rig.press("enter", *pressed[:-1])
        else:
            await rig.press(*pressed)
        assert says in said(rig)
        if "keeps" not in says:
            await rig.press(*pressed[-1:])
            assert says in said(rig)
            assert rig.app.keymap.bindings == before and not own_file().exists()


async def test_escape_gives_up_step_by_step(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await search(rig, "markdown")
        await rig.press("enter")
        assert "give up" in told(rig)
        await rig.press("q", "escape")
        assert isinstance(rig.app.screen, KeysScreen) and "close" in told(rig)
        assert not own_file().exists()
        lines = rig.app.screen.query_one("#keys-list").virtual_size.height
        await rig.press("escape")
        assert rig.app.screen.query_one("#keys-list").virtual_size.height > lines, "all are listed again"
        await rig.press("escape")
        assert isinstance(rig.app.screen, LoomScreen)


async def test_a_file_with_mistakes_of_its_own_is_left(launch: Launcher) -> None:
    own_file().parent.mkdir(parents=True, exist_ok=True)
    own_file().write_text("[override\n", "utf-8")
    async with launch(free()) as rig:
        await rig.ready()
        await search(rig, "markdown")
        await rig.press("enter", "f18", "enter")
        assert "mistakes of its own" in said(rig)
        assert own_file().read_text("utf-8") == "[override\n"
        assert rig.app.keymap.labels("markdown") == ("p",)
