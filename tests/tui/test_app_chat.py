"""Chat turns and the system's message, each through its key."""

from __future__ import annotations

from pathlib import Path

from support.fake_backend import FakeBackend
from support.keys import KEYMAPS, free, key, write
from support.rig import Launcher

from n8loom_tui.loom.protocol import Encode, Framing, Ramify
from n8loom_tui.session.store import read_session
from n8loom_tui.tui.screens.editor import EditorArea, EditorScreen, SystemInput
from n8loom_tui.tui.screens.loom import LoomScreen


@KEYMAPS
async def test_a_turn_goes_below_and_ramify_answers_it(launch: Launcher, keymap: str, tmp_path: Path) -> None:
    backend = free()
    path = tmp_path / "a.loom"
    async with launch(backend, keymap=keymap, session=path) as rig:
        await rig.ready()
        await key(rig, "continue_one")
        await rig.grown()
        await key(rig, "row_down")
        await key(rig, "chat_turn")
        await write(rig, "And who are you?")
        turn = rig.current
        assert turn.is_turn and turn.parent is rig.root.children[0]
        await rig.until(lambda: turn.encoded)
        asked = [request for request in backend.submitted if isinstance(request, Encode)][-1]
        assert asked.path[-1].framing is Framing.TURN
        row = next(line for line in rig.texts() if "And who are you?" in line)
        assert "»" in row
        await key(rig, "ramify", 2)
        await rig.grown()
        assert len(turn.children) == 2
        grown = [request for request in backend.submitted if isinstance(request, Ramify)][-1]
        assert [segment.node_id for segment in grown.sources[0].path] == [node.id for node in turn.path()]
        await key(rig, "edit")
        assert isinstance(rig.app.screen, EditorScreen)
        assert rig.app.screen.query_one(EditorArea).text == "And who are you?"
        await write(rig, "And who am I?")
        assert rig.current.is_turn and rig.current.source_text() == "And who am I?"
        for action in ("trim", "split", "merge"):
            await key(rig, action, 1 if action == "split" else None)
        assert len(rig.root.children[0].children) == 2, "a turn is cut nowhere"
        await key(rig, "undo", 2)
        assert not turn.children
        await key(rig, "chat_turn")
        await rig.press("escape")
        await key(rig, "redo", 2)
        await rig.press(*rig.app.keymap.keys_of("quit")[0])
    again = read_session(path)
    turns = [node.source_text() for node in again.roots[0].walk() if node.is_turn]
    assert turns == ["And who are you?", "And who am I?"]


async def test_a_model_without_a_template_refuses_in_one_line(launch: Launcher) -> None:
    backend = free()
    backend.chat = False
    async with launch(backend) as rig:
        await rig.ready()
        await key(rig, "chat_turn")
        assert isinstance(rig.app.screen, LoomScreen)
        (toast,) = [note.message for note in rig.app._notifications if "template" in note.message]
        assert toast == "fake has no chat template. Write a text child instead."


async def test_the_editor_of_a_new_loom_takes_a_system_message(launch: Launcher, tmp_path: Path) -> None:
    backend = FakeBackend()
    path = tmp_path / "a.loom"
    async with launch(backend, prompt=None, session=path) as rig:
        await rig.until(lambda: isinstance(rig.app.screen, EditorScreen))
        await rig.press("h", "i")
        await rig.press("ctrl+t")
        assert not rig.app.screen.query_one(SystemInput).display, "raw text has no system message"
        await rig.press("ctrl+t", "tab", *"Be brief", "enter")
        assert (rig.root.source_text(), rig.root.system) == ("hi", "Be brief")
        await rig.ready()
        asked = [request for request in backend.submitted if isinstance(request, Encode)][-1]
        assert (asked.path[0].framing, asked.path[0].system) == (Framing.CHAT, "Be brief")
        await key(rig, "edit")
        await rig.press("ctrl+t")
        await write(rig, "hello")
        assert [root.source_text() for root in rig.app.document.roots] == ["hi", "hello"]
        assert [root.system for root in rig.app.document.roots] == ["Be brief"] * 2, "an edit keeps it"
        await rig.press("q")
    assert read_session(path).roots[0].system == "Be brief"
