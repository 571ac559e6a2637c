"""The open loom without a screen: growth and edits as steps that can be undone, whatever still streams."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fake_backend import FakeBackend
from support.hand import Hand, facts

from n8loom_tui.loom.heddle import Heddle, Kind
from n8loom_tui.loom.protocol import Encoded, Framing, Ramify, SamplingParams
from n8loom_tui.tui.backend import ModelInfo
from n8loom_tui.tui.document import Document, EditError
from n8loom_tui.tui.saving import Saving

PARAMS = SamplingParams(max_tokens=4)


@pytest.fixture
def hand() -> Hand:
    """A document with one prompt that the model has read."""
    hand = Hand(Document(), FakeBackend(), 0)
    hand.take(hand.document.new_loom("Once", True))
    hand.finish()
    return hand


def grow(hand: Hand, node: Heddle, n: int, steps: int | None = None) -> list[Heddle]:
    """Grow branches, to their end or for some steps of the engine."""
    hand.take(hand.document.ramify([node], n, PARAMS))
    if steps is None:
        hand.finish()
    else:
        hand.pump(steps)
    return node.children[-n:]


def test_a_generation_is_one_step_and_comes_back_as_it_was(hand: Hand) -> None:
    document = hand.document
    (root,) = document.roots
    grow(hand, root, 3)
    after = facts(document)
    change = document.undo()
    assert change.said == "undone: ramify"
    assert root.children == []
    assert change.focus is root
    document.redo()
    assert facts(document) == after
    document.undo()
    document.undo()
    assert document.roots == []
    with pytest.raises(EditError, match="nothing to undo"):
        document.undo()
    document.redo()
    document.redo()
    with pytest.raises(EditError, match="nothing to redo"):
        document.redo()
    assert facts(document) == after


def test_undo_of_what_still_streams_stops_it_and_keeps_what_it_said(hand: Hand) -> None:
    document = hand.document
    (root,) = document.roots
    children = grow(hand, root, 3, steps=3)
    said = [child.text for child in children]
    assert all(said)
    change = document.undo()
    assert change.stop == {child.id for child in children}
    assert (document.growing, root.children) == ({}, [])
    hand.take(change)
    hand.finish()  # what the engine had on its way changes nothing any more
    document.redo()
    assert [(child.text, child.finish) for child in root.children] == [(text, "cancelled") for text in said]


def test_undo_before_the_first_token_leaves_nothing_behind(hand: Hand) -> None:
    document = hand.document
    before = facts(document)
    grow(hand, document.roots[0], 3, steps=0)
    hand.take(document.undo())
    hand.finish()
    assert facts(document) == before
    with pytest.raises(EditError, match="nothing to redo"):
        document.redo()


def test_what_waits_for_a_branch_is_undone_first(hand: Hand) -> None:
    document = hand.document
    (root,) = document.roots
    (child,) = grow(hand, root, 1, steps=2)
    hand.take(document.ramify([child], 2, PARAMS))
    assert document.waiting == 1
    change = document.undo()
    assert "waited" in change.said
    assert (document.waiting, child.id in document.growing) == (0, True)
    hand.take(document.ramify([child], 2, PARAMS))
    hand.take(document.bookmark([child], True))
    hand.finish()
    assert len(child.children) == 2
    hand.take(document.undo())
    assert (child.children, child.marks.bookmark) == ([], True), "it began after the bookmark was set"
    hand.take(document.undo())
    assert not child.marks.bookmark
    document.redo()
    document.redo()
    assert len(child.children) == 2


def test_what_waited_is_one_step_with_what_it_was_asked_for_with(hand: Hand) -> None:
    document = hand.document
    (root,) = document.roots
    (child,) = grow(hand, root, 1, steps=2)
    hand.take(document.ramify([root, child], 2, PARAMS))
    hand.finish()
    assert (len(root.children), len(child.children)) == (3, 2)
    document.undo()
    assert (root.children, child.children) == ([child], [])


def test_what_waits_within_a_step_of_several_edits_may_go_again(hand: Hand) -> None:
    document = hand.document
    (child,) = grow(hand, document.roots[0], 1, steps=2)
    with document.one_step("several"):
        hand.take(document.ramify([child], 2, PARAMS))
        hand.take(document.delete(child))
    assert document.waiting == 0
    assert [step.label for step in document.history.undoable][-1] == "several"
    hand.finish()
    document.undo()
    assert document.roots[0].children == [child]


def test_a_growing_branch_is_not_edited(hand: Hand) -> None:
    document = hand.document
    (child,) = grow(hand, document.roots[0], 1, steps=2)
    for edit in (
        lambda: document.edit(child, "x"),
        lambda: document.edit(child, "x", sibling=True),
        lambda: document.clip(child, 1),
        lambda: document.split(child, 1),
        lambda: document.merge(child),
        lambda: document.add_text(child, "x"),
    ):
        with pytest.raises(EditError, match="still grows") as error:
            edit()
        assert "\n" not in str(error.value)
    assert child.id in document.growing


def test_deleting_what_streams_and_undoing_that_gives_what_it_had_said(hand: Hand) -> None:
    document = hand.document
    (root,) = document.roots
    children = grow(hand, root, 2, steps=2)
    hand.take(document.delete(children[0]))
    hand.finish()
    document.undo()
    assert root.children == children
    assert (children[0].text, children[0].finish) == (" the flood", "cancelled")
    assert children[1].finish == "length"


def test_splitting_above_a_growing_branch_lets_it_grow(hand: Hand) -> None:
    document = hand.document
    (child,) = grow(hand, document.roots[0], 1)
    (below,) = grow(hand, child, 1, steps=2)
    hand.take(document.split(child, 2))
    hand.finish()
    assert below.get_prefix_text(1) == " the flood came and the flood came and"
    hand.take(document.merge(child))
    assert (child.text, below.parent) == (" the flood came and", child)


def test_tokens_of_an_older_text_do_not_come_into_a_newer_one(hand: Hand) -> None:
    document = hand.document
    old = document.add_text(document.roots[0], "old")
    (request,) = old.requests
    node = document.roots[0].children[0]
    newer = document.edit(node, "newer")
    hand.take(old)
    hand.finish()
    assert (node.text, node.encoded) == ("newer", False)
    hand.take(newer)
    hand.finish()
    assert (node.text, node.encoded) == ("newer", True)
    hand.take(document.undo())
    hand.finish()
    assert (node.text, node.encoded, node.kind) == ("old", True, Kind.WRITTEN)
    stale = Encoded(request.path[-1].node_id, (1,), "x", (1,), Framing.CONTINUATION)
    document.apply([stale])
    assert node.text == "old"


def test_an_edit_beside_stands_right_behind_and_is_read_by_the_model(hand: Hand) -> None:
    document = hand.document
    (root,) = document.roots
    first, second = grow(hand, root, 2)
    hand.take(document.edit(first, "otherwise", sibling=True))
    hand.finish()
    assert [child.text for child in root.children] == [first.text, "otherwise", second.text]
    written = root.children[1]
    assert (written.kind, written.encoded, written.provenance["edited_from"]) == (Kind.EDITED, True, first.id)
    hand.take(document.edit(root, "Twice", sibling=True))
    assert [tree.text for tree in document.roots] == ["Once", "Twice"]


def test_a_branch_is_unread_until_somebody_stands_on_it(hand: Hand, tmp_path: Path) -> None:
    document = hand.document
    (child,) = grow(hand, document.roots[0], 1)
    assert child.marks.unread
    assert document.read(child).changed == {child.id: child}
    assert not document.read(child).changed
    document.undo()
    document.redo()
    assert not child.marks.unread, "that is no step of the history"


def test_marks_letters_and_growth_come_back_from_the_file(tmp_path: Path) -> None:
    saving = Saving.open(tmp_path / "a.loom")
    hand = Hand(saving.document, FakeBackend(), 0)
    hand.take(saving.document.new_loom("Once", True))
    hand.finish()
    root = saving.document.roots[0]
    one, two, three = grow(hand, root, 3)
    saving.document.bookmark([one], True)
    saving.document.note(two, "why?")
    saving.document.tag([two], ("odd",))
    saving.document.read(one)
    saving.document.set_letter("a", three)
    saving.save("marks")
    before = facts(saving.document)
    assert saving.close()
    again = Saving.open(tmp_path / "a.loom")
    assert facts(again.document) == before
    assert again.document.letters == {"a": three.id}
    children = again.document.roots[0].children
    assert [child.marks.unread for child in children] == [False, True, True]
    assert again.close()


def test_branches_cut_short_by_a_crash(tmp_path: Path) -> None:
    saving = Saving.open(tmp_path / "a.loom")
    hand = Hand(saving.document, FakeBackend(), 0)
    hand.take(saving.document.new_loom("Once", True))
    hand.finish()
    root = saving.document.roots[0]
    children = grow(hand, root, 2, steps=2)
    grow(hand, root, 2, steps=0)
    saving.document.growth.note_growing()
    saving.save("growing")
    assert saving.close()  # without a word to those that grow
    again = Saving.open(tmp_path / "a.loom")
    assert [child.id for child in again.document.roots[0].children] == [child.id for child in children]
    assert again.document.undo().said == "undone: ramify"
    assert again.document.roots[0].children == []
    again.document.redo()
    assert [child.text for child in again.document.roots[0].children] == [" the flood"] * 2
    assert again.close()


def test_another_models_tokens_go_through_edits_and_undo_and_where_they_meet_ours_as_text(
    tmp_path: Path,
) -> None:
    saving = Saving.open(tmp_path / "a.loom")
    hand = Hand(saving.document, FakeBackend(), 0)
    saving.model(ModelInfo("fake", "0000", "cpu", True))
    hand.take(saving.document.new_loom("Once", True))
    hand.finish()
    (child,) = grow(hand, saving.document.roots[0], 1)
    saving.document.clip(child, -2)
    saving.document.split(child, 1)
    saving.save("x")
    assert saving.close()

    other = Saving.open(tmp_path / "a.loom")
    info = ModelInfo("other", "1111", "cpu", True)
    other.document.use_model(info)
    other.model(info)
    child = other.document.roots[0].children[0].children[0]
    assert (child.text, child.encoded) == (" flood", False)
    other.document.merge(child)
    other.document.clip(child, 1)
    assert (child.text, child.tokens, child.encoded) == (" the", [7], False)
    for _ in range(3):
        change = other.document.undo()
    assert (child.text, child.tokens, child.encoded) == (" the flood", [7, 8], False)
    assert not change.requests, "it is read where it is continued"
    other.document.undo()
    assert (child.text, child.tokens) == (" the flood came and", [7, 8, 9, 10])
    hand = Hand(other.document, FakeBackend(), 0)
    hand.backend.submit(other.document.encode_request(child))  # as an engine does where it is continued
    hand.finish()
    assert child.encoded
    assert child.tokens == list(range(len(child.text)))
    other.document.redo()
    assert child.text == " the flood"
    other.document.undo()
    assert (child.text, child.encoded) == (" the flood came and", False)
    other.save("x")
    assert other.close()

    first = Saving.open(tmp_path / "a.loom")
    first.document.use_model(ModelInfo("fake", "0000", "cpu", True))
    (child,) = first.document.roots[0].children
    assert (child.text, child.encoded) == (" the flood came and", False), "where two vocabularies met"
    assert first.document.roots[0].encoded
    assert first.close()


def test_token_ids_that_the_model_does_not_know_are_another_vocabularys(tmp_path: Path) -> None:
    """A file may claim any ids, and say that they are this very model's."""
    saving = Saving.open(tmp_path / "a.loom")
    hand = Hand(saving.document, FakeBackend(), 0)
    info = ModelInfo("fake", "0000", "cpu", True, vocabulary=1000)
    saving.model(info)
    hand.take(saving.document.new_loom("Once", True))
    hand.finish()
    (child,) = grow(hand, saving.document.roots[0], 1)
    child.tokens = [7, 2**31 - 1, 9, 10]
    (below,) = grow(hand, child, 1)
    saving.save("x")
    saving.document.delete(child)
    saving.save("x")
    assert saving.close()

    again = Saving.open(tmp_path / "a.loom")
    again.document.use_model(info)
    again.document.undo()
    child = again.document.nodes[child.id]
    below = again.document.nodes[below.id]
    change = again.document.ramify([below], 1, SamplingParams(max_tokens=2))
    (request,) = change.requests
    assert isinstance(request, Ramify)
    root, segment, last = request.sources[0].path
    assert root.tokens is not None
    assert (segment.tokens, segment.text) == (None, " the flood came and")
    assert last.tokens == (7, 8, 9, 10)
    hand = Hand(again.document, FakeBackend(), 0)
    hand.backend.submit(again.document.encode_request(child))
    hand.finish()
    assert child.encoded and child.tokens == list(range(len(child.text)))
    assert again.close()


def test_another_models_tokens_come_out_of_the_trash_as_another_models(tmp_path: Path) -> None:
    saving = Saving.open(tmp_path / "a.loom")
    hand = Hand(saving.document, FakeBackend(), 0)
    saving.model(ModelInfo("fake", "0000", "cpu", True))
    hand.take(saving.document.new_loom("Once", True))
    hand.finish()
    (child,) = grow(hand, saving.document.roots[0], 1)
    (below,) = grow(hand, child, 1)
    saving.document.delete(child)
    saving.save("x")
    assert saving.close()

    other = Saving.open(tmp_path / "a.loom")
    other.document.use_model(ModelInfo("other", "1111", "cpu", True))
    other.document.undo()
    assert [other.document.nodes[node.id].encoded for node in (child, below)] == [False, False]
    assert other.close()
