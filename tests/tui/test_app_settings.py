"""Settings, presets, looks, details, hints and the bars, each through its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.fake_backend import FakeBackend
from support.keys import KEYMAPS, free, key
from support.rig import Launcher, Rig
from textual.widgets import Input

from n8loom_tui.loom.protocol import EngineStats, Ramify
from n8loom_tui.tui.preferences import PreferencesFile
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.screens.editor import EditorScreen
from n8loom_tui.tui.screens.loom import LoomScreen
from n8loom_tui.tui.screens.settings import SettingsScreen
from n8loom_tui.tui.toml_file import read_toml

SIZES = [(60, 15), (80, 24), (120, 40), (200, 60)]


async def answer(rig: Rig, text: str) -> None:
    """Answer the question that is asked."""
    assert isinstance(rig.app.screen, AskScreen)
    rig.app.screen.query_one(Input).value = text
    await rig.press("enter")


async def go(rig: Rig, title: str) -> None:
    """Walk down to a line of the settings."""
    screen = rig.app.screen
    assert isinstance(screen, SettingsScreen)
    titles = [line.entry.title for line in screen._shown if not line.entry.heading]
    await key(rig, "top")
    if titles.index(title):
        await key(rig, "row_down", titles.index(title))
    assert screen._line is not None and screen._line.entry.title == title


def drawn(rig: Rig) -> list[str]:
    """The whole screen, as it stands in the terminal."""
    screen = rig.app.screen
    return ["".join(segment.text for segment in strip) for strip in screen._compositor.render_strips()]


# ------------------------------------------------------------------- the screen


@KEYMAPS
async def test_values_are_typed_stepped_and_checked(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await rig.ready()
        await key(rig, "settings")
        await go(rig, "Temperature")
        await key(rig, "child", 2)
        assert rig.app.settings.params.temp == 1.0
        await key(rig, "parent")
        assert rig.app.settings.params.temp == 0.9
        await go(rig, "Stop strings")
        await key(rig, "continue_one")
        await answer(rig, '"open')
        screen = rig.app.screen
        assert isinstance(screen, AskScreen), "the question stands"
        assert "texts in quotes" in str(screen.query_one("#ask-error").render())
        await answer(rig, r'"\n\n" "User:"')
        assert rig.app.settings.params.stop_strings == ("\n\n", "User:")
        await go(rig, "n: branches")
        await key(rig, "parent", 5)
        assert rig.app.settings.n == 1, "no step leads out of bounds"
        await key(rig, "stop")
        await key(rig, "ramify")
        await rig.grown()
        sent = next(request for request in rig.backend.submitted if isinstance(request, Ramify))
        assert sent.params.temp == 0.9 and sent.params.stop_strings == ("\n\n", "User:")


@KEYMAPS
async def test_presets_are_saved_chosen_deleted_and_brought_back(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await rig.ready()
        await key(rig, "settings")
        await go(rig, "Save as a preset for all sessions")
        await key(rig, "continue_one")
        await answer(rig, "wild")
        assert isinstance(rig.app.screen, AskScreen), "the shipped names are taken"
        await answer(rig, "mine")
        await go(rig, "Save as a preset for this session")
        await key(rig, "continue_one")
        await answer(rig, "own")
        await go(rig, "wild")
        await key(rig, "continue_one")
        assert rig.app.settings.params.temp == 1.3 and rig.app.settings.n == 3
        assert rig.app.tuning.preset_name == "wild"
        await go(rig, "mine")
        await key(rig, "delete")
        assert "mine" not in [preset.name for preset in rig.app.tuning.presets]
        await go(rig, "Bring back mine")
        await key(rig, "continue_one")
        assert "mine" in [preset.name for preset in rig.app.tuning.presets]
        await key(rig, "stop")
        await key(rig, "choose_preset")
        await go(rig, "greedy")
        await key(rig, "continue_one")
        assert isinstance(rig.app.screen, LoomScreen), "one key chooses, and the list is gone"
        assert rig.app.settings.params.temp == 0
        await rig.until(lambda: "greedy" in rig.app.view.state_bar.right)


async def test_a_count_chooses_a_preset_at_once(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await rig.press("2", ",", "s")
        assert rig.app.tuning.preset_name == "careful"
        await rig.press("9", ",", "s")
        assert rig.app.tuning.preset_name == "careful"


async def test_the_session_remembers_settings_and_its_presets(launch: Launcher, tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    async with launch(free(), session=path) as rig:
        await rig.ready()
        await rig.press("5", ",", "n", ",", "t")
        await answer(rig, "0.3")
        await rig.press(",", ",")
        await go(rig, "Save as a preset for this session")
        await key(rig, "continue_one")
        await answer(rig, "own [b]")
        await rig.press("escape", "q")
    async with launch(free(), session=path, prompt=None) as rig:
        await rig.ready()
        assert (rig.app.settings.n, rig.app.settings.params.temp) == (5, 0.3)
        assert rig.app.tuning.preset_name == "own [b]"
    async with launch(free(), session=path, prompt=None, given={"temp": 0.7}) as rig:
        await rig.ready()
        assert (rig.app.settings.n, rig.app.settings.params.temp) == (5, 0.7), "what is given counts more"


async def test_settings_changed_before_there_is_a_session_are_remembered_with_it(launch: Launcher) -> None:
    async with launch(free(), prompt=None) as rig:
        await rig.until(lambda: rig.app.status.model is not None)
        await rig.press("escape", "7", ",", "n")
        await rig.pilot.pause(0)
        assert rig.app.saving.path is None, "settings alone make no session"
        await rig.press("ctrl+n", "x", "enter")
        await rig.until(lambda: rig.app.saving.path is not None)
        path = rig.app.saving.path
        await rig.press("q")
    async with launch(free(), session=path, prompt=None) as rig:
        assert rig.app.settings.n == 7


# --------------------------------------------------------------------- details


@KEYMAPS
async def test_details_follow_the_cursor(launch: Launcher, keymap: str) -> None:
    backend = free()
    backend.lost = 1
    async with launch(backend, keymap=keymap) as rig:
        await rig.ready()
        await key(rig, "ramify")
        await rig.grown()
        details = rig.app.view.details
        assert not details.display
        await key(rig, "details")
        assert details.display
        await rig.until(lambda: dict(details._facts).get("kind", "").startswith("prompt"))
        await key(rig, "row_down")
        await rig.until(lambda: "model" in dict(details._facts))
        await rig.until(lambda: "1 were evicted" in dict(details._facts)["KV"])
        await rig.until(lambda: dict(details._facts)["KV"].startswith("3,000 bytes, 3 of 4 tokens"))
        told = dict(details._facts)
        node = rig.current
        assert told["model"] == "fake" and told["seed"] == str(node.provenance["seed"])
        assert told["logprob"].startswith("-0.500") and told["perplexity"] == "1.65"
        assert told["ended"] == "it reached its length" and told["tokens"].startswith("4 here")
        for name in ("temp", "max", "min-p", "top-p", "top-k", "penalty"):
            assert f"{name}\u00a0" in told["sampling"]
        await key(rig, "details")
        assert not details.display
        assert not read_toml(rig.app.looks._file._path)["details"], "it is remembered"


async def test_no_answer_about_memory_is_waited_for(launch: Launcher) -> None:
    backend = FakeBackend(load_error="no such model")
    async with launch(backend) as rig:
        await rig.until(lambda: rig.app.status.failure)
        await key(rig, "details")
        await rig.until(lambda: dict(rig.app.view.details._facts).get("KV") == "not known yet")


# ----------------------------------------------------------------------- looks


@KEYMAPS
async def test_the_border_moves_by_keys_and_is_remembered(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await rig.ready()
        tree = rig.app.view.tree_view
        before = tree.size.width
        await key(rig, "wider_tree", 2)
        assert tree.size.width > before
        await key(rig, "narrower_tree", 4)
        assert tree.size.width < before
        await key(rig, "narrower_tree", 30)
        assert tree.size.width > 10, "it never goes away"
        assert rig.app.view.reader.size.width > 20
    async with launch(free(), keymap=keymap) as rig:
        assert rig.app.looks.now.tree_width == 15


async def test_the_border_can_be_dragged(launch: Launcher) -> None:
    async with launch(free(), size=(100, 30)) as rig:
        await rig.ready()
        await rig.pilot.mouse_down("#divider")
        await rig.pilot.hover(offset=(60, 10))
        await rig.pilot.mouse_up(offset=(60, 10))
        await rig.pilot.pause()
        assert rig.app.looks.now.tree_width == 60
        assert abs(rig.app.view.tree_view.size.width - 60) <= 2


@KEYMAPS
async def test_either_pane_can_be_hidden(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await rig.ready()
        view = rig.app.view
        await key(rig, "hide_reader")
        assert view.tree_view.size.width == 120 and not view.reader.is_on_screen
        await key(rig, "next_pane")
        assert view.reader.size.width > 110 and not view.tree_view.is_on_screen
        await key(rig, "hide_reader")
        assert view.reader.is_on_screen and view.tree_view.is_on_screen


async def test_themes_are_chosen_and_remembered(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await rig.press(",", ",")
        await go(rig, "Theme")
        await key(rig, "child")
        assert rig.app.theme == "textual-light"
        await key(rig, "child")
        assert rig.app.native_ansi_color
    async with launch(free()) as rig:
        assert rig.app.looks.now.theme == "ansi"
        assert rig.app.native_ansi_color
    async with launch(free(), theme="light") as rig:
        assert rig.app.theme == "textual-light"
    async with launch(free(), theme="dark") as rig:
        rig.app.theme = "nord"
        await rig.pilot.pause()
        assert rig.app.looks.now.theme == "nord", "the palette's choice is remembered too"


async def test_reduced_motion(launch: Launcher) -> None:
    async with launch(FakeBackend(), reduced_motion=True) as rig:
        await rig.ready()
        await rig.press("space")
        assert rig.app.animation_level == "none"
        assert rig.app.view.tree_view.signs.busy in rig.texts()[1]
        assert rig.app.looks.now.motion == "full", "an option is for once"


@pytest.mark.parametrize("theme", ["dark", "light", "ansi"])
async def test_no_colour_at_all(launch: Launcher, monkeypatch: pytest.MonkeyPatch, theme: str) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with launch(free(), theme=theme) as rig:
        await rig.ready()
        await rig.press("space")
        await rig.grown()
        await rig.press("down")
        await rig.pilot.pause()
        strips = [
            strip.apply_filter(line_filter, rig.app.view.background_colors[1])
            for strip in rig.app.screen._compositor.render_strips()
            for line_filter in [rig.app.get_line_filters()[-1]]
        ]
        styles = [segment.style for strip in strips for segment in strip if segment.style]
        assert all(style.color is None or style.color.is_default for style in styles)
        assert all(style.bgcolor is None or style.bgcolor.is_default for style in styles)
        at_cursor = [segment for segment in strips[2] if "flood" in segment.text and segment.style]
        others = [segment for segment in strips[3] if "flood" in segment.text and segment.style]
        assert at_cursor[0].style.reverse and not others[0].style.reverse


async def test_a_locale_without_unicode_gets_ascii(launch: Launcher, monkeypatch: pytest.MonkeyPatch) -> None:
    async with launch(free(), prompt="naïve 忘却 “…”") as rig:
        monkeypatch.setenv("LC_ALL", "C")
        rig.app.looks.apply()
        await rig.ready()
        await rig.press("space")
        await rig.grown()
        for keys in ((), (",", ","), ("escape", "?")):
            await rig.press(*keys)
            filtered = [
                "".join(
                    s.text
                    for s in rig.app.looks._filter.apply(list(strip), rig.app.view.background_colors[1])
                )
                for strip in rig.app.screen._compositor.render_strips()
            ]
            assert all(line.isascii() for line in filtered)
            assert {len(line) for line in filtered} == {120}, "nothing moves"
        assert any("naive ????" in line for line in rig_lines(rig))


def rig_lines(rig: Rig) -> list[str]:
    """The tree's rows as an ASCII terminal gets them."""
    from n8loom_tui.tui.widgets.ascii import in_ascii

    return [in_ascii(line) for line in rig.texts()]


