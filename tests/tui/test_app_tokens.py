"""The token cursor and the tokens' colours in the app, each through its key."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from support.fake_backend import FakeBackend
from support.keys import KEYMAPS, free, key
from support.rig import Launcher, Rig

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.odds import Odds
from n8loom_tui.loom.protocol import Ramify, Score
from n8loom_tui.session.store import read_session
from n8loom_tui.tui.commands.tokens import TokenCursor
from n8loom_tui.tui.widgets.token_map import ColourBy


def panel(rig: Rig) -> list[str]:
    """What is shown of what could stand at the cursor."""
    widget = rig.app.view.alternatives
    return [widget.render_line(y).text.rstrip() for y in range(widget.content_size.height)]


def set_off(rig: Rig) -> str:
    """The text that the token cursor is drawn on."""
    reader = rig.app.view.reader
    cursor = reader.get_component_rich_style("reader--token").bgcolor
    lines = (reader.render_line(y) for y in range(reader.size.height))
    return "".join(
        segment.text
        for line in lines
        for segment in line
        if segment.style and segment.style.bgcolor == cursor
    )


async def on_a_branch(rig: Rig) -> None:
    """A branch of four tokens below the prompt, and the token cursor on its first."""
    await rig.ready()
    await key(rig, "continue_one")
    await rig.grown()
    await key(rig, "row_down")
    await key(rig, "token_cursor")
    await rig.until(lambda: len(rig.app.view.alternatives.shown.candidates) == 3)
    await rig.until(lambda: rig.app.view.alternatives.shown.candidates[0].text is not None)


@KEYMAPS
async def test_the_cursor_moves_by_token_across_nodes(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await on_a_branch(rig)
        assert set_off(rig) == " the"
        await key(rig, "child")
        assert set_off(rig) == " flood"
        await rig.press("2")
        await key(rig, "parent")
        assert set_off(rig) == "e", "the last token of the prompt Once"
        await key(rig, "bottom")
        assert set_off(rig) == " and"
        await key(rig, "child")
        assert set_off(rig) == " and", "there is nothing behind the last"
        await key(rig, "top")
        assert set_off(rig) == "O"
        await key(rig, "token_cursor")
        assert set_off(rig) == ""
        assert rig.app.commands.mode is None
        await key(rig, "parent")
        await key(rig, "parent")
        assert rig.current is rig.root, "the keys are the tree's again"


@KEYMAPS
async def test_the_alternatives_stand_with_their_probabilities_as_bars(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await on_a_branch(rig)
        lines = panel(rig)
        assert "w7 50 %" in lines[0] and "entropy 1.25" in lines[0] and "token 1 of 4" in lines[0]
        assert lines[1].split()[1] == "w7" and lines[1].endswith("50 %") and lines[1].startswith("▸")
        assert lines[2].split()[0] == "w101" and "█" in lines[2] and lines[2].endswith("22 %")
        assert lines[1].count("█") > lines[2].count("█") > lines[3].count("█")
        await key(rig, "row_down")
        assert panel(rig)[2].startswith("▸")
        await key(rig, "row_up")
        assert panel(rig)[1].startswith("▸")


@KEYMAPS
async def test_enter_branches_at_the_alternative_in_one_step(launch: Launcher, keymap: str) -> None:
    backend = free()
    async with launch(backend, keymap=keymap) as rig:
        await on_a_branch(rig)
        old = rig.current
        await key(rig, "child")
        await key(rig, "child")
        await rig.until(lambda: rig.app.view.alternatives.shown.candidates)
        await key(rig, "row_down")
        await key(rig, "continue_one")
        await rig.grown()
        head = rig.root.children[0]
        assert head.text == " the flood"
        assert [child.text for child in head.children] == [" came and", " w101 flood came and"]
        assert head.children[0] is old, "the old branch is kept"
        assert rig.current is head.children[1]
        request = next(r for r in reversed(backend.submitted) if isinstance(r, Ramify))
        (source,) = request.sources
        assert [segment.tokens for segment in source.path][-1] == tuple(head.tokens)
        given = source.branches[0].given[0]
        assert (given.token, given.logprob, given.entropy) == (101, -1.5, 1.25)
        await key(rig, "token_cursor")
        await key(rig, "undo")
        assert [child.text for child in rig.root.children] == [" the flood came and"]
        await key(rig, "redo")
        assert [child.text for child in rig.root.children[0].children] == [
            " came and",
            " w101 flood came and",
        ]


@KEYMAPS
async def test_ramify_from_a_token(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap, n=3) as rig:
        await on_a_branch(rig)
        await key(rig, "child")
        await rig.press("2")
        await key(rig, "ramify")
        await rig.grown()
        head = rig.root.children[0]
        assert head.text == " the"
        assert [child.text for child in head.children] == [" flood came and", *[" the flood came and"] * 2]
        await key(rig, "top")
        await key(rig, "ramify")
        assert len(rig.root.children) == 1, "a prompt is not split"
        await key(rig, "token_cursor")
        await key(rig, "undo")
        assert [child.text for child in rig.root.children] == [" the flood came and"]


async def test_ramify_at_a_nodes_first_token_grows_siblings(launch: Launcher) -> None:
    async with launch(free(), n=2) as rig:
        await on_a_branch(rig)
        await key(rig, "ramify")
        await rig.grown()
        assert [child.text for child in rig.root.children] == [" the flood came and"] * 3


@KEYMAPS
async def test_split_and_clip_at_the_cursor(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await on_a_branch(rig)
        await key(rig, "split")
        assert len(rig.root.children[0].tokens) == 4, "a node begins there already"
        await key(rig, "child")
        await key(rig, "split")
        head = rig.root.children[0]
        assert (head.text, head.children[0].text) == (" the", " flood came and")
        assert set_off(rig) == " flood", "the cursor stays on its token"
        await key(rig, "child")
        await key(rig, "clip")
        assert head.children[0].text == " flood"
        assert set_off(rig) == " flood"
        await key(rig, "token_cursor")
        await rig.press("2")
        await key(rig, "undo")
        assert rig.root.children[0].text == " the flood came and"


async def test_a_growing_node_is_not_cut(launch: Launcher) -> None:
    backend = FakeBackend()
    async with launch(backend, max_tokens=50) as rig:
        await rig.ready()
        await rig.press("enter")
        backend.grant(3)
        await rig.until(lambda: len(rig.root.children[0].tokens) == 3)
        await rig.press("down", "T", "right", "s", "x", "space", "enter")
        assert len(rig.root.children) == 1
        assert len(rig.root.children[0].tokens) == 3
        assert rig.app.document.growing


async def test_written_text_is_scored_when_the_cursor_comes_and_that_is_stored(
    launch: Launcher, tmp_path: Path
) -> None:
    backend = free()
    path = tmp_path / "a.loom"
    async with launch(backend, session=path) as rig:
        await rig.ready()
        assert not any(isinstance(request, Score) for request in backend.submitted)
        await rig.press("T")
        await rig.until(lambda: rig.app.view.alternatives.shown.candidates)
        await rig.press("right", "right")
        assert sum(isinstance(request, Score) for request in backend.submitted) == 1, "once for the node"
        await rig.press("T", "q")
    (root,) = read_session(path).roots
    assert root.entropies == [1.25] * 4
    assert math.isclose(root.logprobs[0], -0.7, rel_tol=1e-6)


async def test_the_colours_go_round_and_say_what_they_tell(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await on_a_branch(rig)
        await rig.press("T")
        view = rig.app.view
        assert not view.legend.display
        plain = view.reader.render_line(0).text
        await rig.press("P")
        assert view.reader.colour_by is ColourBy.PROBABILITY
        assert view.legend.display and "≥80%" in view.legend.render_line(0).text
        assert view.reader.render_line(0).text == plain, "colours change no text"
        await rig.press("P")
        assert "entropy (nats): <0.5 <1.5" in view.legend.render_line(0).text
        await rig.press("P")
        assert view.reader.colour_by is ColourBy.NOTHING and not view.legend.display


@pytest.mark.parametrize("no_color", ["", "1"])
async def test_each_step_looks_different(
    launch: Launcher, monkeypatch: pytest.MonkeyPatch, no_color: str
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color) if no_color else monkeypatch.delenv("NO_COLOR", raising=False)
    async with launch(free()) as rig:
        await on_a_branch(rig)
        await rig.press("T", "P")
        reader = rig.app.view.reader
        looks = [reader.get_component_rich_style(f"reader--step-{step}") for step in range(5)]
        if no_color:
            told = {(look.bold, look.dim, look.underline) for look in looks}
            assert len(told) == 5
        else:
            assert len({look.color for look in looks}) == 5


async def test_on_a_narrow_screen_the_cursor_brings_the_text(launch: Launcher) -> None:
    async with launch(free(), size=(80, 24)) as rig:
        await on_a_branch(rig)
        assert rig.app.view.reader.size.width > 70
        assert set_off(rig) == " the"
        assert any("w101" in line for line in panel(rig))
        await rig.press("escape")
        assert rig.app.view.tree_view.size.width > 70
        assert isinstance(rig.app.commands.mode, TokenCursor) is False


async def test_a_click_goes_to_a_token_and_chooses_an_alternative(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await on_a_branch(rig)
        reader = rig.app.view.reader
        line = next(reader.render_line(y).text for y in range(3) if "flood" in reader.render_line(y).text)
        row = next(y for y in range(3) if reader.render_line(y).text == line)
        await rig.pilot.click(reader, offset=(line.index("came") + 1, row))
        await rig.until(lambda: set_off(rig) == " came")
        await rig.pilot.click(rig.app.view.alternatives, offset=(6, 4))
        await rig.until(lambda: panel(rig)[3].startswith("▸"))


@pytest.mark.parametrize("action", ["child", "parent", "page_up", "page_down", "top", "bottom", "split"])
async def test_keys_right_behind_a_leap_to_another_text(launch: Launcher, action: str) -> None:
    """The text may be another one before anything else has looked at it."""
    async with launch(free()) as rig:
        await on_a_branch(rig)
        rig.app.view.show_node(rig.root)
        rig.app.perform(action, 2)
        await rig.pilot.pause()
        assert rig.app.is_running and rig.app._exception is None
        assert set_off(rig) in tuple("Once"), "it stands on the text that is shown"


async def test_what_another_program_told_is_shown_without_asking_the_model(launch: Launcher) -> None:
    backend = free()
    async with launch(backend) as rig:
        await rig.ready()
        change = rig.app.document.add_text(rig.root, " rain again")
        node = change.focus
        assert node is not None
        node.provenance = {
            "imported": {
                "texts": [" rain", " again"],
                "logprobs": [-0.25, -2.0],
                "alternatives": [[" [/b]snow\x1b[31m", -1.5], None],
            }
        }
        rig.app.show_there(change)
        await rig.until(lambda: node.tokens)
        await rig.press("T")
        assert panel(rig)[0].startswith("rain 78 % · token 1 of 11 · told by the program")
        assert panel(rig)[1].split()[1:] and "[/b]snow" in panel(rig)[1] and "\x1b" not in panel(rig)[1]
        assert panel(rig)[2].startswith("▸") and "rain" in panel(rig)[2]
        await rig.press("5", "right")
        assert panel(rig)[0].startswith("again 14 % · token 6 of 11")
        steps = rig.app.view.reader.token_map(node)
        assert [steps.step(index, ColourBy.PROBABILITY) for index in (0, 4, 5, 10)] == [1, 1, 3, 3]
        assert not [one for one in backend.submitted if isinstance(one, Score)]
        await rig.press("enter")
        await rig.until(lambda: node.odds is not None)
        assert not node.children and len(rig.root.children) == 1
        assert "told by" not in panel(rig)[0], "the model's own count for more"
        await rig.press("enter")
        await rig.grown()
        assert [child.text for child in node.parent.children] != [" rain again"]


async def test_what_another_program_told_can_be_read_before_the_model_has_read_it(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        node = Heddle.from_text(" rain again")
        node.provenance = {"imported": {"texts": [" rain", " again"], "logprobs": [-0.25, -2.0]}}
        steps = rig.app.view.reader.token_map(node)
        assert steps.bounds == [0, 5, 11]
        assert [steps.step(index, ColourBy.PROBABILITY) for index in (0, 1)] == [1, 3]
        assert rig.app.lore.at(node, 1).told[0].text == " again"
        node.set_span([1, 2, 3], " rain again", [2, 5, 11], Odds.of([-0.1, -0.1, -5.0]))
        steps = rig.app.view.reader.token_map(node)
        assert steps.bounds == [0, 2, 5, 11]
        assert [steps.step(index, ColourBy.PROBABILITY) for index in range(3)] == [0, 0, 4]


@pytest.mark.parametrize("action", ["page_up", "page_down", "parent", "child", "top", "bottom"])
async def test_the_cursor_moves_from_a_branch_that_has_said_nothing_yet(
    launch: Launcher, action: str
) -> None:
    backend = FakeBackend()
    async with launch(backend) as rig:
        await rig.ready()
        await key(rig, "continue_one")
        backend.grant(4)
        await rig.grown()
        await rig.press("down", "T", "right", "space")
        assert rig.app.document.growing
        assert not rig.current.tokens
        await key(rig, action)
        backend.free()
        await rig.grown()
        await key(rig, action)
        assert rig.app.commands.mode is not None
