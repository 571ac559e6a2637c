"""Undoing and redoing very many steps at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.keys import free
from support.rig import Launcher, Rig

from n8loom_tui.loom.protocol import Encode
from n8loom_tui.session.change import Change
from n8loom_tui.tui.commands import history
from n8loom_tui.tui.saving import Saving

STEPS = 250


async def written(rig: Rig) -> None:
    """So many steps, each a node."""
    await rig.ready()
    change, node = Change(), rig.root
    for number in range(STEPS):
        made = rig.app.document.add_text(node if number % 10 else rig.root, f" {number}")
        node = made.focus or node
        change.join(made)
    rig.app.show_there(change)


def shown(rig: Rig) -> int:
    return sum(bool(text.strip()) for text in rig.texts())


async def test_far_back_and_forth_with_few_pictures_and_what_is_pressed_meanwhile_waits(
    launch: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "SLICE", 0.0)
    async with launch(free(), n=2) as rig:
        await written(rig)
        pictures: list[Change] = []
        show = rig.app.show
        monkeypatch.setattr(
            rig.app, "show", lambda change, label="": (pictures.append(change), show(change, label))[1]
        )
        document = rig.app.document
        rig.app.perform("undo", STEPS)
        assert len(document.history.redoable) < STEPS, "not all of it at one stretch"
        rig.app.perform("ramify", 2)
        assert not document.growing, "that waits"
        await rig.until(lambda: len(rig.root.children) == 2)
        await rig.grown()
        assert [child.text for child in rig.root.children] == [" the flood came and"] * 2
        assert shown(rig) == 3 and rig.current is rig.root
        assert len(pictures) < STEPS / 2


async def test_redo_brings_all_of_it_back(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await written(rig)
        texts, document = [node.text for node in rig.app.document.in_order()], rig.app.document
        await rig.press(*"9999", "u")
        await rig.until(lambda: not document.roots)
        await rig.press(*"9999", "ctrl+r")
        await rig.until(lambda: not document.history.redoable)
        assert [node.text for node in document.in_order()] == texts
        assert len(document.history.undoable) == STEPS + 1
        assert shown(rig) > 10


async def test_escape_halts_it_and_what_waited_is_dropped(
    launch: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "SLICE", 0.0)
    async with launch(free()) as rig:
        await written(rig)
        steps = rig.app.document.history
        rig.app.perform("undo", STEPS)
        rig.app.perform("delete")
        rig.app.perform("stop")
        halted = len(steps.redoable)
        assert 0 < halted < STEPS
        await rig.until(lambda: not rig.app.commands.working)
        assert len(steps.redoable) == halted
        assert steps.undoable[-1].label == "write"
        rig.app.perform("undo")
        assert len(steps.redoable) == halted + 1, "the keys do again what they do"


async def test_redo_of_what_no_tokenizer_has_read_asks_for_all_of_it_at_once(
    launch: Launcher, tmp_path: Path
) -> None:
    saving = Saving.open(tmp_path / "a.loom")
    node = saving.document.new_loom("Once", False).focus
    for number in range(STEPS):
        assert node is not None
        node = saving.document.add_text(node, f" {number}").focus
    for _ in range(STEPS):
        saving.document.undo()
    saving.save("x")
    assert saving.close()
    async with launch(free(), session=tmp_path / "a.loom", prompt=None) as rig:
        await rig.ready()
        asked = len(rig.backend.submitted)
        await rig.press(*"999", "ctrl+r")
        await rig.until(lambda: not rig.app.document.history.redoable)
        await rig.until(lambda: not rig.app.document.unencoded())
        requests = [request for request in rig.backend.submitted[asked:] if isinstance(request, Encode)]
        assert sum(len(request.path) for request in requests) < 3 * STEPS