# ----------------------------------------------------------------------- hints


async def test_from_the_start_one_key_grows_eight_branches(launch: Launcher) -> None:
    backend = free()
    async with launch(backend, prompt=None, n=8) as rig:
        await rig.until(lambda: isinstance(rig.app.screen, EditorScreen) and rig.app.focused)
        await rig.press("enter")
        await rig.until(lambda: rig.app.document.roots and len(rig.root.children) == 8)
        await rig.grown()
        assert all(child.text for child in rig.root.children)


async def test_a_hint_is_given_twice_and_then_no_more(launch: Launcher) -> None:
    for told in (True, True, False):
        backend = FakeBackend()
        async with launch(backend) as rig:
            await rig.ready()
            await rig.press("space")
            backend.free()
            await rig.grown()
            await rig.until(lambda: not rig.app.document.growing)
            if told:
                await rig.until(lambda: "go in" in rig.app.view.state_bar.left)
            else:
                rig.app.drain()
                assert "go in" not in rig.app.view.state_bar.left
            await rig.press("down")
            assert "go in" not in rig.app.view.state_bar.left


@pytest.mark.parametrize("size", [(120, 40), (100, 30)])
async def test_the_first_hint_is_seen_whatever_else_is_told(launch: Launcher, size: tuple[int, int]) -> None:
    backend = FakeBackend()
    backend.snapshot = EngineStats(
        kv_bytes=10**9, kv_budget=10**10, kv_per_token=10**6, prefilled=1, reused=99
    )
    async with launch(backend, size=size, n=8, max_tokens=64) as rig:
        await rig.ready()
        await rig.press("space")
        backend.grant(3)
        await rig.until(lambda: all(len(node.tokens) == 3 for node in rig.app.document.growing.values()))
        rig.app.drain()
        await rig.pilot.pause()
        state = drawn(rig)[-2]
        assert "weaving 8 of 8" in state and "walk meanwhile" in state and "esc stop" in state


