"""A part of the tree shown as if it were all of it; leaps over rows. Each through its key."""

from __future__ import annotations

from pathlib import Path

from support.keys import KEYMAPS, free, key, write
from support.rig import Launcher, Rig


async def grow(rig: Rig) -> None:
    """Two children of the root, two of each of these; the cursor on the root."""
    await rig.ready()
    await key(rig, "ramify", 2)
    await rig.grown()
    await key(rig, "ramify_leaves", 2)
    await rig.grown()


def rows(rig: Rig) -> list[object]:
    tree = rig.app.view.tree_view.rows
    return [tree.node_at(index) for index in range(len(tree))]


@KEYMAPS
async def test_hoisting_level_by_level_and_back(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await grow(rig)
        first = rig.root.children[0]
        await key(rig, "hoist")
        assert len(rows(rig)) == 7, "the only root is shown as it is"
        await key(rig, "row_down")
        await key(rig, "hoist")
        assert rows(rig) == [first, *first.children]
        assert rig.current is first
        assert "hoisted: the flood came and" in rig.app.view.title_bar.left
        assert rig.app.view.reader.node is first
        assert "Once" in rig.app.view.reader.render_line(0).text, "the path is still all there"
        await key(rig, "row_down")
        inner = rig.current
        await key(rig, "ramify", 2)
        await rig.grown()
        await key(rig, "hoist")
        assert rows(rig) == [inner, *inner.children]
        assert "(2 levels)" in rig.app.view.title_bar.left
        await key(rig, "unhoist")
        assert rows(rig) == [first, inner, *inner.children, first.children[1]]
        assert rig.current is inner
        await key(rig, "unhoist")
        assert len(rows(rig)) == 9
        assert "hoisted" not in rig.app.view.title_bar.left
        await key(rig, "unhoist")
        assert rig.app.is_running


async def test_edits_go_on_below_what_is_hoisted(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await grow(rig)
        first = rig.root.children[0]
        await key(rig, "row_down")
        await key(rig, "hoist")
        await key(rig, "add_text")
        await write(rig, "more")
        assert rows(rig) == [first, *first.children] and rig.current is first.children[2]
        await key(rig, "delete")
        await key(rig, "undo")
        assert rows(rig) == [first, *first.children] and rig.current is first.children[2]
        await key(rig, "fold_all")
        assert rows(rig) == [first]
        await key(rig, "unfold_all")
        assert rows(rig) == [first, *first.children]


async def test_what_happens_outside_brings_all_of_it_back(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await grow(rig)
        first, second = rig.root.children
        await key(rig, "bottom")
        await key(rig, "trim")
        await key(rig, "top")
        await key(rig, "row_down")
        await key(rig, "hoist")
        await key(rig, "undo")
        assert rig.current is second.children[1], "undo goes to where it happened"
        assert len(rows(rig)) == 7
        await key(rig, "top")
        await key(rig, "row_down")
        await key(rig, "hoist")
        await key(rig, "row_down")
        await key(rig, "hoist")
        await key(rig, "delete")
        assert rows(rig) == [first, *first.children], "what was hoisted is gone: one level back"
        assert rig.current is first
        await key(rig, "delete")
        assert rows(rig) == [rig.root, second, *second.children]
        assert rig.current is rig.root
        await key(rig, "undo", 2)
        assert rows(rig) == [rig.root, first, *first.children, second, *second.children]


async def test_splitting_what_is_hoisted(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await grow(rig)
        await key(rig, "row_down")
        node = rig.current
        await key(rig, "hoist")
        await key(rig, "split", 1)
        assert node.parent is rig.root.children[0]
        assert rig.current is rig.root.children[0] and len(rows(rig)) == 8
        await key(rig, "undo")
        assert rig.root.children[0] is node and len(rows(rig)) == 7


async def test_a_restart_keeps_what_is_hoisted_and_the_child_visited_last(
    launch: Launcher, tmp_path: Path
) -> None:
    path = tmp_path / "a.loom"
    async with launch(free(), session=path) as rig:
        await grow(rig)
        await key(rig, "bottom")
        await key(rig, "parent")
        await key(rig, "hoist")
        hoisted = rig.current.id
        await rig.press("q")
    async with launch(free(), session=path, prompt=None) as rig:
        await rig.until(lambda: rig.app.view.tree_view.hoisted)
        second = rig.root.children[1]
        assert rows(rig) == [second, *second.children] and second.id == hoisted
        await key(rig, "child")
        assert rig.current is second.children[1]
        await key(rig, "unhoist")
        await key(rig, "top")
        await key(rig, "child")
        assert rig.current is second


@KEYMAPS
async def test_leaps(launch: Launcher, keymap: str) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await grow(rig)
        first, second = rig.root.children
        leaves = [*first.children, *second.children]
        await key(rig, "next_leaf")
        assert rig.current is leaves[0]
        await key(rig, "next_leaf", 2)
        assert rig.current is leaves[2]
        await key(rig, "previous_leaf")
        assert rig.current is leaves[1]
        await key(rig, "previous_leaf", 2)
        assert rig.current is leaves[3], "behind the first one comes the last"
        await key(rig, "next_unread")
        assert rig.current is first, "the leaves that were stood on have been read"
        await key(rig, "next_unread")
        assert rig.current is second
        await key(rig, "previous_unread")
        assert rig.current is second and not rig.app.document.trees.unread
        await key(rig, "bookmark")
        await key(rig, "next_leaf")
        await key(rig, "bookmark")
        await key(rig, "fold_all")
        assert rows(rig) == [rig.root]
        await key(rig, "next_bookmark")
        assert rig.current is second, "what is folded away is found, too"
        await key(rig, "previous_bookmark")
        assert rig.current is leaves[2]
        await key(rig, "top")
        await key(rig, "next_bookmark", 3)
        assert rig.current is second


async def test_leaps_stay_within_what_is_hoisted(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await grow(rig)
        first = rig.root.children[0]
        await key(rig, "bottom")
        await key(rig, "bookmark")
        await key(rig, "top")
        await key(rig, "row_down")
        await key(rig, "hoist")
        await key(rig, "next_bookmark")
        assert rig.current is first and len(rows(rig)) == 3
        await key(rig, "next_leaf", 3)
        assert rig.current is first.children[0]


async def test_what_was_evicted_shows_it(launch: Launcher) -> None:
    backend = free()
    async with launch(backend) as rig:
        await grow(rig)
        assert not any("◌" in line for line in rig.texts())
        backend.evicted = frozenset({rig.root.children[0].id})
        await key(rig, "row_down")
        await key(rig, "continue_one")
        await rig.until(lambda: any("◌" in line for line in rig.texts()))
        assert sum("◌" in line for line in rig.texts()) == 1
