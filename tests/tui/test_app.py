"""The app through its keys, on a backend that speaks without a model."""

from __future__ import annotations

import pytest
from support.fake_backend import FakeBackend
from support.rig import Launcher
from textual.command import CommandList
from textual.widgets import Input

from n8loom_tui.tui.actions import ACTIONS
from n8loom_tui.tui.commands import PARTS
from n8loom_tui.tui.keymap import load_keymaps, shipped_keymaps_path
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.screens.editor import EditorArea, EditorScreen
from n8loom_tui.tui.screens.form import FormScreen
from n8loom_tui.tui.screens.help import HelpScreen

HOSTILE = "[/b] \x1b[31mred\x00 e\u0301 世界 \u202eright"


def test_every_action_of_the_registry_does_something_and_nothing_else_is_offered() -> None:
    done = [name for part in PARTS for name in vars(part) if name.startswith("do_")]
    assert sorted(done) == sorted(f"do_{name}" for name in ACTIONS)


@pytest.mark.parametrize("keymap", ["default", "vim", "arrows"])
async def test_one_key_grows_branches_that_stream_side_by_side(launch: Launcher, keymap: str) -> None:
    backend = FakeBackend()
    async with launch(backend, keymap=keymap) as rig:
        await rig.ready()
        await rig.press(*rig.app.keymap.keys_of("ramify")[0])
        assert len(rig.root.children) == 3
        backend.grant(2)
        await rig.until(lambda: all(child.text == " the flood" for child in rig.root.children))
        assert sum("the flood" in line for line in rig.texts()) == 3
        backend.free()
        await rig.grown()
        assert [child.text for child in rig.root.children] == [" the flood came and"] * 3


async def test_moving_and_queueing_more_while_branches_stream(launch: Launcher) -> None:
    backend = FakeBackend()
    async with launch(backend) as rig:
        await rig.ready()
        await rig.press("space")
        backend.grant(1)
        await rig.until(lambda: all(child.tokens for child in rig.root.children))
        await rig.press("down", "down")
        assert rig.current is rig.root.children[1]
        await rig.press("2", "space")
        assert rig.app.document.waiting == 1, (
            "it grows on from a branch that still grows, when that has ended"
        )
        await rig.press("up", "up", "enter")
        assert len(rig.root.children) == 4
        backend.free()
        await rig.grown()
        assert len(rig.root.children[1].children) == 2


async def test_escape_stops_the_branch_under_the_cursor_and_twice_stops_all(launch: Launcher) -> None:
    backend = FakeBackend()
    async with launch(backend, max_tokens=100) as rig:
        await rig.ready()
        await rig.press("space")
        backend.grant(2)
        await rig.until(lambda: all(len(child.tokens) == 2 for child in rig.root.children))
        await rig.press("down", "escape")
        await rig.until(lambda: len(rig.app.document.growing) == 2)
        assert rig.current.text == " the flood"
        assert rig.current.finish == "cancelled"
        await rig.press("escape")
        await rig.grown()
        assert [child.text for child in rig.root.children] == [" the flood"] * 3


async def test_branches_stopped_before_their_first_token_leave_no_empty_nodes(launch: Launcher) -> None:
    async with launch(FakeBackend()) as rig:
        await rig.ready()
        await rig.press("space")
        assert len(rig.root.children) == 3
        await rig.press("escape")
        await rig.until(lambda: not rig.root.children)


async def test_all_leaves_below_grow_at_once(launch: Launcher) -> None:
    backend = FakeBackend()
    backend.free()
    async with launch(backend) as rig:
        await rig.ready()
        await rig.press("2", "space")
        await rig.grown()
        await rig.press("2", "R")
        await rig.grown()
        assert [len(child.children) for child in rig.root.children] == [2, 2]
        assert len([r for r in backend.submitted if type(r).__name__ == "Ramify"]) == 2, (
            "one request for all leaves"
        )


