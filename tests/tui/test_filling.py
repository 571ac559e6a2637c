"""A large session is shown before all of it is there; what a person does meanwhile is neither wrong nor lost."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sqlite3
import threading
from pathlib import Path

import pytest
from support.keys import KEYMAPS, free, key
from support.large import Gate, gate, plant
from support.rig import Launcher, Rig
from textual import events

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.record import snapshot
from n8loom_tui.session.store import SessionStore, read_session
from n8loom_tui.tui.backend import ModelInfo
from n8loom_tui.tui.glimpsed import Glimpsed, Whole
from n8loom_tui.tui.screens.sessions import SessionsScreen

__all__ = ["gate"]


def picture(rig: Rig) -> tuple[list[str], list[str]]:
    reader = rig.app.view.reader
    return rig.texts(), [reader.render_line(y).text for y in range(reader.size.height)]


async def shown(rig: Rig) -> None:
    """What is around the cursor is shown, and no more."""
    await rig.until(lambda: rig.app.view.current is not None)
    assert rig.app.filling.active


async def whole(rig: Rig, gate: Gate) -> None:
    gate.open()
    await rig.until(lambda: not rig.app.filling.active)
    await rig.ready()


@KEYMAPS
async def test_the_cursor_walks_at_once_and_the_picture_stays(
    launch: Launcher, gate: Gate, tmp_path: Path, keymap: str
) -> None:
    nodes = plant(tmp_path / "a.loom")
    async with launch(free(), prompt=None, session=tmp_path / "a.loom", keymap=keymap) as rig:
        await shown(rig)
        assert rig.current.id == nodes[len(nodes) // 2].id
        assert "opening" in rig.app.view.title_bar.right
        await key(rig, "row_down", 3)
        assert rig.current.id == nodes[len(nodes) // 2 + 3].id
        before = picture(rig)
        assert any(rig.current.text.strip() in line for line in before[0])
        await whole(rig, gate)
        assert picture(rig) == before
        assert rig.current is rig.app.document.nodes[nodes[len(nodes) // 2 + 3].id]
        assert len(rig.app.document.nodes) == len(nodes)
        await rig.until(lambda: "saved" in rig.app.view.title_bar.right)
        await key(rig, "quit")
    kept = read_session(tmp_path / "a.loom")
    assert kept.current_id == nodes[len(nodes) // 2 + 3].id
    assert not kept.by_id[kept.current_id].marks.unread, "it was seen"


@KEYMAPS
async def test_an_edit_waits_visibly_with_all_that_is_typed_behind_it(
    launch: Launcher, gate: Gate, tmp_path: Path, keymap: str
) -> None:
    nodes = plant(tmp_path / "a.loom")
    async with launch(free(), prompt=None, session=tmp_path / "a.loom", keymap=keymap) as rig:
        await shown(rig)
        write = rig.app.keymap.keys_of("add_text")[0]
        for name in (*write, *"more", "enter", *rig.app.keymap.keys_of("bookmark")[0]):
            rig.app.post_message(events.Key(name, name if len(name) == 1 else None))
        await rig.until(lambda: "waits a moment" in rig.app.view.state_bar.left)
        assert len(rig.app.document.nodes) < len(nodes)
        await whole(rig, gate)
        await rig.until(lambda: rig.current.text == "more" and rig.current.marks.bookmark)
        assert rig.current.parent is not None and rig.current.parent.id == nodes[len(nodes) // 2].id
        assert rig.app.screen is rig.app.view
        await key(rig, "quit")
    kept = read_session(tmp_path / "a.loom")
    assert kept.nodes == len(nodes) + 1
    assert [child.text for child in kept.by_id[nodes[len(nodes) // 2].id].children][-1] == "more"


async def test_a_count_and_half_a_sequence_go_on_behind_it(
    launch: Launcher, gate: Gate, tmp_path: Path
) -> None:
    nodes = plant(tmp_path / "a.loom")
    async with launch(free(), prompt=None, session=tmp_path / "a.loom") as rig:
        await shown(rig)
        await rig.press("2")
        await whole(rig, gate)
        assert "2" in rig.app.status.pending
        await key(rig, "row_up")
        assert rig.current.id == nodes[len(nodes) // 2 - 2].id


async def test_far_away_and_by_the_mouse_it_waits(launch: Launcher, gate: Gate, tmp_path: Path) -> None:
    nodes = plant(tmp_path / "a.loom")
    async with launch(free(), prompt=None, session=tmp_path / "a.loom") as rig:
        await shown(rig)
        tree, here = rig.app.view.tree_view, rig.current
        line = tree.cursor_line
        x, y = tree.region.x + 12, tree.region.y + line - 2
        for kind in (events.MouseDown, events.MouseUp):
            rig.app.post_message(kind(None, x, y, 0, 0, 1, False, False, False, x, y))
        await rig.pilot.pause()
        await key(rig, "bottom")
        assert rig.current is here
        await whole(rig, gate)
        await rig.until(lambda: rig.current.id == nodes[-1].id)
        await key(rig, "jump_back")
        assert rig.current.id == nodes[len(nodes) // 2 - 2].id, "the click came first"


@KEYMAPS
async def test_one_can_leave_before_all_is_there(
    launch: Launcher, gate: Gate, tmp_path: Path, keymap: str
) -> None:
    path = tmp_path / "a.loom"
    nodes = plant(path)
    async with launch(free(), prompt=None, session=path, keymap=keymap) as rig:
        await shown(rig)
        await key(rig, "row_down")
        await key(rig, "quit")
        assert rig.app._exit
        assert rig.app.saving.leave() == []
    gate.open()
    store = SessionStore.open(path)
    assert not store.read_only, "nobody has it open any more"
    assert store.load().nodes == len(nodes)
    assert store.close()


async def test_the_browser_opens_a_large_one_over_another(
    launch: Launcher, gate: Gate, tmp_path: Path
) -> None:
    sessions = tmp_path / "data" / "sessions"
    sessions.mkdir(parents=True)
    nodes = plant(sessions / "large.loom")
    plant(tmp_path / "first.loom", fans=2)
    async with launch(free(), prompt=None, session=tmp_path / "first.loom") as rig:
        await whole(rig, gate)
        gate._open.clear()
        await key(rig, "sessions")
        await rig.until(lambda: isinstance(rig.app.screen, SessionsScreen))
        await rig.press(*"large", "enter")
        await rig.until(lambda: rig.app.saving.title == "large" and rig.app.view.is_current)
        await shown(rig)
        assert rig.current.id == nodes[len(nodes) // 2].id
        await key(rig, "ramify")
        await rig.pilot.pause()
        assert not rig.app.document.growing
        await whole(rig, gate)
        await rig.grown()
        assert len(rig.app.document.nodes) == len(nodes) + 3
        await key(rig, "undo")
        assert len(rig.app.document.nodes) == len(nodes)


async def test_a_rest_that_is_not_in_order_goes_on_in_a_new_file(
    launch: Launcher, gate: Gate, tmp_path: Path
) -> None:
    path = tmp_path / "a.loom"
    nodes = plant(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE nodes SET kind = 'odd' WHERE id = ?", (nodes[-1].id,))
    before = path.read_bytes()
    async with launch(free(), prompt=None, session=path) as rig:
        await shown(rig)
        await key(rig, "bookmark")
        await whole(rig, gate)
        await rig.until(lambda: rig.current.marks.bookmark)
        assert rig.app.saving.title == "a-recovered"
        assert len(rig.app.document.nodes) == len(nodes)
        await key(rig, "quit")
    assert path.read_bytes() == before
    kept = read_session(tmp_path / "a-recovered.loom")
    assert kept.by_id[nodes[len(nodes) // 2].id].marks.bookmark


async def test_where_nothing_more_can_be_read_the_sessions_are_offered(
    launch: Launcher, gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path / "a.loom")

    def fails(_saving: Glimpsed, _model: object) -> None:
        raise SessionError("the disk is gone")

    monkeypatch.setattr(Glimpsed, "whole", fails)
    async with launch(free(), prompt=None, session=tmp_path / "a.loom") as rig:
        await rig.until(lambda: not rig.app.filling.active and rig.app.status.model is not None)
        assert not rig.app.document.roots
        assert rig.app.screen is not rig.app.view
        assert any("the disk is gone" in note.message for note in rig.app._notifications)


async def test_a_prompt_that_was_given_begins_a_loom_once_all_is_there(
    launch: Launcher, gate: Gate, tmp_path: Path
) -> None:
    nodes = plant(tmp_path / "a.loom")
    async with launch(free(), prompt="Another", session=tmp_path / "a.loom") as rig:
        await shown(rig)
        assert len(rig.app.document.roots) == 1
        await whole(rig, gate)
        assert [root.text for root in rig.app.document.roots] == ["Once", "Another"]
        assert len(rig.app.document.nodes) == len(nodes) + 1


async def test_the_trees_of_a_session_that_was_left_are_freed(
    launch: Launcher, gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = tmp_path / "data" / "sessions"
    sessions.mkdir(parents=True)
    first, second = tmp_path / "first.loom", sessions / "second.loom"
    wanted = {node.id for node in plant(first)}
    plant(second)
    gate.open()
    async with launch(free(), prompt=None, session=first) as rig:
        await whole(rig, gate)
        in_sight = {node.id for node in (*rig.app.view.tree_view.in_sight, *rig.current.path())}
        freed: set[str] = set()
        monkeypatch.setattr(Heddle, "__del__", lambda node: freed.add(node.id), raising=False)
        gc.disable()
        try:
            await rig.app.opening.open(second)
            await rig.until(lambda: rig.app.view.current is not None and not rig.app.filling.active)
            await rig.until(lambda: wanted - freed <= in_sight)
        finally:
            gc.enable()
        assert rig.current is rig.app.document.nodes[rig.current.id] and len(rig.root.children) == 40


async def test_the_rest_of_a_session_that_was_left_does_not_keep_the_next_one_from_being_filled(
    launch: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: Gate
) -> None:
    first, second = tmp_path / "first.loom", tmp_path / "second.loom"
    plant(first)
    nodes = plant(second)
    gates = {"first": threading.Event(), "second": threading.Event()}
    leaving = threading.Event()
    gate.open()
    whole, leave = Glimpsed.whole, Glimpsed.leave

    def in_turn(saving: Glimpsed, model: ModelInfo | None) -> Whole | None:
        gates[saving.title].wait(30)
        return whole(saving, model)

    def late(saving: Glimpsed) -> list[str]:
        leaving.wait(30)
        return leave(saving)

    def reading() -> int:
        return sum(thread.name == "filling" for thread in threading.enumerate())

    monkeypatch.setattr(Glimpsed, "whole", in_turn)
    monkeypatch.setattr(Glimpsed, "leave", late)
    async with launch(free(), prompt=None, session=first) as rig:
        await shown(rig)
        await rig.until(lambda: reading() == 1)
        opening = asyncio.create_task(rig.app.opening.open(second))
        await rig.until(lambda: rig.app.saving.title == "second" and reading() == 2)
        with monkeypatch.context() as still:
            still.setattr(rig.app.filling, "look", lambda: None)
            gates["second"].set()
            await rig.until(lambda: reading() == 1)
            gates["first"].set()
            await rig.until(lambda: reading() == 0)
        await rig.until(lambda: not rig.app.filling.active)
        assert len(rig.app.document.nodes) == len(nodes)
        leaving.set()
        await opening
    store = SessionStore.open(first)
    assert not store.read_only and store.close()


async def test_what_waited_is_not_done_to_another_node_where_its_own_is_gone(
    launch: Launcher, gate: Gate, tmp_path: Path
) -> None:
    path = tmp_path / "a.loom"
    nodes = plant(path)
    here = nodes[len(nodes) // 2]
    other = SessionStore.open(path)
    async with launch(free(), prompt=None, session=path) as rig:
        await shown(rig)
        assert rig.current.id == here.id
        await key(rig, "delete")
        writer = other.writer()
        writer.put(snapshot("delete", deleted=[here.id]))
        assert writer.flush(30)
        await whole(rig, gate)
        await rig.until(lambda: any("no longer there" in note.message for note in rig.app._notifications))
        assert set(rig.app.document.nodes) == {node.id for node in nodes} - {node.id for node in here.walk()}
        await key(rig, "bookmark")
        assert rig.current.marks.bookmark, "what comes now is done"
    assert other.close()
