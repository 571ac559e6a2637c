"""Dialogs that ask for files: slips are told in the dialog, and what is told can be seen on a low screen."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from support.keys import free
from support.rig import Launcher, Rig
from textual.geometry import Region
from textual.widgets import Input, OptionList, Static

from n8loom_tui.loom.heddle import Loom
from n8loom_tui.session import library
from n8loom_tui.session.record import everything
from n8loom_tui.session.store import write_new
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.screens.export import ExportScreen
from n8loom_tui.tui.screens.form import FormScreen
from n8loom_tui.tui.screens.sessions import SessionsScreen

SLIPS = pytest.mark.parametrize(
    ("text", "line"),
    [
        ("~nosuchuser/x", "no home folder ~nosuchuser"),
        ("/tmp/" + "x" * 300, "too long"),
        ("/closed/x", "permission is missing"),
    ],
)


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that nobody may look into."""
    ordinary = os.stat

    def stat(path: Any, *args: Any, **options: Any) -> os.stat_result:
        if str(path).startswith("/closed/"):
            raise PermissionError(13, "Permission denied", str(path))
        return ordinary(path, *args, **options)

    monkeypatch.setattr(os, "stat", stat)


def sessions(*names: str) -> None:
    """There are these sessions."""
    folder = library.sessions_dir()
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        write_new(folder / f"{name}.loom", everything([Loom(None, None, f"The text of {name}")]))


def said(rig: Rig) -> str:
    return str(rig.app.screen.query_one(".dialog-said", Static).content)


def told(rig: Rig) -> str:
    return "\n".join(notice.message for notice in rig.app._notifications)


async def answer(rig: Rig, text: str) -> None:
    rig.app.screen.query_one(Input).value = text
    await rig.pilot.pause()
    await rig.press("enter")


def prompts(rig: Rig) -> list[str]:
    options = rig.app.screen.query_one(OptionList)
    return [str(option.prompt) for option in options.options]


# ------------------------------------------------------------------- typed paths


@SLIPS
@pytest.mark.parametrize(("key", "screen"), [("ctrl+s", AskScreen), ("X", ExportScreen)])
async def test_a_slip_in_a_path_is_told_in_the_dialog(
    launch: Launcher, text: str, line: str, key: str, screen: type
) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await rig.press(key)
        await answer(rig, text)
        assert isinstance(rig.app.screen, screen)
        assert line in said(rig)


@SLIPS
@pytest.mark.parametrize("key", ["ctrl+r", "ctrl+y"])
async def test_a_slip_in_a_new_name_is_told_in_the_dialog(
    launch: Launcher, text: str, line: str, key: str
) -> None:
    async with launch(free()) as rig:
        sessions("other")
        await rig.ready()
        await rig.press("o")
        rig.app.screen.query_one(Input).value = "other"
        await rig.until(lambda: len(prompts(rig)) == 1 and "other" in prompts(rig)[0])
        await rig.press(key)
        await answer(rig, text)
        assert isinstance(rig.app.screen, AskScreen)
        assert line in said(rig)


@SLIPS
async def test_a_slip_in_what_is_imported_is_told(launch: Launcher, text: str, line: str) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await rig.press("ctrl+o")
        await answer(rig, text)
        await rig.until(lambda: line in told(rig))


@pytest.mark.parametrize("text", ["-", " ./- "])
@pytest.mark.parametrize("key", ["X", "ctrl+o"])
async def test_the_terminal_is_neither_read_nor_written(
    launch: Launcher, text: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    async with launch(free()) as rig:
        await rig.ready()
        await rig.press(key)
        await answer(rig, text)
        assert "In the app - stands for nothing" in said(rig)
        await rig.press("escape")
        await rig.app.workers.wait_for_complete()
        assert "-" not in told(rig)


async def test_replacing_is_asked_anew_for_what_is_shown_now(launch: Launcher, tmp_path: Path) -> None:
    here, there = tmp_path / "here.json", tmp_path / "there.json"
    for path in (here, there):
        path.write_text("old")
    async with launch(free()) as rig:
        await rig.ready()
        await rig.press("X")
        await answer(rig, str(here))
        assert "enter once more" in said(rig)
        for change in ("down", "ctrl+t", "up"):
            await rig.press(change)
            assert said(rig) == ""
            await rig.press("enter")
            assert "enter once more" in said(rig)
        await answer(rig, str(there))
        await answer(rig, str(here))
        assert isinstance(rig.app.screen, ExportScreen)
        assert here.read_text() == there.read_text() == "old"
        await rig.press("enter")
        await rig.until(lambda: here.read_text() != "old")


# ------------------------------------------------------------------- low screens


async def export_message(rig: Rig) -> None:
    await rig.press("X")
    await answer(rig, "/tmp")


async def ask_message(rig: Rig) -> None:
    await rig.press("ctrl+s")
    await answer(rig, "~nosuchuser/x")


async def form_message(rig: Rig) -> None:
    await rig.press("a")
    rig.app.screen.query_one("#field-n", Input).value = "none"
    await rig.press("enter")


async def sessions_message(rig: Rig) -> None:
    sessions(*(f"session-{number}" for number in range(30)))
    await rig.press("o")
    current = rig.app.saving.title
    rig.app.screen.query_one(Input).value = current
    await rig.until(lambda: len(prompts(rig)) == 1)
    await rig.press("ctrl+d")
    rig.app.screen.query_one(Input).value = ""
    await rig.until(lambda: len(prompts(rig)) == 31)


def visible_part(rig: Rig, selector: str) -> Region:
    """What of a widget is in the dialog's frame and on the screen."""
    screen = rig.app.screen
    frame = screen.query_one(".dialog").content_region
    return screen.query_one(selector).region.intersection(frame).intersection(screen.region)


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (120, 40)])
@pytest.mark.parametrize("bring", [export_message, ask_message, form_message, sessions_message])
async def test_messages_and_keys_are_on_the_screen(
    launch: Launcher, bring: Callable[[Rig], Awaitable[None]], size: tuple[int, int]
) -> None:
    async with launch(free(), size=size) as rig:
        await rig.ready()
        await bring(rig)
        await rig.pilot.pause()
        assert isinstance(rig.app.screen, AskScreen | ExportScreen | FormScreen | SessionsScreen)
        assert said(rig)
        shown = [".dialog-said", "Input"]
        shown += [name for name in (".dialog-keys", ".flexible") if rig.app.screen.query(name)]
        for selector in shown:
            if selector == "Input" and isinstance(rig.app.screen, FormScreen):
                continue  # there are many, in a list that scrolls
            whole = rig.app.screen.query_one(selector).region
            assert whole.height > 0 and visible_part(rig, selector) == whole, selector


