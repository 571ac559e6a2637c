"""The tree widget: what it draws, where its cursor and its scroll stay, and what the mouse does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.app import ComposeResult
from textual.events import MouseScrollDown
from textual.widget import Widget

from n8loom_tui.loom.heddle import Heddle, Kind, Loom
from n8loom_tui.tui.contrast import Readable
from n8loom_tui.tui.widgets.signs import ASCII
from n8loom_tui.tui.widgets.tree import LoomTree, TreeMessage

Maker = Callable[..., Heddle]
Look = Callable[[Widget], list[str]]


class TreeApp(Readable[None]):
    """A tree on a screen of its own; it notes what the tree says."""

    def __init__(self, root: Heddle) -> None:
        super().__init__()
        self.root = root
        self.loom = LoomTree()
        self.told: list[TreeMessage] = []

    def compose(self) -> ComposeResult:
        self.loom.set_roots([self.root])
        yield self.loom

    def on_loom_tree_cursor_moved(self, message: LoomTree.CursorMoved) -> None:
        self.told.append(message)

    def on_loom_tree_fold_changed(self, message: LoomTree.FoldChanged) -> None:
        self.told.append(message)

    def on_loom_tree_activated(self, message: LoomTree.Activated) -> None:
        self.told.append(message)

    def of(self, kind: type[TreeMessage]) -> list[Heddle | None]:
        return [message.node for message in self.told if isinstance(message, kind)]


@pytest.fixture
def wide(node: Maker) -> Loom:
    """A root with a hundred children, each with one of its own."""
    root = Loom(None, None, "root")
    for number in range(100):
        node(f"leaf {number}", node(f"child {number}", root))
    return root


async def test_hostile_texts_are_drawn_harmlessly_at_every_size(hostile_loom: Loom, drawn: Look) -> None:
    app = TreeApp(hostile_loom)
    async with app.run_test(size=(60, 15)) as pilot:
        tree = app.loom
        for streaming in hostile_loom.walk():
            tree.set_streaming(streaming.id, True)
        tree.show_marked({node.id for node in hostile_loom.walk()})
        tree.show_evicted(frozenset(node.id for node in hostile_loom.walk()))
        for size in ((60, 15), (200, 60), (20, 5), (80, 24)):
            await pilot.resize_terminal(*size)
            for go in (tree.go_top, tree.go_bottom, tree.go_parent, lambda: tree.go_rows(-tree.page)):
                go()
                await pilot.pause()
                assert len(drawn(tree)) == size[1]
        tree.fold_all()
        await pilot.pause()
        assert "▸" in drawn(tree)[0]


async def test_cursor_and_scroll_stay_while_branches_stream_in(wide: Loom, node: Maker, drawn: Look) -> None:
    app = TreeApp(wide)
    async with app.run_test(size=(60, 15)) as pilot:
        tree = app.loom
        tree.go_to(wide.children[50])
        tree.go_rows(5)
        await pilot.pause()
        cursor, before = tree.cursor_node, drawn(tree)
        for number in (3, 10, 90):
            parent = wide.children[number]
            branches = [node(f"new {n}", parent) for n in range(4)]
            tree.children_added(parent, branches)
            for branch in branches:
                tree.set_streaming(branch.id, True)
                tree.nodes_changed([branch])
            await pilot.pause()
        assert tree.cursor_node is cursor
        assert drawn(tree) == before
        for child in list(wide.children[3].children):
            wide.children[3].remove_child(child)
            tree.node_removed(child, wide.children[3])
        await pilot.pause()
        assert tree.cursor_node is cursor
        assert drawn(tree) == before


async def test_the_screen_stays_when_the_cursor_is_out_of_sight(wide: Loom, node: Maker, drawn: Look) -> None:
    app = TreeApp(wide)
    async with app.run_test(size=(60, 15)) as pilot:
        tree = app.loom
        tree.scroll_to(y=100, animate=False, force=True)
        await pilot.pause()
        before = drawn(tree)
        assert tree.cursor_node is wide
        tree.children_added(wide.children[3], [node("new", wide.children[3])])
        await pilot.pause()
        assert drawn(tree) == before
        tree.go_rows(1)
        await pilot.pause()
        assert drawn(tree)[0].startswith("├ child 0")


async def test_moves_scroll_no_further_than_needed(wide: Loom, drawn: Look) -> None:
    app = TreeApp(wide)
    async with app.run_test(size=(60, 15)) as pilot:
        tree = app.loom
        tree.go_rows(14)
        await pilot.pause()
        assert tree.scroll_offset.y == 0
        tree.go_rows(1)
        await pilot.pause()
        assert tree.scroll_offset.y == 1
        tree.go_rows(-14)
        await pilot.pause()
        assert tree.scroll_offset.y == 1
        tree.go_bottom()
        await pilot.pause()
        assert "leaf 99" in drawn(tree)[-1]


async def test_a_growing_node_is_drawn_and_a_hidden_one_harms_nothing(wide: Loom, drawn: Look) -> None:
    app = TreeApp(wide)
    async with app.run_test(size=(60, 15)) as pilot:
        tree, seen, hidden = app.loom, wide.children[0], wide.children[99]
        tree.set_streaming(seen.id, True)
        for child in (seen, hidden):
            child.append_token(1, " goes on")
        tree.nodes_changed([hidden, seen])
        await pilot.pause()
        assert drawn(tree)[1].startswith("├ ▍child 0 goes on")
        tree.set_streaming(seen.id, False)
        seen.terminal = True
        tree.nodes_changed([seen])
        await pilot.pause()
        assert drawn(tree)[1].startswith("├ child 0 goes on") and "∎" in drawn(tree)[1]


async def test_of_many_that_grow_the_rows_in_sight_are_drawn_and_no_others(
    wide: Loom, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = TreeApp(wide)
    async with app.run_test(size=(60, 15)) as pilot:
        tree = app.loom
        await pilot.pause()
        lines: list[int] = []
        monkeypatch.setattr(tree, "refresh_line", lines.append)
        for child in (wide.children[0], wide.children[2], wide.children[99]):
            child.append_token(1, " goes on")
        tree.nodes_changed(wide.children)
        grown = [tree.rows.index_of(wide.children[number]) for number in (0, 2)]
        assert lines == grown


async def test_nothing_spins_where_motion_is_not_wanted(wide: Loom, drawn: Look) -> None:
    app = TreeApp(wide)
    app.animation_level = "none"
    async with app.run_test(size=(60, 15)) as pilot:
        tree = app.loom
        tree.set_streaming(wide.id, True)
        await pilot.pause()
        assert "⠿" in drawn(tree)[0]


async def test_the_cursors_row_is_set_off_over_the_full_width(wide: Loom) -> None:
    app = TreeApp(wide)
    async with app.run_test(size=(60, 15)):
        tree = app.loom
        colors = {segment.style.bgcolor for segment in tree.render_line(0) if segment.style and segment.text}
        others = {segment.style.bgcolor for segment in tree.render_line(1) if segment.style and segment.text}
        assert len(colors) == 1 and colors.isdisjoint(others)


async def test_written_and_generated_text_differ_without_colour(node: Maker) -> None:
    root = Loom(None, None, "root")
    node("generated", root)
    node("written", root, Kind.WRITTEN)
    app = TreeApp(root)
    async with app.run_test(size=(60, 15)):

        def italic(line: int) -> bool:
            return any(
                segment.style is not None and segment.style.italic for segment in app.loom.render_line(line)
            )

        assert not italic(1) and italic(2)
        assert "✎" in app.loom.render_line(2).text


async def test_a_click_selects_and_a_click_on_the_guide_or_the_number_folds(wide: Loom, drawn: Look) -> None:
    app = TreeApp(wide)
    async with app.run_test(size=(60, 15)) as pilot:
        tree = app.loom
        app.told.clear()
        await pilot.click(tree, offset=(10, 3))
        assert tree.cursor_node is wide.children[1]
        assert app.of(LoomTree.CursorMoved) == [wide.children[1]]
        await pilot.click(tree, offset=(0, 3))
        assert tree.is_folded(wide.children[1])
        assert drawn(tree)[3].startswith("├ child 1 ▸1")
        await pilot.click(tree, offset=(drawn(tree)[3].index("▸"), 3))
        assert not tree.is_folded(wide.children[1])
        assert app.of(LoomTree.FoldChanged) == [wide.children[1]] * 2
        await pilot.click(tree, offset=(40, 5), times=2)
        assert app.of(LoomTree.Activated) == [wide.children[2]]


async def test_a_click_below_the_rows_does_nothing(node: Maker) -> None:
    app = TreeApp(node("root"))
    async with app.run_test(size=(60, 15)) as pilot:
        app.told.clear()
        await pilot.click(app.loom, offset=(10, 9))
        assert app.told == []


async def test_removing_the_cursors_node_moves_it_and_says_so(wide: Loom) -> None:
    app = TreeApp(wide)
    async with app.run_test(size=(60, 15)) as pilot:
        tree = app.loom
        tree.go_to(wide.children[3])
        victim = wide.remove_child(wide.children[3])
        tree.node_removed(victim, wide)
        await pilot.pause()
        assert tree.cursor_node is wide.children[3]
        assert app.of(LoomTree.CursorMoved)[-1] is wide.children[3]
        wide.to_leaf()
        tree.children_changed(wide)
        await pilot.pause()
        assert tree.cursor_node is wide and len(tree.rows) == 1


async def test_folding_keeps_the_cursor_where_it_is_on_the_screen(wide: Loom, drawn: Look) -> None:
    app = TreeApp(wide)
    async with app.run_test(size=(60, 15)) as pilot:
        tree = app.loom
        tree.go_to(wide.children[50].children[0])
        await pilot.pause()
        tree.fold_all_but_path()
        await pilot.pause()
        assert tree.cursor_node is wide.children[50].children[0]
        assert len(tree.rows) == 102
        assert any("leaf 50" in line for line in drawn(tree))
        tree.go_parent()
        assert tree.fold() and not tree.fold() and tree.toggle()
        tree.fold_all()
        assert tree.cursor_node is wide
        assert tree.go_to(wide.children[70].children[0])
        await pilot.pause()
        assert any("leaf 70" in line for line in drawn(tree))


async def test_the_wheel_scrolls_and_leaves_the_cursor(wide: Loom) -> None:
    app = TreeApp(wide)
    async with app.run_test(size=(60, 15)) as pilot:
        tree = app.loom
        tree.post_message(MouseScrollDown(tree, 5, 5, 0, 0, 0, False, False, False))
        await pilot.pause()
        assert tree.scroll_offset.y > 0 and tree.cursor_node is wide


async def test_keys_are_left_to_the_app(wide: Loom) -> None:
    app = TreeApp(wide)
    async with app.run_test(size=(60, 15)) as pilot:
        app.loom.focus()
        await pilot.press("down", "pagedown", "end", "right")
        assert app.loom.cursor_node is wide and app.loom.scroll_offset.y == 0


async def test_marked_and_evicted_rows_show_it_without_colour(wide: Loom, drawn: Look) -> None:
    app = TreeApp(wide)
    async with app.run_test(size=(60, 15)) as pilot:
        tree = app.loom
        marked: set[str] = {wide.children[0].id}
        tree.show_marked(marked)
        tree.show_evicted(frozenset({wide.children[1].id}))
        await pilot.pause()
        lines = drawn(tree)
        assert lines[1].startswith("├ ✓ child 0") and lines[3].startswith("├ child 1 ")
        assert lines[3].rstrip().endswith("◌") and "◌" not in lines[1]
        tree.signs = ASCII
        tree.refresh()
        await pilot.pause()
        assert "x child 0" in drawn(tree)[1] and drawn(tree)[3].rstrip().endswith(".")


async def test_hoisting_shows_a_part_and_follows_what_happens_outside(wide: Loom, drawn: Look) -> None:
    app = TreeApp(wide)
    async with app.run_test(size=(60, 15)) as pilot:
        tree = app.loom
        child = wide.children[50]
        assert not tree.hoist(wide) and not tree.unhoist()
        tree.go_to(child)
        await pilot.pause()
        before = drawn(tree)
        assert tree.hoist() and not tree.hoist()
        await pilot.pause()
        assert [line.strip() for line in drawn(tree)[:3]] == ["● child 50", "└ leaf 50", ""]
        other = wide.remove_child(wide.children[3])
        tree.node_removed(other, wide)
        assert tree.hoisted == [child] and len(tree.rows) == 2
        assert not tree.go_to(other), "it is in no tree"
        assert tree.hoisted == [child]
        wide.children.insert(3, other)
        other.parent = wide
        tree.children_added(wide, [other])
        assert tree.unhoist()
        await pilot.pause()
        assert drawn(tree) == before, "nothing has moved on the screen"
        tree.hoist()
        tree.go_to(wide.children[70])
        assert tree.hoisted == [] and tree.cursor_node is wide.children[70]
        tree.hoist()
        wide.to_leaf()
        tree.children_changed(wide)
        assert tree.hoisted == [] and tree.cursor_node is wide
