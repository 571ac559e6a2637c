"""Sessions, export and import in the app, each through its keys."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fake_backend import FakeBackend
from support.keys import KEYMAPS, answer, free, key, write
from support.rig import Launcher, Rig
from textual.widgets import Input, OptionList, Static

from n8loom_tui.session import library
from n8loom_tui.session.formats import Chosen, find_format
from n8loom_tui.session.store import SessionStore, held_in, read_session
from n8loom_tui.session.whole import Whole
from n8loom_tui.session.writer import SessionWriter
from n8loom_tui.tui.commands.files import Files
from n8loom_tui.tui.exporting import Export
from n8loom_tui.tui.saving import Saving
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.screens.editor import EditorArea, EditorScreen
from n8loom_tui.tui.screens.export import ExportScreen
from n8loom_tui.tui.screens.sessions import SessionsScreen

HOSTILE = "[/b] \x1b[31mred\x00 e\u0301 世界 \u202eright"


def rows(rig: Rig) -> list[str]:
    options = rig.app.screen.query_one(OptionList)
    return [str(options.get_option_at_index(index).prompt) for index in range(options.option_count)]


async def listed(rig: Rig, *names: str) -> None:
    """The browser shows these sessions, and has read them."""
    await rig.until(
        lambda: (
            sorted(row.split()[0] for row in rows(rig)) == sorted(names)
            and all("0 nodes" not in row for row in rows(rig))
        )
    )


@KEYMAPS
async def test_naming_moves_the_file_and_what_is_done_meanwhile_is_in_it(
    launch: Launcher, keymap: str
) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await rig.ready()
        await rig.until(lambda: rig.app.saving.path is not None)
        before = rig.app.saving.path
        await key(rig, "save_as")
        assert isinstance(rig.app.screen, AskScreen)
        rig.app.screen.query_one(Input).value = "flood"
        await rig.pilot.press("enter", *rig.app.keymap.keys_of("ramify")[0])
        await rig.until(lambda: rig.app.saving.title == "flood")
        await rig.grown()
        assert before is not None and not before.exists()
        await key(rig, "save_as")
        await answer(rig, "copy")
        await rig.until((library.sessions_dir() / "copy.loom").exists)
        assert rig.app.saving.title == "flood"
        await key(rig, "save_as")
        await answer(rig, "copy")
        assert "exists already" in str(rig.app.screen.query_one("#ask-error", Static).content)
        await rig.press("escape")
        await key(rig, "quit")
    assert read_session(library.sessions_dir() / "flood.loom").nodes == 4
    assert read_session(library.sessions_dir() / "copy.loom").nodes == 4


@pytest.mark.parametrize("size", [(120, 40), (60, 15)])
async def test_what_the_browser_leaves_out_of_a_session_has_a_mark(
    launch: Launcher, size: tuple[int, int]
) -> None:
    told = " ".join(f"word{number}" for number in range(400))
    async with launch(free(), prompt=told, size=size) as rig:
        await rig.ready()
        await key(rig, "save_as")
        await answer(rig, "a-long-name-" * 12)
        await rig.until(lambda: rig.app.saving.named)
        await key(rig, "sessions")
        await rig.until(lambda: rows(rig) and "0 nodes" not in rows(rig)[0])
        preview = rig.app.screen.query_one("#sessions-preview", Static)
        facts, end = str(preview.content).split("\n")
        assert len(facts) <= preview.size.width and facts.endswith("…")
        assert end.startswith("…") and end.endswith("word399")


async def test_the_browser_tells_what_the_open_session_holds_though_it_was_not_in_its_file_yet(
    launch: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited_for = threading.Event()
    attempt, flush = SessionWriter._attempt, SessionWriter.flush

    def attempted(writer: SessionWriter, pause: float) -> float:
        waited_for.wait()
        return attempt(writer, pause)

    def flushed(writer: SessionWriter, timeout: float) -> bool:
        waited_for.set()
        return flush(writer, timeout)

    monkeypatch.setattr(SessionWriter, "_attempt", attempted)
    monkeypatch.setattr(SessionWriter, "flush", flushed)
    async with launch(free()) as rig:
        try:
            await rig.ready()
            await key(rig, "sessions")
            await rig.until(lambda: "Once" in rows(rig)[0])
            assert "1 node " in rows(rig)[0]
        finally:
            waited_for.set()


@KEYMAPS
async def test_the_browser_opens_another_session_and_what_grew_is_stored(
    launch: Launcher, keymap: str, tmp_path: Path
) -> None:
    async with launch(free(), prompt="Another", session=library_path("other")) as rig:
        await rig.ready()
        await rig.press("q")
    backend = FakeBackend()
    async with launch(backend, session=library_path("first"), keymap=keymap, max_tokens=50) as rig:
        await rig.ready()
        await key(rig, "ramify")
        backend.grant(2)
        await rig.until(lambda: all(len(child.tokens) == 2 for child in rig.root.children))
        await key(rig, "sessions")
        await listed(rig, "first", "other")
        assert any("first (open)" in row for row in rows(rig))
        await rig.press(*"other", "enter")
        await rig.until(lambda: rig.app.saving.title == "other" and rig.app.view.is_current)
        assert rig.root.text == "Another"
        await rig.until(lambda: not backend.busy)
        backend.free()
        await key(rig, "ramify")
        await rig.grown()
        assert len(rig.root.children) == 3
        assert any("the flood" in line for line in rig.texts())
        await rig.until(lambda: not (library.sessions_dir() / "first.loom-lock").exists())
        kept = read_session(library_path("first"))
        assert [child.text for child in kept.roots[0].children] == [" the flood"] * 3
        await key(rig, "quit")
    assert read_session(library_path("other")).nodes == 4


def library_path(name: str) -> Path:
    library.sessions_dir().mkdir(parents=True, exist_ok=True)
    return library.sessions_dir() / f"{name}.loom"


async def test_rename_copy_throw_away_and_bring_back(launch: Launcher) -> None:
    async with launch(free(), prompt="Another", session=library_path("other")) as rig:
        await rig.ready()
        await rig.press("q")
    async with launch(free(), session=library_path("mine")) as rig:
        await rig.ready()
        await rig.press("o")
        await listed(rig, "mine", "other")
        await rig.press(*"mine", "ctrl+d")
        assert "open here" in str(rig.app.screen.query_one("#sessions-said", Static).content)
        rig.app.screen.query_one(Input).value = "other"
        await listed(rig, "other")
        await rig.press("ctrl+r")
        await answer(rig, "renamed")
        rig.app.screen.query_one(Input).value = ""
        await listed(rig, "mine", "renamed")
        rig.app.screen.query_one(Input).value = "renamed"
        await rig.press("ctrl+y")
        await answer(rig, "twin")
        rig.app.screen.query_one(Input).value = ""
        await listed(rig, "mine", "renamed", "twin")
        rig.app.screen.query_one(Input).value = "renamed"
        await rig.press("ctrl+d")
        rig.app.screen.query_one(Input).value = ""
        await listed(rig, "mine", "twin")
        await rig.press("ctrl+t")
        await listed(rig, "renamed")
        await rig.press("enter")
        await rig.until(lambda: rows(rig) == ["The trash is empty."])
        await rig.press("ctrl+t")
        await listed(rig, "mine", "renamed", "twin")
        await rig.press("escape")
        assert rig.app.screen is rig.app.view


async def test_started_alone_it_offers_the_last_session(launch: Launcher) -> None:
    async with launch(free(), prompt=HOSTILE, session=library_path("last")) as rig:
        await rig.ready()
        await rig.press("q")
    async with launch(free(), prompt=None) as rig:
        await rig.until(lambda: isinstance(rig.app.screen, SessionsScreen))
        await listed(rig, "last")
        assert all(row.isprintable() for row in rows(rig))
        await rig.press("enter")
        await rig.until(lambda: rig.app.saving.title == "last" and rig.app.view.is_current)
        assert rig.app.view.current is rig.root
        await rig.press("o", "ctrl+n")
        await rig.until(lambda: isinstance(rig.app.screen, EditorScreen))
        rig.app.screen.query_one(EditorArea).text = "A new one"
        await rig.press("enter")
        await rig.until(lambda: rig.app.document.roots)
        assert rig.root.text == "A new one"
        await rig.until(lambda: rig.app.saving.path is not None)
        assert rig.app.saving.title != "last"


@KEYMAPS
async def test_export_says_what_is_left_out_and_asks_before_it_replaces(
    launch: Launcher, keymap: str, tmp_path: Path
) -> None:
    target = tmp_path / "out.json"
    target.write_text("old")
    async with launch(free(), keymap=keymap) as rig:
        await rig.ready()
        await key(rig, "ramify")
        await rig.grown()
        await key(rig, "export")
        assert isinstance(rig.app.screen, ExportScreen)
        await rig.press("ctrl+t")
        rig.app.screen.query_one(Input).value = str(target)
        await rig.press("enter")
        assert target.read_text() == "old"
        await rig.press("enter")
        await rig.until(lambda: target.read_text() != "old")
        await rig.until(lambda: any("Left out" in toast.message for toast in rig.app._notifications))
    written = json.loads(target.read_text())
    assert written["text"] == "Once" and written["children"] == []


async def test_a_click_on_a_format_only_chooses_it(
    launch: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    async with launch(free()) as rig:
        await rig.ready()
        await key(rig, "export")
        formats = rig.app.screen.query_one(OptionList)
        await rig.pilot.click(formats, offset=(5, 5))
        await rig.pilot.pause()
        assert isinstance(rig.app.screen, ExportScreen) and formats.highlighted == 5
        target = Path(rig.app.screen.query_one(Input).value).expanduser()
        assert target.suffix == ".txt" and target.parent == tmp_path and not target.exists()
        await rig.press("enter")
        await rig.until(target.exists)


async def test_an_export_holds_what_grows_as_far_as_it_has_come(launch: Launcher, tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    backend = FakeBackend()
    async with launch(backend, session=tmp_path / "a.loom", n=1, max_tokens=50) as rig:
        await rig.ready()
        rig.app.hearing._store_now_and_then = lambda _now: None  # type: ignore[method-assign]
        await key(rig, "ramify")
        backend.grant(6)
        await rig.until(lambda: rig.root.children and len(rig.root.children[0].tokens) >= 3)
        await Files(rig.app)._export(
            Export(find_format("text"), Chosen(rig.root.children[0].id, path=True), target)
        )
        assert rig.root.children[0].text in target.read_text()


@KEYMAPS
async def test_import_makes_a_session_and_opens_it(launch: Launcher, keymap: str, tmp_path: Path) -> None:
    source = tmp_path / "there.json"
    source.write_text(json.dumps({"text": HOSTILE, "children": [{"text": " one"}, {"text": " two"}]}))
    async with launch(free(), keymap=keymap) as rig:
        await rig.ready()
        await key(rig, "import")
        await answer(rig, str(tmp_path / "missing.json"))
        await rig.until(lambda: any("no file" in toast.message for toast in rig.app._notifications))
        await key(rig, "import")
        await answer(rig, str(source))
        await rig.until(lambda: rig.app.saving.title == "there" and rig.app.view.is_current)
        assert [child.text for child in rig.root.children] == [" one", " two"]


async def test_a_session_that_cannot_be_stored_goes_on_in_another_file(
    launch: Launcher, tmp_path: Path
) -> None:
    path = tmp_path / "a.loom"
    async with launch(free(), session=path) as rig:
        await rig.ready()
        await rig.until(lambda: rig.app.saving.state == "saved")
        path.unlink()
        await rig.press("space")
        await rig.grown()
        await rig.until(lambda: rig.app.saving.stuck)
        await rig.press("ctrl+s")
        await answer(rig, str(tmp_path / "b"))
        await rig.until(lambda: rig.app.saving.path == tmp_path / "b.loom")
        await rig.press("enter")
        await rig.grown()
        await rig.press("q")
    assert read_session(tmp_path / "b.loom").nodes == 5
    assert not path.exists()


async def test_what_a_read_only_session_does_not_take_is_rescued_when_another_is_opened(
    launch: Launcher,
) -> None:
    async with launch(free(), prompt="Another", session=library_path("other")) as rig:
        await rig.ready()
        await rig.press("q")
    async with launch(free(), session=library_path("mine")) as first:
        await first.ready()
        await first.until(lambda: first.app.saving.state == "saved")
        async with launch(free(), session=library_path("mine"), prompt=None) as rig:
            await rig.until(lambda: rig.app.saving.stuck)
            await rig.ready()
            await rig.press("space")
            await rig.grown()
            await rig.press("o")
            rig.app.screen.query_one(Input).value = "other"
            await listed(rig, "other")
            await rig.press("enter")
            await rig.until(lambda: rig.app.saving.title == "other" and rig.app.view.is_current)
            await rig.until(lambda: not rig.app.opening.leaving)
            assert any("all of it is in" in toast.message for toast in rig.app._notifications)
    (rescued,) = library.sessions_dir().glob("rescued-*.loom")
    assert read_session(rescued).nodes == 4


async def test_a_session_that_is_open_is_not_opened_again_by_another_name(
    launch: Launcher, tmp_path: Path
) -> None:
    async with launch(free(), session=library_path("mine")) as rig:
        await rig.ready()
        link = tmp_path / "link.loom"
        link.symlink_to(library_path("mine"))
        saving = rig.app.saving
        await rig.app.opening.open(link)
        assert rig.app.saving is saving and not saving.stuck


async def test_a_name_is_not_given_where_not_all_could_be_stored_and_nothing_is_lost(
    launch: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await rig.until(lambda: rig.app.saving.state == "saved")
        monkeypatch.setattr(SessionStore, "close", lambda self, timeout: False)
        await rig.press("ctrl+s")
        await answer(rig, "first")
        await rig.until(lambda: rig.app.saving.stuck)
        monkeypatch.undo()
        monkeypatch.setenv("N8LOOM_DATA_DIR", str(tmp_path / "data"))
        await rig.press("space")
        await rig.grown()
        await rig.press("ctrl+s")
        await answer(rig, "second")
        await rig.until(lambda: rig.app.saving.title == "second")
        await rig.press("q")
    assert read_session(library_path("second")).nodes == 4


async def test_who_names_a_new_session_is_offered_no_other(launch: Launcher, tmp_path: Path) -> None:
    last = library.sessions_dir() / "last.loom"
    last.parent.mkdir(parents=True)
    async with launch(free(), session=last) as rig:
        await rig.ready()
        await rig.press("q")
    async with launch(free(), session=tmp_path / "new.loom", prompt=None, named=True) as rig:
        await rig.until(lambda: isinstance(rig.app.screen, EditorScreen))
        await write(rig, "a beginning")
        await rig.ready()
        assert "a beginning" in rig.root.text and rig.app.saving.title == "new"
        await rig.press("q")
    assert (tmp_path / "new.loom").exists()


async def test_a_session_that_is_being_gone_through_for_another_file_is_not_left(
    launch: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.loom"
    assert Saving.open(other).close()
    recording = Whole.recording
    go_on: list[bool] = []

    def held_up(self: Whole) -> Iterator[None]:
        while not go_on:
            yield
        yield from recording(self)

    monkeypatch.setattr(Whole, "recording", held_up)
    async with launch(prompt="Once", session=tmp_path / "a.loom") as rig:
        await rig.ready()
        collected = asyncio.create_task(rig.app.saving.collected())
        await rig.until(lambda: rig.app.saving.moving)
        await rig.app.opening.open(other)
        assert rig.app.saving.title == "a"
        go_on.append(True)
        changes = await collected
        assert [root.text for root in held_in(changes).roots] == ["Once"]
        await rig.app.opening.open(other)
        assert rig.app.saving.title == "other"