async def test_a_dialog_with_room_shows_all_of_its_list(launch: Launcher) -> None:
    async with launch(free(), size=(120, 40)) as rig:
        await rig.ready()
        for key in ("X", "a"):
            await rig.press(key)
            part = rig.app.screen.query_one(".flexible")
            assert part.max_scroll_y == 0
            assert part.size.height == part.virtual_size.height
            await rig.press("escape")


@pytest.mark.parametrize("key", ["e", ";", "ctrl+n"])
async def test_the_keys_of_the_editor_are_on_a_low_screen(launch: Launcher, key: str) -> None:
    async with launch(free(), prompt="Once " * 500, size=(60, 15)) as rig:
        await rig.ready()
        await rig.press(key)
        whole = rig.app.screen.query_one(".dialog-keys").region
        assert whole.height > 0 and visible_part(rig, ".dialog-keys") == whole


# ------------------------------------------------------------------- the session browser


async def test_what_is_read_goes_into_its_line_and_the_list_stays_where_it_was_scrolled(
    launch: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled: list[int] = []
    ordinary = OptionList.set_options

    def set_options(self: OptionList, options: Any) -> OptionList:
        filled.append(len(list(self.options)))
        return ordinary(self, options)

    monkeypatch.setattr(OptionList, "set_options", set_options)
    async with launch(free(), size=(80, 24)) as rig:
        sessions(*(f"session-{number}" for number in range(40)))
        await rig.ready()
        await rig.press("o")
        options = rig.app.screen.query_one(OptionList)
        options.scroll_to(y=9, animate=False)
        await rig.until(lambda: not any("0 nodes" in line for line in prompts(rig)))
        assert len(filled) == 1, "the list is filled once, not once for each session"
        assert options.scroll_y == 9
        assert sum("The text" in line for line in prompts(rig)) == 40


async def test_words_find_what_is_read_later(launch: Launcher) -> None:
    async with launch(free()) as rig:
        sessions("one", "two")
        await rig.ready()
        await rig.press("o")
        rig.app.screen.query_one(Input).value = "text of two"
        await rig.until(lambda: len(prompts(rig)) == 1 and prompts(rig)[0].startswith("two"))


async def test_a_session_that_was_deleted_meanwhile_is_not_opened_empty(launch: Launcher) -> None:
    async with launch(free()) as rig:
        sessions("other")
        path = library.sessions_dir() / "other.loom"
        await rig.ready()
        for key in ("enter", "ctrl+d", "ctrl+r", "ctrl+y"):
            sessions("other") if not path.exists() else None
            await rig.press("o")
            rig.app.screen.query_one(Input).value = "other"
            await rig.until(lambda: len(prompts(rig)) == 1 and "1 node " in prompts(rig)[0])
            path.unlink()
            await rig.press(key)
            assert isinstance(rig.app.screen, SessionsScreen)
            assert said(rig) == "other is not there any more."
            await rig.until(lambda: prompts(rig) == ["Nothing like that."])
            assert not path.exists()
            await rig.press("escape")


@pytest.mark.parametrize("size", [(60, 15), (80, 24)])
async def test_what_was_told_before_does_not_lie_over_what_is_asked(
    launch: Launcher, size: tuple[int, int]
) -> None:
    async with launch(free(), size=size) as rig:
        await rig.ready()
        assert rig.app._notifications, "a hint for the beginning"
        await rig.press("X")
        assert isinstance(rig.app.screen, ExportScreen) and not rig.app._notifications
        rig.app.tell("Something came up meanwhile.")
        await rig.pilot.pause()
        assert len(rig.app._notifications) == 1
        await rig.press("down")
        assert not rig.app._notifications
