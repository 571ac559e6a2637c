"""Marked nodes: one action on all of them, one step of the history. Each through its key, in every keymap."""

from __future__ import annotations

from pathlib import Path

from support.fake_backend import FakeBackend
from support.hand import facts
from support.keys import KEYMAPS, answer, free, key
from support.rig import Launcher, Rig

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.protocol import Ramify


async def grow(rig: Rig) -> None:
    """Three children of the root, two of the first of them; the cursor on the root."""
    await rig.ready()
    await key(rig, "ramify", 3)
    await rig.grown()
    await key(rig, "row_down")
    await key(rig, "ramify", 2)
    await rig.grown()
    await key(rig, "top")


def marked(rig: Rig) -> list[Heddle]:
    return rig.app.marked_nodes()


def ramified(backend: FakeBackend) -> list[Ramify]:
    return [request for request in backend.submitted if isinstance(request, Ramify)]


@KEYMAPS
async def test_marking_by_hand_shows_and_goes_down(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await grow(rig)
        await key(rig, "row_down")
        await key(rig, "mark", 2)
        first, second, third = rig.root.children
        assert marked(rig) == [first, first.children[0]]
        assert rig.current is first.children[1]
        assert sum("✓" in line for line in rig.texts()) == 2
        await key(rig, "row_down")
        assert "2 marked" in rig.app.view.state_bar.left
        await key(rig, "bottom")
        await key(rig, "mark", 3)
        assert (marked(rig)[-1], rig.current) == (third, third)
        await key(rig, "mark")
        assert second not in marked(rig) and third not in marked(rig)
        await key(rig, "unmark_all")
        assert marked(rig) == [] and not any("✓" in line for line in rig.texts())
        await key(rig, "unmark_all")
        await key(rig, "mark")
        await rig.press("escape")
        assert marked(rig) == [], "escape drops the marks where nothing grows"


@KEYMAPS
async def test_marking_all_of_a_kind(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await grow(rig)
        first, second, third = rig.root.children
        await key(rig, "mark_leaves")
        assert marked(rig) == [*first.children, second, third]
        await key(rig, "unmark_all")
        await key(rig, "mark_children")
        assert marked(rig) == rig.root.children
        await key(rig, "bookmark")
        assert all(child.marks.bookmark for child in rig.root.children)
        await key(rig, "unmark_all")
        await key(rig, "mark_bookmarked")
        assert marked(rig) == rig.root.children
        await key(rig, "bookmark")
        assert not any(node.marks.bookmark for node in rig.app.document.in_order())
        await key(rig, "undo", 2)
        assert not any(node.marks.bookmark for node in rig.app.document.in_order())
        await key(rig, "unmark_all")
        await key(rig, "mark_hits")
        await answer(rig, "ONCE")
        assert marked(rig) == [rig.root]
        await key(rig, "mark_hits")
        await answer(rig, "nobody says this")
        assert marked(rig) == [rig.root]


async def test_growing_from_a_set_is_one_batch_and_one_step(launch: Launcher) -> None:
    backend = free()
    async with launch(backend) as rig:
        await grow(rig)
        before = facts(rig.app.document)
        first, second, third = rig.root.children
        await key(rig, "mark")
        await key(rig, "bottom")
        await key(rig, "mark")
        await key(rig, "ramify", 2)
        await rig.grown()
        assert [len(node.children) for node in (rig.root, third)] == [5, 2]
        assert len(ramified(backend)[-1].sources) == 2
        await key(rig, "undo")
        assert facts(rig.app.document) == before
        await key(rig, "continue_one")
        await rig.grown()
        assert [len(node.children) for node in (rig.root, third)] == [4, 1]
        await key(rig, "undo")
        await key(rig, "ramify_leaves", 1)
        await rig.grown()
        leaves = [*first.children, second, third]
        assert [len(node.children) for node in leaves] == [1] * 4, (
            "each leaf once, though it is below two of the set"
        )
        await key(rig, "undo")
        assert facts(rig.app.document) == before


@KEYMAPS
async def test_taking_a_set_away_counts_what_is_nested_once(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await grow(rig)
        before = facts(rig.app.document)
        first, second, third = rig.root.children
        await key(rig, "row_down")
        await key(rig, "mark", 2)  # the first child, and one below it
        await key(rig, "bottom")
        await key(rig, "mark")
        await key(rig, "delete")
        assert rig.root.children == [second]
        assert "deleted 4 nodes" in rig.app.view.state_bar.left
        assert "marked" not in rig.app.view.state_bar.left.replace("unmarked", "")
        await key(rig, "undo")
        assert facts(rig.app.document) == before
        assert marked(rig) == [first, first.children[0], third]
        await key(rig, "make_leaf")
        assert first.children == [] and rig.root.children == [first, second, third]
        await key(rig, "undo")
        assert facts(rig.app.document) == before


async def test_cutting_a_set(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await grow(rig)
        before = facts(rig.app.document)
        await key(rig, "mark_children")
        await key(rig, "trim", 2)
        assert [child.text for child in rig.root.children] == [" the flood"] * 3
        assert "trimmed 3 nodes" in rig.app.view.state_bar.left
        assert not rig.root.children[0].children
        await key(rig, "undo")
        assert facts(rig.app.document) == before
        await key(rig, "top")
        await key(rig, "mark")  # the root, which is never cut
        await key(rig, "clip", 1)
        assert [child.text for child in rig.root.children] == [" the"] * 3
        assert "clipped 3 nodes, 1 not" in rig.app.view.state_bar.left
        await key(rig, "undo")
        await key(rig, "clip")
        await answer(rig, "3")
        assert [child.text for child in rig.root.children] == [" the flood came"] * 3
        await key(rig, "undo")
        assert facts(rig.app.document) == before


async def test_tagging_a_set_keeps_the_tags_there_are(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await grow(rig)
        first, second, third = rig.root.children
        await key(rig, "row_down")
        await key(rig, "tag")
        await answer(rig, "old dull")
        await key(rig, "top")
        await key(rig, "mark_children")
        await key(rig, "tag")
        await answer(rig, "#good -dull")
        assert [child.marks.tags for child in (first, second, third)] == [
            ("old", "good"),
            ("good",),
            ("good",),
        ]
        await key(rig, "undo")
        assert [child.marks.tags for child in (first, second, third)] == [("old", "dull"), (), ()]


async def test_marks_are_not_stored(launch: Launcher, tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    async with launch(free(), session=path) as rig:
        await grow(rig)
        await key(rig, "mark_children")
        await rig.press("q")
    async with launch(free(), session=path, prompt=None) as rig:
        await rig.until(lambda: rig.app.document.roots)
        assert marked(rig) == []


@KEYMAPS
async def test_duplicates_go_and_siblings_are_sorted(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await grow(rig)
        before = facts(rig.app.document)
        first, second, third = rig.root.children
        await key(rig, "bottom")
        await key(rig, "bookmark")
        await key(rig, "top")
        await key(rig, "remove_duplicates")
        assert rig.root.children == [first, third], "what has children, and what has a mark, stays"
        assert len(first.children) == 1
        assert "removed 2 nodes" in rig.app.view.state_bar.left
        await key(rig, "remove_duplicates")
        await key(rig, "undo", 2)
        assert facts(rig.app.document) == before
        await key(rig, "top")
        for age, (child, logprob) in enumerate(((first, -3.0), (second, -1.0), (third, -2.0))):
            child.created = -float(age)
            assert child.odds is not None
            child.odds = type(child.odds).of([logprob] * len(child.tokens))
        await key(rig, "sort_by_probability")
        assert rig.root.children == [second, third, first]
        assert rig.current is rig.root
        await key(rig, "sort_by_age")
        assert rig.root.children == [third, second, first]
        await key(rig, "sort_by_age")
        await key(rig, "undo", 2)
        assert rig.root.children == [first, second, third]


async def test_the_hits_of_the_search_are_marked(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await grow(rig)
        await key(rig, "search")
        await rig.press(*"flood", "enter")
        await rig.until(lambda: not rig.app.view.finder.searching)
        await key(rig, "mark_hits")
        assert marked(rig) == [node for node in rig.root.walk() if "flood" in node.text]
        assert len(marked(rig)) == 5


@KEYMAPS
async def test_very_much_growth_is_asked_for_twice(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap, max_tokens=1) as rig:
        await rig.ready()
        await key(rig, "ramify", 201)
        await rig.grown()
        await key(rig, "ramify_leaves", 2)
        assert "This grows 402 branches; press again" in rig.app.view.state_bar.left
        assert len(rig.app.document.nodes) == 202
        await key(rig, "row_down")
        await key(rig, "top")
        await key(rig, "ramify_leaves", 2)
        assert len(rig.app.document.nodes) == 202, "something else was done meanwhile"
        await key(rig, "ramify_leaves", 1)
        assert len(rig.app.document.nodes) == 202, "that is not what was asked"
        await key(rig, "ramify_leaves", 1)
        assert len(rig.app.document.nodes) == 202 + 201
        await rig.grown()
        await key(rig, "ramify_leaves", 1)
        assert len(rig.app.document.nodes) == 202 + 201, "each time"


@KEYMAPS
async def test_leaving_a_search_keeps_the_marks(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await grow(rig)
        await key(rig, "mark")
        await key(rig, "search")
        await rig.press("f", "l", "escape", "escape")
        assert len(marked(rig)) == 1 and rig.app.finder.query is None
        await key(rig, "stop")
        assert not marked(rig)
        await key(rig, "mark")
        await key(rig, "search")
        await rig.press("f", "l", "enter")
        await key(rig, "stop")
        await key(rig, "stop")
        assert len(marked(rig)) == 1 and rig.app.finder.query is None
        await key(rig, "row_up")
        await key(rig, "stop")
        assert not marked(rig), "the search is long over"