async def test_writing_clipping_trimming_and_deleting(launch: Launcher) -> None:
    backend = FakeBackend()
    backend.free()
    async with launch(backend) as rig:
        await rig.ready()
        await rig.press("enter")
        await rig.grown()
        await rig.press("right", "1", "2", "t")
        assert rig.current.text == " the flood came and", "trimming more than there is cuts nothing"
        await rig.press("t")
        assert rig.current.text == " the flood came"
        await rig.press("2", "x")
        assert rig.current.text == " the flood"
        await rig.press("i")
        assert isinstance(rig.app.screen, EditorScreen)
        await rig.press(*"own", "enter")
        assert rig.current.text == "own"
        await rig.until(lambda: rig.current.encoded)
        await rig.press("x")
        assert isinstance(rig.app.screen, AskScreen)
        rig.app.screen.query_one(Input).value = "nonsense"
        await rig.press("enter")
        assert isinstance(rig.app.screen, AskScreen), "it asks again"
        rig.app.screen.query_one(Input).value = "1"
        await rig.press("enter")
        assert rig.current.text == "o"
        await rig.press("left", "D")
        assert rig.current.text == " the flood"
        assert not rig.current.children
        await rig.press("d")
        assert rig.current is rig.root
        assert not rig.root.children


async def test_cutting_above_a_growing_branch_stops_it_and_the_next_ones_are_fine(launch: Launcher) -> None:
    backend = FakeBackend()
    async with launch(backend, max_tokens=50) as rig:
        await rig.ready()
        await rig.press("space")
        backend.grant(1)
        await rig.until(lambda: all(child.tokens for child in rig.root.children))
        await rig.press("down", "d")
        assert len(rig.root.children) == 2
        backend.free()
        await rig.grown()
        assert all(len(child.tokens) == 50 for child in rig.root.children)


async def test_nothing_is_generated_behind_the_end(launch: Launcher) -> None:
    backend = FakeBackend(eos_after=2)
    backend.free()
    async with launch(backend, max_tokens=9) as rig:
        await rig.ready()
        await rig.press("enter")
        await rig.grown()
        await rig.press("right")
        assert rig.current.terminal
        await rig.press("space")
        assert not rig.current.children
        await rig.press("i", *"on", "enter", "enter")
        await rig.grown()
        assert rig.current.text == "on"
        assert len(rig.current.children) == 1


async def test_folding_and_panes(launch: Launcher) -> None:
    backend = FakeBackend()
    backend.free()
    async with launch(backend) as rig:
        await rig.ready()
        await rig.press("space")
        await rig.grown()
        tree = rig.app.view.tree_view
        await rig.press("z")
        assert tree.is_folded(rig.root)
        await rig.press("+")
        assert not tree.is_folded(rig.root)
        await rig.press("-")
        assert tree.is_folded(rig.root)
        await rig.press("*", "Z", "down", "J", "K", "G", "g", "pagedown", "pageup", "home", "end")
        await rig.press("tab")
        assert rig.app.view.reading
        await rig.press("down", "up", "G", "g", "tab")
        assert not rig.app.view.reading


async def test_settings_by_asking_and_by_count(launch: Launcher) -> None:
    async with launch() as rig:
        await rig.ready()
        await rig.press("comma", "t")
        assert isinstance(rig.app.screen, AskScreen)
        rig.app.screen.query_one(Input).value = "-3"
        await rig.press("enter")
        assert isinstance(rig.app.screen, AskScreen), "out of bounds"
        rig.app.screen.query_one(Input).value = "1,5"
        await rig.press("enter")
        assert rig.app.settings.params.temp == 1.5
        await rig.press("7", "comma", "n")
        await rig.press("3", "2", "comma", "l")
        assert (rig.app.settings.n, rig.app.settings.params.max_tokens) == (7, 32)
        await rig.press("comma", "p")
        rig.app.screen.query_one(Input).value = "0.1"
        await rig.press("enter")
        assert rig.app.settings.params.min_p == 0.1
        state = rig.app.view.state_bar
        assert "temp 1.5" in state.right
        assert "n 7" in state.right


