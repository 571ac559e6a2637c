"""All of a session in another file: recorded bit by bit while it goes on changing, it is what it was in the end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.fake_backend import FakeBackend
from support.hand import Hand, facts

from n8loom_tui.loom.heddle import Loom
from n8loom_tui.session.load import LoadedSession
from n8loom_tui.session.record import Changes
from n8loom_tui.session.store import held_in, write_new
from n8loom_tui.session.whole import Whole
from n8loom_tui.tui.document import Document
from n8loom_tui.tui.saving import Saving
from n8loom_tui.tui.stored import Look


def handed_over(document: Document) -> Changes:
    return document.pending.changes("act", document.roots, lambda _nodes: {})


def recorded(hand: Hand) -> list[Changes]:
    """Everything, recorded while the hand goes on, and what it did meanwhile."""
    document, meanwhile = hand.document, []
    whole = Whole(document.trees, document.history, lambda _nodes: {})
    for number, _ in enumerate(whole.recording()):
        if number % 3 == 0:
            hand.act()
            meanwhile.append(handed_over(document))
    hand.finish()
    return [whole.changes(None, (), {}, {}), *meanwhile, handed_over(document)]


def thrown_away(document: Document) -> dict[str, tuple[object, ...]]:
    """What is in the trash: its text, where it was, and what hangs below it."""
    trees = document.trees
    return {
        name: (
            top.text,
            not isinstance(top, Loom) and trees.where.get(name),
            [node.id for node in top.walk()],
        )
        for name, top in trees.trash.items()
    }


@pytest.mark.parametrize("seed", range(12))
def test_what_changes_meanwhile_is_in_it_too(tmp_path: Path, seed: int) -> None:
    hand = Hand(Document(), FakeBackend(), seed)
    for _ in range(150):
        hand.act()
    hand.finish()
    changes = recorded(hand)
    write_new(tmp_path / "b.loom", *changes)
    document = hand.document
    again = Saving.open(tmp_path / "b.loom")
    assert again.notices == []
    assert facts(again.document) == facts(document)
    assert thrown_away(again.document) == thrown_away(document)
    assert [node.id for node in again.document.in_trash()] == [node.id for node in document.in_trash()]
    for one in (document, again.document):
        while one.history.undoable:
            one.undo()
    assert again.document.roots == document.roots == []
    for one in (document, again.document):
        while one.history.redoable:
            one.redo()
    assert facts(again.document) == facts(document)
    assert again.close()


def test_what_would_be_in_a_file_is_read_without_one() -> None:
    hand = Hand(Document(), FakeBackend(), 5)
    for _ in range(200):
        hand.act()
    loaded: LoadedSession = held_in(recorded(hand))
    texts = [node.text for root in loaded.roots for node in root.walk()]
    assert loaded.problems == [] and texts == [node.text for node in hand.document.in_order()]
    assert [step.id for step in loaded.done] == [step.id for step in hand.document.history.undoable]


def test_what_is_brought_back_in_the_other_file_goes_where_it_was(tmp_path: Path) -> None:
    document = Document()
    document.new_loom("Once", False)
    document.add_text(document.roots[0], " upon")
    document.add_text(document.roots[0], " there")
    document.delete(document.roots[0].children[0])
    whole = Whole(document.trees, document.history, lambda _nodes: {})
    assert len(list(whole.recording())) > 4
    write_new(tmp_path / "b.loom", whole.changes(None, (), {}, {}))
    again = Saving.open(tmp_path / "b.loom")
    again.document.bring_back(again.document.in_trash()[0])
    (root,) = again.document.roots
    assert {child.text for child in root.children} == {" there", " upon"}
    assert again.close()


def test_how_the_tree_was_looked_at_goes_along(tmp_path: Path) -> None:
    saving = Saving.open(tmp_path / "a.loom")
    root = saving.document.new_loom("Once", False).focus
    assert root is not None
    node = saving.document.add_text(root, " upon").focus
    assert node is not None
    saving.save("plant")
    saving.store_look(Look((root.id,), {root.id: node.id}))
    write_new(tmp_path / "b.loom", *asyncio.run(saving.collected()))
    again = Saving.open(tmp_path / "b.loom")
    assert again.look == Look((root.id,), {root.id: node.id})
    assert saving.close() and again.close()
