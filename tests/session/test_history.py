"""Operations, their inverses, and the steps that they make, on trees without a file."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from n8loom_tui.loom.heddle import Heddle, Kind, Loom
from n8loom_tui.loom.marks import Marks
from n8loom_tui.loom.odds import Odds
from n8loom_tui.session import history_edits as edits
from n8loom_tui.session.change import MANY, Change
from n8loom_tui.session.history import History, Step
from n8loom_tui.session.history_edits import EditError
from n8loom_tui.session.history_ops import (
    Cut,
    Field,
    Hang,
    HistoryError,
    Join,
    Mend,
    Operation,
    Order,
    Set,
    Split,
    Swap,
    Take,
    inverse,
    pack_operations,
    unpack_operations,
)
from n8loom_tui.session.history_trees import CUT, Trees

EVERY: list[Operation] = [
    Hang(None, 0, ("a", "b")),
    Take("p", 3, ("\ud800", "漢")),
    Split("a", "b"),
    Join("a", "b"),
    Cut("a", "b"),
    Mend("a", "b"),
    Swap("a", "b"),
    Order("p", ("a", "b"), ("b", "a")),
    Set("a", Field.BOOKMARK, False, True),
    Set("a", Field.TAGS, (), ("x", "\udfff")),
    Set("a", Field.NOTE, "", "two\nlines\0"),
    Set("a", Field.KIND, "written", "edited"),
]


def test_operations_as_bytes_and_back() -> None:
    assert unpack_operations(pack_operations(EVERY)) == EVERY
    assert unpack_operations(pack_operations([])) == []
    assert [inverse(inverse(operation)) for operation in EVERY] == EVERY


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\xff",
        b"{}",
        b"[[]]",
        b"[1]",
        b'["hang"]',
        b'[["hang", null, 0, [1]]]',
        b'[["hang", null, -1, ["a"]]]',
        b'[["hang", null, 0, ["a", "a"]]]',
        b'[["hang", 7, 0, ["a"]]]',
        b'[["split", "a"]]',
        b'[["split", "a", null]]',
        b'[["explode", "a", "b"]]',
        b'[["set", "a", "id", "x", "y"]]',
        b'[["set", "a", "tags", [1], []]]',
        b'[["set", "a", "bookmark", 0, 1]]',
        b"[" * 100_000,
    ],
)
def test_bytes_that_are_no_operations_are_told_apart(packed: bytes) -> None:
    with pytest.raises(HistoryError):
        unpack_operations(packed)


class Woven:
    """A root with three children a, b, c; d and e below b."""

    def __init__(self, make_loom: Callable[..., Loom], make_node: Callable[..., Heddle]) -> None:
        self.root = make_loom()
        self.a, self.b, self.c = (make_node(text, self.root) for text in ("one two", "bcd", "c"))
        self.d, self.e = make_node("d", self.b), make_node("e", self.b)
        self.b.odds = Odds.of([-1.0, -2.0, -3.0])
        self.b.terminal, self.b.finish = True, "eos"
        self.trees = Trees([self.root])
        self.history = History(self.trees)

    def do(self, operations: list[Operation], label: str = "edit") -> Change:
        change = Change()
        self.history.perform(label, operations, change)
        return change

    def undo(self) -> Change:
        change = Change()
        assert self.history.undo(change) is not None
        return change

    def redo(self) -> Change:
        change = Change()
        assert self.history.redo(change) is not None
        return change


@pytest.fixture
def woven(trees) -> Woven:
    return Woven(trees.loom, trees.node)


def edit_cases() -> dict[str, Callable[[Woven], list[Operation]]]:
    return {
        "delete": lambda w: edits.delete(w.trees, w.b),
        "delete the root": lambda w: edits.delete(w.trees, w.root),
        "make leaf": lambda w: edits.make_leaf(w.b),
        "clip": lambda w: edits.clip(w.trees, w.b, 2),
        "trim": lambda w: edits.clip(w.trees, w.a, -3),
        "split": lambda w: edits.split(w.trees, w.b, 1),
        "split before the last": lambda w: edits.split(w.trees, w.b, -1),
        "edit": lambda w: edits.edit(w.trees, w.a, "else", sibling=False),
        "edit beside": lambda w: edits.edit(w.trees, w.b, "else", sibling=True),
        "edit the prompt beside": lambda w: edits.edit(w.trees, w.root, "else", sibling=True),
        "enter": lambda w: [edits.enter(w.trees, w.b, [Heddle.from_text("x")], 1)],
        "sort": lambda w: edits.sort(w.trees, w.root, lambda node: -ord(node.text[0])),
        "bookmark": lambda w: edits.bookmark([w.a, w.b], True),
        "tag": lambda w: edits.tag([w.a], ("x", "y")),
        "note": lambda w: edits.note(w.a, "a note"),
    }


@pytest.mark.parametrize("case", edit_cases())
def test_each_edit_is_undone_and_done_again_exactly(woven, trees, case: str) -> None:
    def facts() -> list[object]:
        nodes = [node for root in woven.trees.roots for node in root.walk()]
        more = [(node.marks, repr(node.logprobs)) for node in nodes]
        return [trees.facts(woven.trees.roots), more, sorted(woven.trees.nodes)]

    before = facts()
    woven.do(edit_cases()[case](woven))
    after = facts()
    assert after != before
    for _ in range(3):
        woven.undo()
        assert facts() == before
        woven.redo()
        assert facts() == after
    assert len(woven.trees.nodes) == sum(1 for root in woven.trees.roots for _ in root.walk())


def test_what_is_cut_off_is_kept_with_what_is_known_of_it(woven) -> None:
    woven.do(edits.clip(woven.trees, woven.b, 1))
    b = woven.b
    assert (b.text, b.tokens, b.children) == ("b", [98], [])
    assert (b.terminal, b.finish) == (False, CUT)
    assert b.logprobs == [-1.0]
    (tail,) = (node for node in woven.trees.trash.values() if node.tokens == [99, 100])
    assert (tail.text, tail.finish, tail.logprobs) == ("cd", "eos", [-2.0, -3.0])
    woven.undo()
    assert (b.terminal, b.finish, b.logprobs) == (True, "eos", [-1.0, -2.0, -3.0])


def test_a_split_leaves_children_and_end_with_the_rest_and_merging_puts_it_right(woven, trees) -> None:
    before = trees.facts([woven.root])
    woven.do(edits.split(woven.trees, woven.b, 2))
    head = woven.b.parent
    assert head is not None and head.parent is woven.root
    assert woven.root.children == [woven.a, head, woven.c]
    assert (head.tokens, head.finish, head.terminal) == ([98, 99], None, False)
    assert (woven.b.tokens, woven.b.ends, woven.b.children) == ([100], [1], [woven.d, woven.e])
    assert (woven.b.provenance["first_step"], woven.b.terminal) == (2, True)
    assert head.provenance["seed"] == woven.b.provenance["seed"]
    woven.do(edits.merge(woven.trees, woven.b))
    assert trees.facts([woven.root]) == before, "what one draw gave and a split parted is one draw again"
    woven.undo()
    assert woven.b.parent is head
    woven.undo()
    assert trees.facts([woven.root]) == before


def test_merging_what_a_person_wrote_with_what_a_model_wrote(woven, trees) -> None:
    written = trees.node("W", woven.c)
    written.kind = Kind.WRITTEN
    woven.trees.nodes[written.id] = written
    before = trees.facts([woven.root])
    woven.do(edits.merge(woven.trees, written))
    assert (written.text, written.kind, written.parent) == ("cW", Kind.EDITED, woven.root)
    assert written.provenance["first_step"] == -1
    woven.undo()
    assert trees.facts([woven.root]) == before


def test_texts_that_no_model_has_read_are_merged_as_texts(woven, trees) -> None:
    first, second = Heddle.from_text("one "), Heddle.from_text("two")
    woven.do([edits.enter(woven.trees, woven.a, [first])])
    woven.do([edits.enter(woven.trees, first, [second])])
    below = trees.node("below")
    woven.do([edits.enter(woven.trees, second, [below])])
    before = trees.facts([woven.root])
    change = woven.do(edits.merge(woven.trees, second))
    assert (second.text, second.encoded, second.children) == ("one two", False, [below])
    assert woven.a.children == [second]
    assert second in change.unencoded
    second.set_span([1, 2], "one two", [4, 7])  # the model reads it meanwhile
    woven.undo()
    assert trees.facts([woven.root]) == before
    woven.redo()
    assert second.tokens == [1, 2]


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (lambda w: edits.clip(w.trees, w.root, 1), "prompt"),
        (lambda w: edits.clip(w.trees, w.b, 3), "3 tokens"),
        (lambda w: edits.clip(w.trees, w.b, -3), "delete it"),
        (lambda w: edits.split(w.trees, w.root, 1), "prompt"),
        (lambda w: edits.split(w.trees, w.b, 3), "token 1 to 2, not 3"),
        (lambda w: edits.split(w.trees, w.b, 0), "token 1 to 2, not 0"),
        (lambda w: edits.split(w.trees, w.c, 1), "no place"),
        (lambda w: edits.merge(w.trees, w.root), "root"),
        (lambda w: edits.merge(w.trees, w.a), "prompt"),
        (lambda w: edits.merge(w.trees, w.d), "1 sibling"),
        (lambda w: edits.edit(w.trees, w.b, "x", sibling=False), "below"),
        (lambda w: edits.edit(w.trees, w.a, "one two", sibling=False), "Nothing was changed"),
        (lambda w: edits.edit(w.trees, w.a, "", sibling=False), "delete"),
        (lambda w: edits.make_leaf(w.a), "nothing below"),
        (lambda w: edits.sort(w.trees, w.b, lambda node: node.text), "already"),
        (lambda w: edits.restore(w.trees, w.a, w.b), "not in the trash"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line_and_changes_nothing(woven, trees, refused, why) -> None:
    before = trees.facts([woven.root])
    with pytest.raises(EditError, match=why) as error:
        refused(woven)
    assert "\n" not in str(error.value)
    assert trees.facts([woven.root]) == before
    assert not woven.trees.trash


def test_a_prompt_is_edited_in_its_place_where_nothing_is_below(trees) -> None:
    woven = Woven(trees.loom, trees.node)
    woven.do(edits.make_leaf(woven.root))
    before = trees.facts([woven.root])
    change = woven.do(edits.edit(woven.trees, woven.root, "Sing it.", sibling=False))
    assert (woven.root.user_prompt, woven.root.text, woven.root.encoded) == ("Sing it.", "Sing it.", False)
    assert change.unencoded == [woven.root]
    woven.undo()
    assert trees.facts([woven.root]) == before


def test_a_new_change_leaves_what_was_undone_behind_but_in_the_trash(woven, trees) -> None:
    new = trees.node("new")
    woven.do([edits.enter(woven.trees, woven.a, [new])], "write")
    woven.undo()
    woven.do(edits.bookmark([woven.a], True), "bookmark")
    assert woven.history.redo(Change()) is None
    assert woven.trees.trash[new.id] is new
    woven.do(edits.restore(woven.trees, new, woven.a), "restore")
    assert woven.a.children == [new]


def test_several_edits_as_one_step(woven, trees) -> None:
    before = trees.facts([woven.root])
    with woven.history.one_step("several"):
        woven.do(edits.delete(woven.trees, woven.a))
        woven.do(edits.delete(woven.trees, woven.d))
        woven.do(edits.note(woven.c, "x"))
    assert [step.label for step in woven.history.undoable] == ["several"]
    woven.undo()
    assert trees.facts([woven.root]) == before
    assert woven.c.marks == Marks()
    with woven.history.one_step("nothing"):
        pass
    assert not woven.history.undoable


def test_the_cursor_is_sent_to_where_it_was(woven, trees) -> None:
    new = trees.node("new")
    woven.do([edits.enter(woven.trees, woven.a, [new])])
    assert woven.undo().focus is woven.a
    assert woven.redo().focus is woven.a, "what a model grew came without a move of the cursor"
    woven.do(edits.delete(woven.trees, woven.b))
    assert woven.undo().focus is woven.b
    assert woven.redo().focus is woven.root
    woven.undo()
    woven.do(edits.clip(woven.trees, woven.b, 1))
    assert woven.undo().focus is woven.b
    woven.do(edits.bookmark([woven.a, woven.c], True))
    assert woven.undo().focus is woven.a
    woven.do(edits.delete(woven.trees, woven.root))
    assert woven.undo().focus is woven.root


def test_a_step_that_does_not_fit_any_more_changes_nothing(woven, trees) -> None:
    woven.do([*edits.delete(woven.trees, woven.a), *edits.delete(woven.trees, woven.d)])
    del woven.trees.trash[woven.a.id]
    before = trees.facts([woven.root])
    with pytest.raises(HistoryError):
        woven.history.undo(Change())
    assert trees.facts([woven.root]) == before
    assert len(woven.history.undoable) == 1
    with pytest.raises(HistoryError):
        woven.do([*edits.bookmark([woven.b], True), Order(woven.root.id, (), ())])
    assert trees.facts([woven.root]) == before
    assert woven.b.marks == Marks()
    broken = History(woven.trees, [Step(1, "broken", 0.0, b"nonsense")])
    with pytest.raises(HistoryError):
        broken.undo(Change())


def test_a_branch_that_never_was_is_left_out_of_all_steps(woven, trees) -> None:
    x, y, z = (Heddle.from_span([], name, []) for name in "xyz")
    woven.do([edits.enter(woven.trees, woven.a, [x, y, z])])
    after_y = trees.node("after y")
    woven.do([edits.enter(woven.trees, woven.a, [after_y], 2)])
    woven.do(edits.bookmark([y], True))
    woven.do(edits.sort(woven.trees, woven.a, lambda node: node.text))
    last = trees.node("zz")
    woven.do([edits.enter(woven.trees, woven.a, [last])])
    woven.do(edits.delete(woven.trees, z))
    woven.undo()
    woven.history.forget(y, Change())
    end = [node.text for node in woven.a.children]
    assert end == ["after y", "x", "z", "zz"]
    woven.redo()
    assert [node.text for node in woven.a.children] == ["after y", "x", "zz"]
    while woven.history.undo(Change()) is not None:
        pass
    assert woven.a.children == []
    while woven.history.redo(Change()) is not None:
        pass
    assert [node.text for node in woven.a.children] == ["after y", "x", "zz"]
    assert all(y.id not in json.loads(step.packed)[0] for step in woven.history.undoable)


def test_tokens_of_two_vocabularies_meet_as_text(woven) -> None:
    woven.trees.model = "f"
    woven.do(edits.clip(woven.trees, woven.a, 3))
    woven.a.set_span([7], "one", [3])  # another model has read it since
    woven.trees.fingerprints[woven.a.id] = "g"
    change = woven.undo()
    assert (woven.a.text, woven.a.tokens, woven.a.encoded) == ("one two", [], False)
    assert woven.a in change.unencoded
    woven.redo()
    assert woven.a.text == "one"


def test_many_at_once_are_told_as_one_rearranged_parent(woven) -> None:
    nodes = [Heddle.from_text(str(index)) for index in range(MANY + 1)]
    change = woven.do([edits.enter(woven.trees, woven.a, nodes)])
    assert (change.added, list(change.rearranged.values())) == ([], [woven.a])
    change = woven.undo()
    assert (change.removed, list(change.rearranged.values())) == ([], [woven.a])


def test_a_hundred_thousand_siblings_come_and_go_at_once(woven) -> None:
    """In a time that grows with their number alone: a square of it would never end."""
    nodes = [Heddle.from_text("x") for _ in range(100_000)]
    woven.do([edits.enter(woven.trees, woven.a, nodes)])
    woven.do(edits.make_leaf(woven.a))
    assert not woven.a.children
    woven.undo()
    assert woven.a.children == nodes