async def test_help_palette_new_loom_and_copy(launch: Launcher) -> None:
    async with launch() as rig:
        await rig.ready()
        await rig.press("question_mark")
        assert isinstance(rig.app.screen, HelpScreen)
        await rig.press("down", "j", "k", "escape")
        assert rig.app.screen is rig.app.view
        await rig.press("colon")
        await rig.until(lambda: type(rig.app.screen).__name__ == "CommandPalette")
        await rig.press("escape")
        await rig.press("y")
        assert "Once" in rig.app.clipboard
        await rig.press("ctrl+n")
        assert isinstance(rig.app.screen, EditorScreen)
        await rig.press(*"Two", "ctrl+j", *"lines", "ctrl+t", "enter")
        assert [root.text for root in rig.app.document.roots] == ["Once", "Two\nlines"]
        assert rig.current is rig.app.document.roots[1]
        await rig.press("ctrl+n", "escape")
        assert len(rig.app.document.roots) == 2


async def test_the_palette_finds_an_action_by_what_its_help_says(launch: Launcher) -> None:
    async with launch() as rig:
        await rig.ready()
        await rig.press("ctrl+p", *"torn")
        found = rig.app.screen.query_one(CommandList)
        await rig.until(lambda: found.options and "Adaptive weave" in str(found.options[0].prompt))
        await rig.press("enter")
        await rig.until(lambda: isinstance(rig.app.screen, FormScreen))


async def test_the_palette_performs_actions(launch: Launcher) -> None:
    backend = FakeBackend()
    backend.free()
    async with launch(backend) as rig:
        await rig.ready()
        await rig.press("ctrl+p")
        await rig.until(lambda: type(rig.app.screen).__name__ == "CommandPalette")
        await rig.press(*"ramify")
        await rig.until(lambda: rig.app.screen.query_one(CommandList).options)
        await rig.press("down", "enter")
        await rig.until(lambda: rig.root.children)


async def test_an_empty_start_offers_the_editor_and_cancelling_leaves_a_usable_screen(
    launch: Launcher,
) -> None:
    async with launch(prompt=None) as rig:
        await rig.until(lambda: isinstance(rig.app.screen, EditorScreen))
        assert rig.app.screen.query_one(EditorArea).has_focus
        await rig.press("escape")
        for key in (
            "space",
            "enter",
            "R",
            "x",
            "t",
            "d",
            "D",
            "i",
            "z",
            "down",
            "left",
            "right",
            "y",
            "escape",
            "tab",
        ):
            await rig.press(key)
        assert rig.app.is_running
        assert not rig.app.document.roots


async def test_a_model_that_cannot_be_had_leaves_the_text_readable(launch: Launcher) -> None:
    async with launch(FakeBackend(load_error="there is no such model: check the name")) as rig:
        await rig.until(lambda: rig.app.status.failure)
        assert "no such model" in rig.app.view.state_bar.left
        await rig.press("space")
        assert not rig.root.children
        await rig.press("i", *"mine", "enter")
        assert rig.current.text == "mine"


async def test_an_engine_that_breaks_keeps_what_was_said(launch: Launcher) -> None:
    backend = FakeBackend()
    async with launch(backend, max_tokens=50) as rig:
        await rig.ready()
        await rig.press("space")
        backend.grant(2)
        await rig.until(lambda: all(len(child.tokens) == 2 for child in rig.root.children))
        backend.broken = RuntimeError("[/oops] no memory")
        await rig.until(lambda: rig.app.status.failure)
        assert [child.text for child in rig.root.children] == [" the flood"] * 3
        assert not rig.app.document.growing


async def test_hostile_text_is_harmless_everywhere(launch: Launcher) -> None:
    backend = FakeBackend(words=(HOSTILE, "[/]", "\x07\x9b2J", "\u200b\u200b", "\ud800"))
    backend.free()
    async with launch(backend, prompt=HOSTILE, notices=(HOSTILE, "[/b]")) as rig:
        await rig.ready()
        await rig.press("space")
        await rig.grown()
        await rig.press("down", "i")
        rig.app.screen.query_one(EditorArea).insert(HOSTILE)
        await rig.press("enter")
        rig.app.tell(HOSTILE, "error")
        await rig.pilot.pause()
        drawn = "".join(rig.texts())
        reader = rig.app.view.reader
        drawn += "".join(reader.render_line(y).text for y in range(reader.size.height))
        bad = {c for c in drawn if c < " " or "\x7f" <= c <= "\x9f" or c in "\u202e\ud800"}
        assert not bad
        assert "[/b]" in drawn


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (200, 60), (20, 5)])
async def test_every_size_shows_something_usable(launch: Launcher, size: tuple[int, int]) -> None:
    backend = FakeBackend()
    backend.free()
    async with launch(backend, size=size) as rig:
        await rig.ready()
        await rig.press("space")
        await rig.grown()
        assert any("the flood" in line or "Once" in line for line in rig.texts())
        await rig.press("tab")
        if size[0] < 90:
            assert rig.app.view.reader.size.width > 0
            assert rig.app.view.tree_view.size.width == 0
        await rig.press("tab", "question_mark", "escape")
        await rig.pilot.resize_terminal(100, 30)
        await rig.pilot.pause()
        assert rig.app.view.tree_view.size.width > 0


