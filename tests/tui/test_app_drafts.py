"""What was written and not entered, in the app: it is there when the editor is opened again, until it is entered or
thrown away."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fake_backend import FakeBackend
from support.keys import KEYMAPS, answer, free, key
from support.rig import Launcher, Rig

from n8loom_tui.session.drafts import Draft, Editor, Place
from n8loom_tui.session.store import read_session
from n8loom_tui.tui import drafting
from n8loom_tui.tui.screens.editor import EditorArea, EditorScreen, SystemInput
from n8loom_tui.tui.screens.loom import LoomScreen


def written(rig: Rig) -> str:
    """What stands in the editor that is open."""
    assert isinstance(rig.app.screen, EditorScreen)
    return rig.app.screen.query_one(EditorArea).text


def told(rig: Rig, words: str) -> bool:
    return any(words in message for message, _ in rig.told)


@KEYMAPS
@pytest.mark.parametrize("action", ["add_text", "chat_turn", "edit", "note"])
async def test_escape_keeps_what_was_written_and_the_editor_holds_it_again(
    launch: Launcher, tmp_path: Path, keymap: str, action: str
) -> None:
    path = tmp_path / "a.loom"
    async with launch(free(), keymap=keymap, session=path) as rig:
        await rig.ready()
        await key(rig, action)
        before = written(rig)
        await rig.press(*"mine", "escape")
        assert isinstance(rig.app.screen, LoomScreen)
        assert told(rig, f"Kept, not entered: {rig.app.keymap.label('resume_writing')} goes on with it.")
        await key(rig, action)
        assert written(rig) == f"{before}mine"
        await rig.press("escape")
        await key(rig, "quit")
    async with launch(free(), keymap=keymap, session=path, prompt=None) as rig:
        await rig.ready()
        assert told(rig, "Words that were not entered are kept")
        await key(rig, "resume_writing")
        assert written(rig) == f"{before}mine"
        await rig.press("enter")
        await key(rig, action)
        assert written(rig) == ("" if action in {"add_text", "chat_turn"} else f"{before}mine")
        await rig.press("escape")
        await rig.until(lambda: rig.app.saving.state == "saved")
        assert rig.app.saving.drafts.all() == {}
    assert read_session(path).drafts == {}


async def test_what_was_kept_is_thrown_away_by_starting_over(launch: Launcher, tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    async with launch(free(), session=path) as rig:
        await rig.ready()
        await rig.press("e", *" upon", "escape", "e", "ctrl+r")
        assert written(rig) == "Once"
        await rig.press("ctrl+z")
        assert written(rig) == "Once upon", "a slip of the hand costs nothing"
        await rig.press("ctrl+r", "escape")
        assert rig.app.saving.drafts.all() == {}
        await rig.press("w")
        assert told(rig, "Nothing was written that is not entered.")
        await rig.until(lambda: rig.app.saving.state == "saved")
    assert read_session(path).drafts == {}


async def test_what_is_only_looked_at_is_not_kept(launch: Launcher) -> None:
    async with launch(free(), prompt="two\r\nlines\x85") as rig:
        await rig.ready()
        for keys in ("e", "i", ";", "c"):
            await rig.press(keys, "escape")
        await rig.press("i", "space", "enter", "u")
        assert rig.app.saving.drafts.all() == {}


async def test_words_go_into_the_file_while_they_are_written(
    launch: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafting, "KEPT_AFTER", 0.01)
    path = tmp_path / "a.loom"
    async with launch(free(), session=path) as rig:
        await rig.ready()
        await rig.press("i", *"mine")
        place = Place(Editor.CHILD, rig.root.id)
        await rig.until(lambda: read_session(path).drafts == {place: Draft("mine")})
        await rig.press(*" too")
        await rig.until(lambda: read_session(path).drafts == {place: Draft("mine too")})
        await rig.press("enter")
        await rig.until(lambda: not read_session(path).drafts)
        assert [child.text for child in read_session(path).roots[0].children] == ["mine too"]


async def test_a_new_loom_is_held_with_its_system_message_and_its_choice(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await rig.press("ctrl+n", *"Twice", "tab", *"Be kind", "escape")
        await rig.press("ctrl+n")
        assert written(rig) == "Twice"
        assert rig.app.screen.query_one(SystemInput).value == "Be kind"
        await rig.press("ctrl+t", "escape", "ctrl+n", "enter")
        assert [root.source_text() for root in rig.app.document.roots] == ["Once", "Twice"]
        assert not rig.app.document.roots[1].chat_template_used, "raw text was chosen before"  # type: ignore[attr-defined]


async def test_going_on_leads_from_place_to_place_the_latest_first(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await rig.press("space")
        await rig.grown()
        await rig.press("i", *"first", "escape", "down", "e", *" second", "escape", "g")
        seen = []
        for _ in range(3):
            await rig.press("w")
            seen.append((rig.current is rig.root, written(rig).split()[-1]))
            await rig.press("escape")
            await rig.until(lambda: rig.app.screen is rig.app.view)
        assert seen == [(False, "second"), (True, "first"), (False, "second")]


async def test_what_cannot_be_entered_stays_kept_and_is_not_lost_with_its_node(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await rig.press("enter")
        await rig.grown()
        await rig.press("down", "i", *"mine")
        node = rig.current
        rig.app.document.delete(node)
        await rig.press("enter")
        assert told(rig, "The node that this was for is gone.")
        rig.app.show(rig.app.document.undo())
        rig.app.view.go_to(node)
        await rig.press("i")
        assert written(rig) == "mine"
        await rig.press("escape", "d", "w")
        assert written(rig) == "mine" and rig.app.screen is not rig.app.view
        await rig.press("enter")
        assert [root.source_text() for root in rig.app.document.roots] == ["Once", "mine"]
        assert rig.app.saving.drafts.all() == {}


async def test_emptying_the_trash_takes_along_what_was_written_for_what_is_in_it(
    launch: Launcher, tmp_path: Path
) -> None:
    path = tmp_path / "a.loom"
    async with launch(free(), session=path) as rig:
        await rig.ready()
        await rig.press("enter")
        await rig.grown()
        await rig.press("i", *"kept", "escape", "down", "i", *"gone", "escape", "d", "U", "E")
        await answer(rig, "yes")
        await rig.until(lambda: rig.app.saving.state == "saved")
    assert [draft.text for draft in read_session(path).drafts.values()] == ["kept"]


async def test_words_alone_make_a_session_and_are_rescued(
    launch: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with launch(FakeBackend(), prompt=None) as rig:
        await rig.until(lambda: isinstance(rig.app.screen, EditorScreen) and rig.app.focused)
        assert rig.app.saving.path is None
        await rig.press(*"mine", "escape")
        path = rig.app.saving.path
        assert path is not None
        await rig.until(lambda: rig.app.saving.state == "saved")
        path.unlink()
        await rig.press("ctrl+n", *" too", "escape")
        await rig.until(lambda: rig.app.saving.stuck)
    (line,) = rig.app.saving.leave()
    assert "all of it is in" in line
    (rescued,) = tmp_path.glob("data/sessions/rescued-*.loom")
    assert [draft.text for draft in read_session(rescued).drafts.values()] == ["mine too"]


async def test_they_go_along_to_another_file(launch: Launcher, tmp_path: Path) -> None:
    async with launch(free(), session=tmp_path / "a.loom") as rig:
        await rig.ready()
        await rig.press("i", *"mine", "escape")
        await rig.until(lambda: rig.app.saving.state == "saved")
        await rig.app.saving.save_as(tmp_path / "b.loom")
        (tmp_path / "a.loom").unlink()
        rig.app.show_there(rig.app.document.add_text(rig.root, "more"))
        await rig.until(lambda: rig.app.saving.stuck)
        await rig.app.saving.save_as(tmp_path / "c.loom")
    for name in ("b", "c"):
        assert [draft.text for draft in read_session(tmp_path / f"{name}.loom").drafts.values()] == ["mine"]


async def test_words_that_are_taken_back_leave_no_session_behind(launch: Launcher, tmp_path: Path) -> None:
    async with launch(FakeBackend(), prompt=None) as rig:
        await rig.until(lambda: isinstance(rig.app.screen, EditorScreen) and rig.app.focused)
        await rig.press("m", "escape", "ctrl+n", "ctrl+r", "escape")
        assert rig.app.saving.path is not None
        await rig.press("q")
    assert rig.app.saving.leave() == [] and rig.app.saving.way_back() == []
    assert not list(tmp_path.glob("data/sessions/*"))


async def test_an_editor_that_opens_while_the_app_ends_breaks_nothing(
    launch: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        with monkeypatch.context() as ending:

            async def nothing(*_widgets: object) -> None:
                """As Textual where its screens are being taken away."""

            ending.setattr(EditorScreen, "mount_composed_widgets", nothing)
            await key(rig, "add_text")
            assert isinstance(rig.app.screen, EditorScreen)
        rig.app.leaving.quit()
    assert rig.app.return_code == 0
    assert not rig.app._exception
