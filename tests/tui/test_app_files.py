"""What the app does when its file refuses: it says so in a line, keeps the work, and leaves it somewhere."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.disk import SmallDisk
from support.fake_backend import FakeBackend
from support.keys import answer, free
from support.rig import Launcher, Rig

from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.formats import Chosen, find_format, import_file
from n8loom_tui.session.store import read_session
from n8loom_tui.tui import elsewhere, exporting
from n8loom_tui.tui.exporting import Export
from n8loom_tui.tui.saving import Saving


def told(rig: Rig) -> str:
    """What the app says at the edge of the screen."""
    return "\n".join(message for message, _ in rig.told)


def texts(path: Path) -> list[str]:
    return [node.text for root in read_session(path).roots for node in root.walk()]


def shown(rig: Rig) -> list[str]:
    return [node.text for node in rig.app.document.in_order()]


def rescued(rig: Rig) -> Path:
    """Where the app says at its end that it has put everything."""
    (line,) = rig.app.saving.leave()
    found = re.search(r"all of it is in (.*)$", line)
    assert found, line
    return Path(found[1])


async def work(rig: Rig) -> list[str]:
    """Grow branches, write behind one, delete another one and undo that."""
    await rig.press("space")
    await rig.grown()
    await rig.press("down", "t", "d", "u")
    rig.app.show_there(rig.app.document.add_text(rig.current, "own words " * 3000))
    await rig.until(lambda: not rig.app.document.unencoded())
    return shown(rig)


async def fails(rig: Rig) -> None:
    await rig.until(lambda: "NOT SAVED" in rig.app.saving.state)
    await rig.until(lambda: any(severity == "error" for _, severity in rig.told))
    assert all(message.isprintable() for message, _ in rig.told)
    assert "NOT SAVED" in rig.app.view.title_bar.right


async def test_a_disk_that_is_full_for_a_while(
    launch: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.loom"
    async with launch(free(), session=path) as rig:
        await rig.ready()
        await rig.until(lambda: rig.app.saving.state == "saved")
        disk = SmallDisk(monkeypatch)
        disk.pages = 16
        rig.app.saving._writer._disconnect()  # type: ignore[union-attr]
        kept = await work(rig)
        await fails(rig)
        assert "the disk is full; make room, or save to another place. ctrl+s stores all" in told(rig)
        assert shown(rig) == kept
        disk.pages = 100_000
        await rig.until(lambda: rig.app.saving.state == "saved")
        await rig.press("q")
    assert rig.app.saving.leave() == []
    assert texts(path) == kept


async def test_a_disk_that_stays_full(
    launch: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.loom"
    async with launch(free(), session=path) as rig:
        await rig.ready()
        await rig.until(lambda: rig.app.saving.state == "saved")
        disk = SmallDisk(monkeypatch)
        disk.pages = 16
        rig.app.saving._writer._disconnect()  # type: ignore[union-attr]
        kept = await work(rig)
        await fails(rig)
        await rig.press("q")
    assert not rig.app.saving.close()
    disk.pages = 100_000  # another disk
    found = rescued(rig)
    assert texts(found) == kept
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    again = Saving.open(found)
    for _ in range(20):
        if again.document.history.undoable:
            again.document.undo()
    assert again.document.roots == [], "the history came along"
    assert again.close()


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_file_that_is_taken_away_or_replaced(
    launch: Launcher, tmp_path: Path, replaced: bool
) -> None:
    path = tmp_path / "a.loom"
    async with launch(free(), session=path) as rig:
        await rig.ready()
        await rig.until(lambda: rig.app.saving.state == "saved")
        path.unlink()
        if replaced:
            path.write_bytes(b"somebody else's")
        kept = await work(rig)
        await fails(rig)
        assert ("Another file was put in the place" if replaced else "was deleted or moved") in told(rig)
        await rig.press("q")
    assert texts(rescued(rig)) == kept
    assert path.exists() == replaced
    assert not replaced or path.read_bytes() == b"somebody else's"


async def test_the_second_app_says_that_it_only_reads(launch: Launcher, tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    first = Saving.open(path)
    first.document.new_loom("Here first", False)
    first.save("new loom")
    assert first._writer is not None and first._writer.flush(60)
    async with launch(free(), session=path, prompt=None) as rig:
        await rig.ready()
        assert "is open in another program" in told(rig) and "is not stored" in told(rig)
        assert "read-only" in rig.app.view.title_bar.right
        await rig.press("q")
    assert rig.app.saving.leave() == [], "nothing was done, nothing is left"
    async with launch(free(), session=path, prompt=None) as rig:
        await rig.ready()
        kept = await work(rig)
        await rig.press("q")
    assert texts(rescued(rig)) == kept
    first.document.new_loom("Here still", False)
    first.save("new loom")
    assert first.close()
    assert texts(path) == ["Here first", "Here still"]


async def test_a_folder_where_nothing_can_be_made(
    launch: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sessions").write_text("no folder")
    async with launch(free()) as rig:
        await rig.ready()
        kept = await work(rig)
        await rig.until(lambda: "not stored" in told(rig))
        assert "not saved" in rig.app.view.title_bar.right
        await rig.press("q")
    monkeypatch.setenv("HOME", str(tmp_path))
    found = rescued(rig)
    assert found.parent == tmp_path
    assert texts(found) == kept


async def test_a_damaged_session_goes_on_in_a_new_file(launch: Launcher, tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    saving = Saving.open(path)
    saving.document.new_loom("Once", False)
    for index in range(300):
        saving.document.add_text(saving.document.roots[0], f"{index} words " * 30)
    saving.save("x")
    assert saving.close()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = bytes(8192)
    path.write_bytes(content)
    for name in ("a-recovered", "a-recovered-2"):
        async with launch(free(), session=path, prompt=None) as rig:
            await rig.ready()
            assert "is damaged and left as it is" in told(rig)
            assert rig.app.saving.title == name
            await rig.until(lambda: rig.app.saving.state == "saved")
            assert 10 < len(shown(rig)) < 301
            await rig.press("space")
            await rig.grown()
            kept = shown(rig)
            await rig.press("q")
        assert rig.app.saving.close()
        assert path.read_bytes() == content
        assert texts(tmp_path / f"{name}.loom") == kept
        assert read_session(tmp_path / f"{name}.loom").problems == []


class Gate:
    """Keeps a function waiting until it is opened. Whoever waits on the UI's thread waits in vain."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> None:
        self._function = getattr(module, name)
        self._open, self.reached = threading.Event(), threading.Event()
        monkeypatch.setattr(module, name, self)

    def __call__(self, *arguments: Any) -> Any:
        self.reached.set()
        assert self._open.wait(20)
        return self._function(*arguments)

    def open(self) -> None:
        self._open.set()