async def test_the_key_bar_shows_the_keymap_in_force_and_what_is_pending(launch: Launcher) -> None:
    async with launch(keymap="vim") as rig:
        await rig.ready()
        bar = rig.app.view.key_bar
        assert "ramify" in bar.render().plain
        await rig.press("1", "2", "g")
        assert "12" in bar.render().plain
        await rig.press("escape")
        assert "12" not in bar.render().plain


async def test_quit_leaves_at_once_while_branches_stream(launch: Launcher) -> None:
    backend = FakeBackend()
    async with launch(backend, max_tokens=1000, n=32) as rig:
        await rig.ready()
        await rig.press("space")
        backend.grant(1)
        await rig.until(lambda: all(child.tokens for child in rig.root.children))
        await rig.press("q")
        await rig.until(lambda: not rig.app.is_running)
        assert rig.app.return_code == 0
        assert len(rig.root.children) == 32
        assert not rig.app.document.growing


def test_the_shipped_keymaps_reach_every_action() -> None:
    for name in ("default", "vim", "arrows"):
        keymap, problems = load_keymaps(name, shipped_keymaps_path(), None)
        assert not problems
        assert all(keymap.keys_of(action) for action in ACTIONS), name


async def test_a_refused_cut_stops_nothing(launch: Launcher) -> None:
    backend = FakeBackend()
    async with launch(backend, max_tokens=50) as rig:
        await rig.ready()
        await rig.press("space")
        backend.grant(1)
        await rig.until(lambda: all(child.tokens for child in rig.root.children))
        await rig.press("t", "9", "9", "x")
        assert len(rig.app.document.growing) == 3


async def test_one_escape_where_nothing_grows_stops_nothing_elsewhere(launch: Launcher) -> None:
    backend = FakeBackend()
    async with launch(backend, max_tokens=50) as rig:
        await rig.ready()
        await rig.press("i", *"own", "enter", "up", "enter")
        backend.grant(1)
        await rig.until(lambda: any(child.text == " the" for child in rig.root.children))
        await rig.press("down", "escape")
        assert rig.current.text == "own"
        assert len(rig.app.document.growing) == 1
        await rig.press("escape")
        await rig.grown()


async def test_what_waits_for_a_branch_that_is_stopped_is_dropped_with_it(launch: Launcher) -> None:
    backend = FakeBackend()
    async with launch(backend, max_tokens=50) as rig:
        await rig.ready()
        await rig.press("enter")
        backend.grant(1)
        await rig.until(lambda: rig.root.children[0].tokens)
        await rig.press("down", "space")
        assert rig.app.document.waiting == 1
        await rig.press("escape")
        await rig.grown()
        assert not rig.current.children
        await rig.press("space")
        assert len(rig.current.children) == 3, "a branch that was stopped goes on when it is asked to"


async def test_a_fixed_seed_still_gives_other_branches_the_second_time(launch: Launcher) -> None:
    backend = FakeBackend()
    backend.free()
    async with launch(backend) as rig:
        await rig.ready()
        params = rig.app.settings.params
        rig.app.use_settings(rig.app.settings.with_value("seed", 7))
        await rig.press("space")
        await rig.grown()
        await rig.press("space")
        await rig.grown()
        seeds = [child.provenance["seed"] for child in rig.root.children]
        assert len(set(seeds)) == 6
        assert params.seed is None
