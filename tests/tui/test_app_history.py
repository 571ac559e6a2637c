"""Undo, edits and marks in the app, each through its key, in every keymap that is shipped."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest
from support.fake_backend import FakeBackend
from support.keys import KEYMAPS, answer, free, key, write
from support.rig import Launcher
from textual.widgets import Input

from n8loom_tui.session.store import read_session
from n8loom_tui.tui import hearing
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.screens.editor import EditorArea, EditorScreen
from n8loom_tui.tui.screens.loom import LoomScreen
from n8loom_tui.tui.screens.trash import TrashScreen


@KEYMAPS
async def test_undo_and_redo(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await rig.ready()
        await key(rig, "ramify")
        await rig.grown()
        await key(rig, "row_down")
        await key(rig, "trim")
        assert rig.current.text == " the flood came"
        await key(rig, "delete")
        assert len(rig.root.children) == 2
        await key(rig, "bottom")
        await key(rig, "undo")
        assert rig.current is rig.root.children[0], "the cursor goes to where it was"
        assert "undone: delete" in rig.app.view.state_bar.left
        await key(rig, "undo")
        assert rig.current.text == " the flood came and"
        await key(rig, "undo")
        assert rig.root.children == []
        assert rig.current is rig.root
        await rig.press("3")
        await key(rig, "redo")
        assert [child.text for child in rig.root.children] == [" the flood came and"] * 2
        assert sum("the flood" in line for line in rig.texts()) == 2
        await rig.press("9")
        await key(rig, "undo")
        assert rig.app.document.roots == []
        await key(rig, "undo")
        assert rig.app.is_running
        await rig.press("9")
        await key(rig, "redo")
        assert len(rig.root.children) == 2


async def test_undo_while_it_streams_stops_it_and_redo_brings_it_back_after_a_restart(
    launch: Launcher, tmp_path: Path
) -> None:
    backend = FakeBackend()
    path = tmp_path / "a.loom"
    async with launch(backend, session=path, max_tokens=50) as rig:
        await rig.ready()
        await rig.press("space")
        backend.grant(2)
        await rig.until(lambda: all(len(child.tokens) == 2 for child in rig.root.children))
        await rig.press("u")
        assert not rig.root.children
        assert not rig.app.document.growing
        await rig.until(lambda: not backend.busy)
        await rig.press("q")
    async with launch(session=path, prompt=None) as rig:
        await rig.until(lambda: rig.app.document.roots)
        await rig.press("ctrl+r")
        assert [child.text for child in rig.root.children] == [" the flood"] * 3
        assert [child.finish for child in rig.root.children] == ["cancelled"] * 3
        await rig.press("2", "u")
        assert not rig.app.document.roots
        await rig.press("q")
    async with launch(session=path, prompt=None) as rig:
        await rig.until(lambda: isinstance(rig.app.screen, EditorScreen))
        await rig.press("escape", "2", "ctrl+r")
        assert [child.text for child in rig.root.children] == [" the flood"] * 3


@KEYMAPS
async def test_editing_in_place_and_beside(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await rig.ready()
        await key(rig, "continue_one")
        await rig.grown()
        await key(rig, "row_down")
        node = rig.current
        await key(rig, "edit")
        assert isinstance(rig.app.screen, EditorScreen)
        assert rig.app.screen.query_one(EditorArea).text == " the flood came and"
        await write(rig, " the ark came")
        assert (rig.current, node.text) == (node, " the ark came")
        assert any("the ark came" in line for line in rig.texts())
        await rig.until(lambda: node.encoded)
        await key(rig, "edit")
        await rig.press("ctrl+t")
        await write(rig, " a dove came")
        assert [child.text for child in rig.root.children] == [" the ark came", " a dove came"]
        assert rig.current is rig.root.children[1]
        await rig.until(lambda: rig.current.encoded)
        await key(rig, "parent")
        await key(rig, "edit")
        await write(rig, "Twice")
        assert [root.text for root in rig.app.document.roots] == ["Once", "Twice"], "something is below it"
        await rig.until(lambda: rig.current.encoded)
        await key(rig, "edit")
        await rig.press("escape")
        await key(rig, "edit")
        await rig.press("enter")
        await rig.press("9")
        await key(rig, "undo")
        await rig.press("2")
        await key(rig, "redo")
        assert node.text == " the flood came and"


EDITOR = """
import sys
with open(sys.argv[1], encoding="utf-8", errors="surrogatepass", newline="") as file:
    text = file.read()
if "fail" in sys.argv[2:]:
    sys.exit(3)
with open(sys.argv[1], "w", encoding="utf-8", errors="surrogatepass", newline="") as file:
    file.write(text.replace("flood", "fl\\ud800od") + "\\r\\nand more\\n")