async def test_how_to_take_back_a_cut_is_told_where_one_was_made(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await key(rig, "ramify")
        await rig.grown()
        await rig.press("down")
        for action in ("make_leaf", "clip", "merge"):  # nothing to drop, a question, a refusal
            await key(rig, action)
            assert "take it back" not in rig.app.status.hint
            if isinstance(rig.app.screen, AskScreen):
                await rig.press("escape")
        await key(rig, "trim")
        assert "take it back" in rig.app.status.hint


async def test_hints_can_be_turned_off(launch: Launcher, tmp_path: Path) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await rig.press(",", ",")
        await go(rig, "Hints")
        await key(rig, "continue_one")
        await rig.press("escape", "space")
        await rig.grown()
        assert not rig.app.status.hint
    assert not PreferencesFile(tmp_path / "config" / "settings.toml").values.hints


# -------------------------------------------------------------------- the bars


async def test_the_state_tells_what_goes_on(launch: Launcher) -> None:
    backend = FakeBackend()
    backend.snapshot = EngineStats(
        queued=5,
        kv_bytes=30_000_000,
        kv_working=8_000_000,
        kv_budget=2_000_000_000,
        kv_per_token=2_000_000,
        prefilled=1,
        reused=99,
    )
    async with launch(backend, size=(200, 60), max_tokens=100) as rig:
        await rig.ready()
        await rig.press("space", "down")
        for steps in range(4):
            backend.grant(1)
            await rig.until(lambda steps=steps: all(len(c.tokens) > steps for c in rig.root.children))
        state, title = rig.app.view.state_bar, rig.app.view.title_bar
        await rig.until(lambda: "queued" in state.left and "this one" in state.left)
        for words in (
            "weaving 3 of 3",
            "tok/s",
            "4/100 tokens",
            "5 queued",
            "saved 99%",
            "sharing saves 16 MB",
        ):
            assert words in state.left.replace("99 %", "99%"), words
        assert "38 of 2,000 MB KV" in title.right
        await rig.press("escape")
        await rig.until(lambda: "1 done" in state.left)
        backend.free()
        await rig.grown()


@pytest.mark.parametrize(("size", "theme"), [*zip(SIZES, ("dark", "light", "ansi", "light"), strict=True)])
async def test_every_size_while_it_streams(launch: Launcher, size: tuple[int, int], theme: str) -> None:
    backend = FakeBackend()
    backend.snapshot = EngineStats(queued=500, kv_bytes=10**9, kv_budget=10**10, prefilled=1, reused=99)
    async with launch(backend, size=size, theme=theme, prompt="word " * 400, n=9, max_tokens=40) as rig:
        await rig.ready()
        await rig.press("space")
        for step, keys in enumerate(
            [("down",), ("tab",), ("I",), (",", ","), ("escape",), ("?",), ("escape",)]
        ):
            backend.grant(1)
            await rig.press(*keys)
            wanted = SIZES[step % len(SIZES)]
            await rig.pilot.resize_terminal(*wanted)
            await rig.until(lambda wanted=wanted: rig.app.screen.size == wanted)
            fits(rig, wanted)
        backend.free()
        await rig.grown()
        await rig.pilot.resize_terminal(*size)
        await rig.until(lambda: rig.app.screen.size == size)
        fits(rig, size)


def fits(rig: Rig, size: tuple[int, int]) -> None:
    """The screen is full, its bars are whole, and whatever they leave out is marked."""
    lines = drawn(rig)
    assert len(lines) == size[1]
    if not isinstance(rig.app.screen, LoomScreen):
        return
    view: Any = rig.app.view
    for bar, line in ((view.title_bar, lines[0]), (view.state_bar, lines[-2])):
        facts = [fact.text for side in bar._sides for fact in side]
        assert all(fact in line for fact in facts) or "…" in line


async def test_another_session_begins_with_the_programs_own_settings(launch: Launcher) -> None:
    async with launch(free(), given={"max_tokens": 9}) as rig:
        await rig.ready()
        app = rig.app
        app.use_settings(app.settings.with_values({"temp": 1.7, "seed": 5, "stop_strings": ("x",)}))
        await rig.press("4")
        app.status.said = "said of the first session"
        await app.opening.open(None)
        await rig.until(lambda: not app.document.roots and app.screen is not app.view)
        params = app.settings.params
        assert (params.temp, params.seed, params.stop_strings) == (0.8, None, ())
        assert params.max_tokens == 4
        assert (app.status.pending, app.status.said, app.status.hint) == ("", "", "")
