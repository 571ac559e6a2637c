"""Anything, in any order, through the app's actions: what is shown is what there is, and nothing raises."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from support.fake_backend import FakeBackend
from support.hand import facts
from support.rig import Launcher, Rig
from textual.widgets import Input

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.actions import ACTIONS
from n8loom_tui.tui.saving import Saving
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.screens.editor import EditorArea, EditorScreen, SystemInput
from n8loom_tui.tui.screens.loom import LoomScreen

ELSEWHERE = {
    "quit",
    "palette",
    "help",
    "copy_text",
    "edit_external",
    "change_keys",
    "sessions",
    "save_as",
    "export",
    "import",
}
"""What leaves the app or the screen; it has tests of its own."""


def shown(rig: Rig) -> list[Heddle | None]:
    """The nodes that have a row, from top to bottom."""
    rows = rig.app.view.tree_view.rows
    return [rows.node_at(index) for index in range(len(rows))]


def expected(rig: Rig) -> list[Heddle]:
    """The nodes that should have one."""
    tree, nodes = rig.app.view.tree_view, []
    stack = list(tree.hoisted[-1:]) or rig.app.document.roots[::-1]
    while stack:
        node = stack.pop()
        nodes.append(node)
        if not tree.is_folded(node):
            stack.extend(reversed(node.children))
    return nodes


async def type_what_is_awaited(rig: Rig, draw: random.Random) -> None:
    """Search for something, mark by a letter, or leave it."""
    if rig.app.view.is_searching:
        await rig.press(*draw.choice((("t", "h"), ("n", "down"), ("up",), ("enter",), ("escape",), ())))
    elif rig.app.view.awaits_key:
        await rig.press(draw.choice(("a", "A", "escape", "!")))


async def close_dialogs(rig: Rig, draw: random.Random) -> None:
    """Answer what is asked, or don't."""
    await rig.pilot.pause()
    while not isinstance(rig.app.screen, LoomScreen):
        if draw.random() < 0.2:
            await rig.press("escape")
        elif isinstance(rig.app.screen, AskScreen):
            rig.app.screen.query_one(Input).value = draw.choice(("1", "2", "0.7", "words", ""))
            await rig.press("enter", "escape")
        elif isinstance(rig.app.screen, EditorScreen):
            rig.app.screen.query_one(EditorArea).text = draw.choice(("", "some text", "two\nlines"))
            for field in rig.app.screen.query(SystemInput):
                field.value = draw.choice(("", "be brief"))
            await rig.press(*(["ctrl+t"] if draw.random() < 0.5 else []), "enter")
        else:
            await rig.press("enter")
        await rig.pilot.pause()


SEEDS = [int(seed) for seed in os.environ.get("N8LOOM_RANDOM_SEEDS", "0 2").split()]
STEPS = int(os.environ.get("N8LOOM_RANDOM_STEPS", "240"))
"""More of them by hand: N8LOOM_RANDOM_STEPS=5000."""


async def travel(rig: Rig, action: str) -> None:
    """Undo or redo to the end; what is shown follows."""
    history = rig.app.document.history
    steps = {"undo": history.undoable, "redo": history.redoable}[action]
    while steps:
        before = len(steps)
        rig.app.perform(action, None)
        await rig.grown()
        assert len(steps) < before
    assert shown(rig) == expected(rig)


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_is_shown_is_what_there_is(launch: Launcher, tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    path = tmp_path / "a.loom"
    names = [name for name in ACTIONS if name not in ELSEWHERE]
    moves = ["row_down", "row_up", "child", "parent", "next_sibling", "bottom", "fold", "unfold"]
    often = ["ramify"] * 16 + ["continue_one"] * 8 + moves * 4 + ["undo"] * 3 + ["redo"] * 5 + ["delete"] * 2
    backend = FakeBackend(eos_after=seed * 2)
    async with launch(backend, session=path, max_tokens=3, n=2) as rig:
        await rig.ready()
        for number in range(STEPS):
            rig.app.perform(draw.choice(names + often), draw.choice((None, None, None, 1, 2, 3)))
            if rig.app.screen is not rig.app.view or len(rig.app.screen_stack) > 2:
                await close_dialogs(rig, draw)
            await type_what_is_awaited(rig, draw)
            rig.app.use_settings(rig.app.settings.with_values({"n": 2, "max_tokens": 3}))
            backend.grant(draw.randint(0, 4))
            if number % 5 == 0:
                await rig.pilot.pause()
            assert shown(rig) == expected(rig)
        backend.free()
        await rig.grown()
        await rig.pilot.pause()
        assert shown(rig) == expected(rig)
        assert rig.app.view.reader.node is rig.app.view.current
        await travel(rig, "redo")
        end = facts(rig.app.document)
        await travel(rig, "undo")
        start = facts(rig.app.document)
        await travel(rig, "redo")
        assert facts(rig.app.document) == end
        await travel(rig, "undo")
        assert facts(rig.app.document) == start
        await travel(rig, "redo")
        assert facts(rig.app.document) == end
        await rig.press("q")
    again = Saving.open(path)
    assert [fact[1:6] for fact in facts(again.document)] == [fact[1:6] for fact in end]
    assert again.close()