"""


@KEYMAPS
async def test_editing_in_a_persons_own_editor(
    launch: Launcher, keymap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "my editor.py"
    script.write_text(EDITOR)
    backend = FakeBackend()
    async with launch(backend, keymap=keymap, max_tokens=30) as rig:
        await rig.ready()
        await key(rig, "edit_external")
        assert rig.root.text == "Once", "there is no terminal that could be given away"
        monkeypatch.setattr(rig.app, "suspend", contextlib.nullcontext)
        await key(rig, "continue_one")
        backend.grant(4)
        await rig.until(lambda: rig.root.children and len(rig.root.children[0].tokens) == 4)
        await key(rig, "row_down")
        node = rig.current
        await key(rig, "edit_external")
        assert len(node.tokens) == 4, "it grows"
        await key(rig, "stop")
        await rig.grown()
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", "/no/such/editor -w")
        await key(rig, "edit_external")
        monkeypatch.setenv("EDITOR", f"'{sys.executable}' -c 'import sys; sys.exit(3)'")
        await key(rig, "edit_external")
        monkeypatch.setenv("EDITOR", "an 'unfinished quote")
        await key(rig, "edit_external")
        assert node.text == " the flood came and"
        monkeypatch.setenv("VISUAL", f"'{sys.executable}' '{script}'")
        await key(rig, "edit_external")
        assert node.text == " the fl\ud800od came and\r\nand more"
        await key(rig, "undo")
        assert node.text == " the flood came and"


@KEYMAPS
async def test_splitting_and_merging(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await rig.ready()
        await key(rig, "ramify")
        await rig.grown()
        await key(rig, "row_down")
        node = rig.current
        await key(rig, "continue_one")
        await rig.grown()
        await rig.press("1")
        await key(rig, "split")
        assert (rig.current.text, rig.current.children) == (" the", [node])
        assert rig.root.children[0] is rig.current
        assert (node.text, node.tokens, len(node.children)) == (" flood came and", [8, 9, 10], 1)
        await key(rig, "row_down")
        await key(rig, "split")
        await answer(rig, "0")
        assert isinstance(rig.app.screen, AskScreen), "it asks again"
        await answer(rig, "2")
        assert rig.current.text == " flood came"
        await key(rig, "row_down")
        await rig.press("9")
        await key(rig, "split")
        await key(rig, "merge")
        await key(rig, "merge")
        assert (rig.current, node.text, node.tokens) == (node, " the flood came and", [7, 8, 9, 10])
        assert "first_step" not in node.provenance
        await key(rig, "merge")
        assert node.parent is rig.root, "a prompt stays by itself"
        assert sum("the flood came and" in line for line in rig.texts()) == 4


@KEYMAPS
async def test_bookmarks_tags_and_notes(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await rig.ready()
        await key(rig, "next_bookmark")
        assert rig.current is rig.root, "there is none yet"
        await key(rig, "ramify")
        await rig.grown()
        one, _, three = rig.root.children
        await key(rig, "row_down")
        await key(rig, "bookmark")
        assert one.marks.bookmark
        await rig.press("2")
        await key(rig, "row_down")
        await key(rig, "bookmark")
        assert "★" in rig.texts()[3]
        await key(rig, "previous_bookmark")
        assert rig.current is one
        await key(rig, "next_bookmark")
        assert rig.current is three
        await key(rig, "next_bookmark")
        assert rig.current is one, "round"
        await key(rig, "row_down")
        await key(rig, "previous_bookmark")
        assert rig.current is one
        await key(rig, "row_down")
        await key(rig, "next_bookmark")
        assert rig.current is three
        await key(rig, "top")
        await key(rig, "fold")
        await key(rig, "next_bookmark")
        assert rig.current is one, "what is folded away is shown"
        await key(rig, "bookmark")
        assert "★" not in rig.texts()[1]

        await key(rig, "tag")
        await answer(rig, "x" * 99)
        assert isinstance(rig.app.screen, AskScreen), "it says what is wrong"
        await answer(rig, "#good, odd good")
        assert one.marks.tags == ("good", "odd")
        assert "#good #odd" in rig.texts()[1]
        await key(rig, "tag")
        assert isinstance(rig.app.screen, AskScreen)
        assert rig.app.screen.query_one(Input).value == "good odd"
        await rig.press("escape")

        await key(rig, "note")
        await write(rig, "why\nnot?")
        assert one.marks.note == "why\nnot?"
        assert "†" in rig.texts()[1]
        await rig.press("2")
        await key(rig, "undo")
        assert (one.marks.note, one.marks.tags) == ("", ())
        assert isinstance(rig.app.screen, LoomScreen)


async def test_unread_branches_show_it_until_the_cursor_comes(launch: Launcher, tmp_path: Path) -> None:
    async with launch(free(), session=tmp_path / "a.loom") as rig:
        await rig.ready()
        await rig.press("space")
        await rig.grown()
        assert ["•" in line for line in rig.texts()[:4]] == [False, True, True, True]
        await rig.press("down", "down")
        assert ["•" in line for line in rig.texts()[:4]] == [False, False, False, True]
        await rig.press("q")
    async with launch(session=tmp_path / "a.loom", prompt=None) as rig:
        await rig.ready()
        assert ["•" in line for line in rig.texts()[:4]] == [False, False, False, True]


async def test_a_cut_shows_and_a_dialog_outlives_its_node(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await rig.press("enter")
        await rig.grown()
        await rig.press("down", "t")
        assert "✂" in rig.texts()[1]
        node = rig.current
        for keys in (["e"], ["i"], ["s"], ["x"], ["#"], [";"]):
            await rig.press(*keys)
            rig.app.document.delete(node)
            if isinstance(rig.app.screen, AskScreen):
                await answer(rig, "1")
            else:
                await write(rig, "text")
            assert isinstance(rig.app.screen, LoomScreen)
            rig.app.show(rig.app.document.undo())
        assert (node.text, node.children, node.parent) == (" the flood came", [], rig.root)


async def test_where_the_person_stands_and_what_is_folded_is_stored_meanwhile(
    launch: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "SAVE_EVERY", 0.0)
    path = tmp_path / "a.loom"
    async with launch(free(), session=path) as rig:
        await rig.ready()
        await rig.press("space")
        await rig.grown()
        await rig.press("down", "enter")
        await rig.grown()
        await rig.press("z", "down")
        one, two, _ = rig.root.children

        def stored() -> bool:
            found = read_session(path)
            return found.current_id == two.id and found.folded_ids == {one.id}

        await rig.until(stored)


@KEYMAPS
async def test_the_trash_gives_back_and_is_emptied(launch: Launcher, keymap: str, tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    async with launch(free(), keymap=keymap, session=path) as rig:
        await rig.ready()
        await key(rig, "trash")
        assert isinstance(rig.app.screen, LoomScreen), "it is empty"
        await key(rig, "ramify")
        await rig.grown()
        await key(rig, "row_down")
        node = rig.current
        await key(rig, "add_text")
        await write(rig, "[/b]\x1b[31m own words")
        await rig.until(lambda: rig.current.encoded)
        await key(rig, "undo")
        await key(rig, "bookmark")
        await key(rig, "redo")
        assert not node.children, "it was left behind"
        await key(rig, "next_sibling")
        await key(rig, "delete")
        await key(rig, "trash")
        assert isinstance(rig.app.screen, TrashScreen)
        await rig.press("j", "k", "j", "enter")
        assert (rig.current.text, rig.current.parent) == ("[/b]\x1b[31m own words", node)
        await key(rig, "undo")
        assert not node.children
        await key(rig, "trash")
        await rig.press("escape")
        await key(rig, "trash")
        await rig.press("E")
        await answer(rig, "no")
        assert isinstance(rig.app.screen, AskScreen)
        await answer(rig, "yes")
        assert rig.app.document.in_trash() == []
        await key(rig, "undo")
        assert len(rig.root.children) == 2
        await key(rig, "bookmark")
        await key(rig, "quit")
    loaded = read_session(path)
    assert (loaded.nodes, loaded.trashed, len(loaded.done)) == (3, 0, 1)
    assert b"own words" not in path.read_bytes()


async def test_nothing_is_asked_about_a_split_that_cannot_be(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await key(rig, "split")
        assert rig.app.screen is rig.app.view
        assert any("A prompt is not split" in message for message, _ in rig.told)
        assert not rig.root.children


async def test_nothing_is_asked_about_a_clip_that_cannot_be(launch: Launcher) -> None:
    """How many tokens to keep of a text that the model has not read is no question."""
    async with launch(FakeBackend(load_error="no model")) as rig:
        await rig.until(lambda: rig.app.document.roots and rig.app.status.failure)
        await key(rig, "clip")
        assert any("A prompt is not cut" in message for message, _ in rig.told)
        rig.app.show_there(rig.app.document.add_text(rig.root, "mine"))
        rig.app.show(rig.app.document.add_text(rig.root, "mine too"))
        await key(rig, "clip")
        assert rig.app.screen is rig.app.view and not any("0 tokens" in row for row in rig.texts())
        await rig.press("v", "v", "x")
        assert rig.app.screen is rig.app.view
        assert sum("has not read this text yet" in message for message, _ in rig.told) >= 1
        assert [node.text for node in rig.root.children] == ["mine", "mine too"]
