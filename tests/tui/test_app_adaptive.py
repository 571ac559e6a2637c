"""Growing by what the model says, and the same growth again, in the app, each through its key."""

from __future__ import annotations

from pathlib import Path

from support.fake_backend import FakeBackend
from support.keys import KEYMAPS, free, key
from support.rig import Launcher, Rig
from textual.widgets import Input

from n8loom_tui.loom.protocol import Ramify
from n8loom_tui.loom.until import EntropyAbove, SentenceEnd
from n8loom_tui.tui.screens.form import Chooser, FormScreen


async def fill(rig: Rig, **fields: str) -> None:
    """Fill fields of the dialog that is open, and be done."""
    form = rig.app.screen
    assert isinstance(form, FormScreen)
    for name, value in fields.items():
        form.query_one(f"#field-{name}", Input).value = value
    await rig.press("enter")


@KEYMAPS
async def test_adaptive_weaving_branches_where_it_should_and_is_one_step(
    launch: Launcher, keymap: str
) -> None:
    backend = free()
    async with launch(backend, keymap=keymap) as rig:
        await rig.ready()
        await key(rig, "adaptive")
        await fill(rig, entropy="2.5", n="2", depth="2", tokens="9", nodes="50")
        await rig.grown()
        request = next(r for r in backend.submitted if isinstance(r, Ramify))
        assert request.params.until == (EntropyAbove(2.5),)
        assert request.params.max_tokens == 9
        (trunk,) = rig.root.children
        assert trunk.text == " the flood"
        assert [len(child.children) for child in trunk.children] == [2, 2]
        assert trunk.count_leaves() == 4
        await key(rig, "undo")
        assert rig.root.children == []
        await key(rig, "redo")
        assert rig.root.children[0].count_leaves() == 4


async def test_what_was_answered_is_remembered_after_a_restart(launch: Launcher, tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    async with launch(free(), session=path) as rig:
        await rig.ready()
        await rig.press("a")
        form = rig.app.screen
        assert isinstance(form, FormScreen)
        form.query_one("#field-entropy", Input).value = ""
        await rig.press("enter")
        assert rig.app.screen is form, "there is nothing to branch by"
        form.query_one("#field-end", Chooser).focus()
        await rig.press("right", "enter")
        await rig.grown()
        await rig.press("q")
    backend = free()
    async with launch(backend, session=path, prompt=None) as rig:
        await rig.ready()
        await rig.press("home", "a", "enter")
        await rig.until(lambda: any(isinstance(r, Ramify) for r in backend.submitted))
        request = next(r for r in backend.submitted if isinstance(r, Ramify))
        assert request.params.until == (SentenceEnd(),)


@KEYMAPS
async def test_the_cutoff_tree_begins_branches_with_the_tokens_that_could_stand_there(
    launch: Launcher, keymap: str
) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await rig.ready()
        await key(rig, "cutoff_tree")
        await fill(rig, p="0.25", depth="4", nodes="30")
        await rig.grown()
        (trunk,) = rig.root.children
        assert [child.text for child in trunk.children] == [" w201 flood", " w202 flood"]
        await key(rig, "undo")
        assert rig.root.children == []


async def test_esc_stops_a_run_and_keeps_what_was_said(launch: Launcher) -> None:
    backend = FakeBackend()
    async with launch(backend) as rig:
        await rig.ready()
        await rig.press("a", "enter")
        backend.grant(3)
        await rig.until(lambda: rig.root.children and rig.root.children[0].children)
        await rig.press("escape")
        backend.free()
        await rig.grown()
        (trunk,) = rig.root.children
        assert trunk.text == " the flood"
        assert all(not child.children for child in trunk.children)


async def test_undo_while_a_run_grows_ends_it(launch: Launcher) -> None:
    backend = FakeBackend()
    async with launch(backend) as rig:
        await rig.ready()
        await rig.press("a", "enter")
        backend.grant(3)
        await rig.until(lambda: rig.root.children and rig.root.children[0].children)
        await rig.press("u")
        assert rig.root.children == []
        backend.free()
        await rig.until(lambda: not backend.busy)
        await rig.pilot.pause()
        assert rig.root.children == []
        await rig.press("ctrl+r")
        assert rig.root.children[0].text == " the flood"


async def test_what_a_run_grew_from_may_be_deleted_while_it_grows(launch: Launcher) -> None:
    backend = FakeBackend()
    async with launch(backend) as rig:
        await rig.ready()
        await rig.press("a", "enter")
        backend.grant(1)
        await rig.until(lambda: rig.root.children and rig.root.children[0].tokens)
        await rig.press("down", "d")
        backend.free()
        await rig.until(lambda: not backend.busy)
        assert rig.root.children == []
        assert not rig.app.document.growing


@KEYMAPS
async def test_the_same_growth_again_elsewhere(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await rig.ready()
        await key(rig, "repeat_growth")
        assert rig.root.children == [], "nothing to repeat yet"
        await rig.press("2")
        await key(rig, "ramify")
        await rig.grown()
        await key(rig, "row_down")
        await key(rig, "repeat_growth")
        await rig.grown()
        assert [len(child.children) for child in rig.root.children] == [2, 0]
        await key(rig, "cutoff_tree")
        await fill(rig)
        await rig.grown()
        await key(rig, "bottom")
        await key(rig, "repeat_growth")
        await rig.grown()
        (trunk,) = rig.root.children[1].children
        assert [child.text[:5] for child in trunk.children] == [" w201", " w202"]