async def stuck(rig: Rig) -> None:
    """Grow branches in a session whose file is taken away."""
    await rig.ready()
    await rig.until(lambda: rig.app.saving.state == "saved")
    assert rig.app.saving.path is not None
    rig.app.saving.path.unlink()
    await rig.press("space")
    await rig.until(lambda: rig.app.saving.stuck)


async def test_keys_are_heard_while_a_session_that_no_file_has_is_exported(
    launch: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, exporting, "export_loaded")
    async with launch(FakeBackend(), session=tmp_path / "a.loom") as rig:
        await stuck(rig)
        rig.backend.grant(2)
        await rig.until(lambda: all(len(node.tokens) == 2 for node in rig.root.children))
        wanted = Export(find_format("jsonl"), Chosen(), tmp_path / "out")
        export = asyncio.create_task(exporting.write_export(rig.app.saving, wanted))
        await rig.until(gate.reached.is_set)
        kept = shown(rig)
        rig.app.show_there(rig.app.document.add_text(rig.root, "later"))
        rig.backend.free()
        await rig.grown()
        gate.open()
        assert await export == []
        assert texts(import_file(tmp_path / "out", tmp_path / "back")[0]) == kept != shown(rig)


async def test_keys_are_heard_while_a_session_that_no_file_has_is_stored_elsewhere(
    launch: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, elsewhere, "write_new")
    async with launch(FakeBackend(), session=tmp_path / "a.loom") as rig:
        await stuck(rig)
        await rig.press("ctrl+s")
        await answer(rig, str(tmp_path / "b"))
        await rig.until(gate.reached.is_set)
        rig.app.show_there(rig.app.document.add_text(rig.root, "later"))
        rig.backend.free()
        await rig.grown()
        gate.open()
        await rig.until(lambda: rig.app.saving.path == tmp_path / "b.loom")
        await rig.until(lambda: rig.app.saving.state == "saved")
        kept = shown(rig)
    assert texts(tmp_path / "b.loom") == kept


async def test_another_place_that_refuses_loses_nothing(launch: Launcher, tmp_path: Path) -> None:
    async with launch(free(), session=tmp_path / "a.loom") as rig:
        await stuck(rig)
        await rig.grown()
        for name in ("c", "b"):
            (tmp_path / "c.loom").write_text("somebody else's")
            with contextlib.suppress(SessionError):
                await rig.app.saving.save_as(tmp_path / f"{name}.loom")
            rig.app.show_there(rig.app.document.add_text(rig.root, f"behind {name}"))
        await rig.until(lambda: rig.app.saving.state == "saved")
        kept = shown(rig)
    assert texts(tmp_path / "b.loom") == kept and "behind c" in kept
    assert (tmp_path / "c.loom").read_text() == "somebody else's"
