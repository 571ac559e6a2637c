"""Finding, comparing and the map in the app, each through its key, in every keymap that is shipped."""

from __future__ import annotations

from pathlib import Path

from support.fake_backend import FakeBackend
from support.keys import KEYMAPS, key
from support.rig import Launcher, Rig

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.screens.compare import CompareScreen
from n8loom_tui.tui.screens.fuzzy import FuzzyScreen
from n8loom_tui.tui.screens.loom import LoomScreen
from n8loom_tui.tui.screens.map import MapScreen
from n8loom_tui.tui.widgets.bars import Bar
from n8loom_tui.tui.widgets.diff_view import DiffView
from n8loom_tui.tui.widgets.pick_list import PickList

TEXTS = (" the flood came", " over the wall", " a flood of words", " nothing more")


async def planted(rig: Rig) -> list[Heddle]:
    """A tree: the root has the first two texts as children, the others hang below the first of them."""
    await rig.ready()
    app, nodes = rig.app, []
    for number, text in enumerate(TEXTS):
        parent = rig.root if number < 2 else nodes[0]
        change = app.document.add_text(parent, text)
        app.show(change)
        assert change.focus is not None
        nodes.append(change.focus)
    await rig.ready()
    return nodes


def rows_with(rig: Rig, sign: str) -> int:
    return sum(sign in line for line in rig.texts())


@KEYMAPS
async def test_search_is_live_and_its_hits_are_walked(launch: Launcher, keymap: str) -> None:
    async with launch(keymap=keymap) as rig:
        nodes = await planted(rig)
        await key(rig, "next_hit")
        assert rig.current is rig.root, "nothing is searched for yet"
        await key(rig, "search")
        await rig.press(*"flo")
        assert rig.current is nodes[0]
        assert rig.app.view.hits_text() == "1/2"
        await rig.press("down")
        assert rig.current is nodes[2]
        await rig.press(*"od ", "o", "f")
        assert rig.current is nodes[2]
        assert rig.app.view.hits_text() == "1/1"
        await rig.press("backspace", "backspace", "backspace")
        assert rig.app.view.hits_text() == "1/2", "as one types it goes by where one came from"
        assert rig.current is nodes[0]
        await rig.press("enter")
        assert "/flood 1/2" in rig.app.view.state_bar.left
        assert rows_with(rig, "◆") == 2
        assert rig.app.finder.hits() == [nodes[0], nodes[2]]
        await key(rig, "fold")
        await key(rig, "next_hit")
        assert rig.current is nodes[2], "a hidden hit is revealed"
        await key(rig, "next_hit")
        assert rig.current is nodes[0], "and round"
        await rig.press("3")
        await key(rig, "previous_hit")
        assert rig.current is nodes[2]
        assert "/flood 2/2" in rig.app.view.state_bar.left
        await key(rig, "stop")
        assert rows_with(rig, "◆") == 0
        assert rig.app.finder.hits() == []


@KEYMAPS
async def test_escape_goes_back_to_where_the_search_began(launch: Launcher, keymap: str) -> None:
    async with launch(keymap=keymap) as rig:
        nodes = await planted(rig)
        await key(rig, "fold")
        await key(rig, "search")
        await rig.press(*"words")
        assert rig.current is nodes[2]
        await rig.press("escape")
        assert rig.current is rig.root
        assert rig.app.view.tree_view.is_folded(rig.root)
        assert not rig.app.view.is_searching
        await key(rig, "search")
        await rig.press(*"wall", "enter")
        assert rig.current is nodes[1]
        await key(rig, "search")
        await rig.press(*"nowhere")
        assert rig.app.view.hits_text() == "not found"
        assert rig.current is nodes[1]
        await rig.press("escape")
        assert rig.app.finder.hits() == [nodes[1]], "what was searched for before is again"
        await key(rig, "search")
        await rig.press("enter")
        assert rig.app.finder.query is None, "searching for nothing ends the search"


async def test_capitals_count_only_if_one_is_typed_and_texts_are_found_across_nodes(launch: Launcher) -> None:
    async with launch() as rig:
        nodes = await planted(rig)
        await rig.press("slash", *"came a fl", "enter")
        assert rig.current is nodes[2], "“came” and “ a flood” stand in two nodes: it counts where it ends"
        await rig.press("slash", *"Flood", "enter")
        assert rig.app.view.hits_text() == "not found"
        await rig.press("n")
        assert rig.app.is_running


async def test_hits_are_set_off_in_tree_and_reader(launch: Launcher) -> None:
    async with launch(size=(100, 20)) as rig:
        await planted(rig)
        await rig.press("slash", *"came a flood", "enter")
        reader = rig.app.view.reader
        lit = [
            segment.text
            for y in range(reader.size.height)
            for segment in reader.render_line(y)
            if segment.style is not None and segment.style.underline
        ]
        assert "".join(lit) == "came a flood", "over the border of two nodes"
        await rig.press("slash", *"flood", "enter")
        tree = rig.app.view.tree_view
        lit = [
            segment.text
            for y in range(tree.size.height)
            for segment in tree.render_line(y)
            if segment.style is not None and segment.style.underline
        ]
        assert lit == ["flood", "flood"]


async def test_hits_follow_what_grows_and_what_is_deleted(launch: Launcher) -> None:
    backend = FakeBackend()
    async with launch(backend, n=2) as rig:
        await rig.ready()
        await rig.press("slash", *"came", "enter")
        await rig.press("space")
        backend.free()
        await rig.grown()
        assert rig.app.finder.hits() == rig.root.children
        await rig.press("n", "d", "n")
        assert rig.app.finder.hits() == rig.root.children == [rig.current]


@KEYMAPS
async def test_fuzzy_jump(launch: Launcher, keymap: str) -> None:
    async with launch(keymap=keymap) as rig:
        nodes = await planted(rig)
        rig.app.show(rig.app.document.tag([nodes[3]], ("ending",)))
        await key(rig, "fuzzy_jump")
        screen = rig.app.screen
        assert isinstance(screen, FuzzyScreen)
        assert screen.query_one(PickList).node is nodes[3], (
            "what is marked is listed before anything is typed"
        )
        await rig.press(*"wrds")
        assert screen.query_one(PickList).node is nodes[2]
        await rig.press("enter")
        assert rig.current is nodes[2]
        await key(rig, "fuzzy_jump")
        await rig.press(*"#end", "enter")
        assert rig.current is nodes[3]
        await key(rig, "jump_back")
        assert rig.current is nodes[2]
        await key(rig, "fuzzy_jump")
        await rig.press(*"zzz", "enter")
        assert rig.current is nodes[2]
        await key(rig, "fuzzy_jump")
        await rig.press(*"flood", "down", "escape")
        assert rig.current is nodes[2]


@KEYMAPS
async def test_back_and_forward_over_leaps_but_not_over_steps(launch: Launcher, keymap: str) -> None:
    async with launch(keymap=keymap) as rig:
        nodes = await planted(rig)
        await key(rig, "jump_back")
        assert rig.current is rig.root, "one has been nowhere yet"
        await key(rig, "row_down")
        await key(rig, "bottom")
        assert rig.current is nodes[1]
        await key(rig, "search")
        await rig.press(*"words", "enter")
        await key(rig, "top")
        await key(rig, "jump_back")
        assert rig.current is nodes[2]
        await key(rig, "jump_back")
        assert rig.current is nodes[1]
        await key(rig, "jump_back")
        assert rig.current is nodes[0]
        await rig.press("2")
        await key(rig, "jump_forward")
        assert rig.current is nodes[2]
        rig.app.show(rig.app.document.delete(nodes[1]))
        await key(rig, "jump_back")
        assert rig.current is nodes[0], "what was deleted is passed over"


@KEYMAPS
async def test_letters_mark_nodes_and_survive_a_restart(
    launch: Launcher, tmp_path: Path, keymap: str
) -> None:
    path = tmp_path / "a.loom"
    async with launch(keymap=keymap, session=path) as rig:
        nodes = await planted(rig)
        await key(rig, "bottom")
        await key(rig, "set_letter")
        await rig.press("d")
        assert len(rig.root.children) == 2, "d is a letter here, whatever it does elsewhere"
        assert rows_with(rig, "'d") == 1
        await key(rig, "top")
        await key(rig, "set_letter")
        await rig.press("D")
        await key(rig, "go_letter")
        await rig.press("d")
        assert rig.current is nodes[1]
        await key(rig, "go_letter")
        await rig.press("D")
        assert rig.current is rig.root, "capital and small letters differ"
        await key(rig, "jump_back")
        assert rig.current is nodes[1]
        for nothing in ("escape", "x", "!", "f5"):
            await key(rig, "go_letter")
            await rig.press(nothing)
        assert rig.current is nodes[1]
        assert nodes[1].text == TEXTS[1]
        await key(rig, "quit")
    async with launch(keymap=keymap, session=path, prompt=None) as rig:
        await rig.until(lambda: rig.app.document.roots)
        await key(rig, "top")
        await key(rig, "go_letter")
        await rig.press("d")
        assert rig.current.text == TEXTS[1]
        await key(rig, "set_letter")
        await rig.press("d")
        assert rows_with(rig, "'d") == 0, "once more takes it away"
        await key(rig, "delete")
        await key(rig, "go_letter")
        await rig.press("d")
        assert rig.current.text != TEXTS[1]


def diff(rig: Rig) -> str:
    view = rig.app.screen.query_one(DiffView)
    return "\n".join(view.render_line(y).text for y in range(view.size.height))


@KEYMAPS
async def test_two_nodes_are_compared(launch: Launcher, keymap: str) -> None:
    async with launch(keymap=keymap, size=(120, 30)) as rig:
        nodes = await planted(rig)
        await key(rig, "bottom")
        await key(rig, "compare")
        assert rows_with(rig, "=") == 1
        await key(rig, "top")
        await key(rig, "row_down")
        await key(rig, "compare")
        assert isinstance(rig.app.screen, CompareScreen)
        assert "over the wall" in diff(rig) and "the flood came" in diff(rig)
        assert "[-" not in diff(rig), "side by side"
        await key(rig, "compare")
        assert "[-" in diff(rig) and "{+" in diff(rig), "in one text"
        await key(rig, "next_pane")
        await key(rig, "continue_one")
        assert rig.current is nodes[1]
        await key(rig, "jump_back")
        assert rig.current is nodes[0]
        await key(rig, "compare")
        await key(rig, "compare")
        assert isinstance(rig.app.screen, CompareScreen), "with its sibling"
        await key(rig, "stop")
        assert isinstance(rig.app.screen, LoomScreen)
        assert rig.current is nodes[0]


@KEYMAPS
async def test_two_marked_nodes_are_compared_wherever_one_stands(launch: Launcher, keymap: str) -> None:
    async with launch(keymap=keymap, size=(120, 30)) as rig:
        nodes = await planted(rig)
        for node in nodes[2:]:
            rig.app.view.go_to(node)
            await key(rig, "mark")
        await key(rig, "top")
        await key(rig, "compare")
        assert isinstance(rig.app.screen, CompareScreen)
        assert "a flood of words" in diff(rig) and "nothing more" in diff(rig)
        await key(rig, "stop")
        assert rig.current is rig.root


async def test_a_long_comparison_scrolls_to_what_differs(launch: Launcher) -> None:
    async with launch(size=(60, 15)) as rig:
        await rig.ready()
        words = " ".join(f"word{number}" for number in range(900))
        for text in (words, words.replace("word700 ", "else "), "short"):
            rig.app.show_there(rig.app.document.add_text(rig.root, text))
        await rig.ready()
        await rig.press("K", "equals_sign", "K", "equals_sign")
        screen = rig.app.screen
        assert isinstance(screen, CompareScreen)
        await rig.until(lambda: screen.query_one(DiffView).comparison is not None)
        await rig.pilot.pause()
        assert "else" not in diff(rig)
        await rig.press("n")
        assert "{+" in diff(rig) and "[-" in diff(rig), "on a narrow screen in one text"
        await rig.press("home", "pagedown", "pagedown", "end", "up", "N", "j", "pageup")
        await rig.press("q")
        assert rig.app.screen is rig.app.view


async def test_hits_show_while_branches_grow(launch: Launcher) -> None:
    backend = FakeBackend()
    async with launch(backend) as rig:
        await rig.ready()
        await rig.press("space", "/", *"flood", "enter")
        signs = rig.app.view.tree_view.signs
        assert not any(signs.hit in line for line in rig.texts())
        assert "/flood not found" in rig.app.view.state_bar.left
        backend.grant(2)
        await rig.until(lambda: sum(signs.hit in line for line in rig.texts()) == 3)
        await rig.until(lambda: "/flood –/3" in rig.app.view.state_bar.left)
        await rig.press("n", "n")
        assert rig.current is rig.root.children[1]
        assert "/flood 2/3" in rig.app.view.state_bar.left


@KEYMAPS
async def test_the_map_is_moved_in_and_left_for_a_node(launch: Launcher, keymap: str) -> None:
    async with launch(keymap=keymap, size=(100, 24)) as rig:
        nodes = await planted(rig)
        await key(rig, "map")
        screen = rig.app.screen
        assert isinstance(screen, MapScreen)
        await key(rig, "row_down")
        await key(rig, "row_down")
        await key(rig, "child")
        await key(rig, "continue_one")
        assert rig.current is nodes[3]
        await key(rig, "jump_back")
        assert rig.current is rig.root
        await key(rig, "map")
        await key(rig, "bottom")
        await key(rig, "row_up")
        await key(rig, "unfold")
        await key(rig, "child")
        await key(rig, "page_up")
        await key(rig, "fold")
        await key(rig, "top")
        await key(rig, "stop")
        assert rig.current is rig.root, "nothing came of it"
        assert rig.app.screen is rig.app.view


async def test_the_map_counts_one_leaf(launch: Launcher) -> None:
    async with launch() as rig:
        await rig.ready()
        await rig.press("M")
        assert rig.app.screen.query_one("#map-title", Bar).right == "1 node · 1 leaf"


async def test_the_map_follows_what_grows(launch: Launcher) -> None:
    backend = FakeBackend()
    async with launch(backend, max_tokens=3) as rig:
        await rig.ready()
        await rig.press("space", "M")
        screen = rig.app.screen
        assert isinstance(screen, MapScreen)
        backend.grant(2)

        def drawn() -> str:
            view = screen.query_one("#map")
            return "\n".join(view.render_line(y).text for y in range(view.size.height))

        await rig.until(lambda: drawn().count("▍ the flood") == 3)
        backend.free()
        await rig.until(lambda: drawn().count("▍") == 0)
        rig.app.show(rig.app.document.delete(rig.root.children[1]))
        await rig.until(lambda: drawn().count("the flood") == 2)
        rig.app.show(rig.app.document.delete(rig.root))
        await rig.until(lambda: drawn().count("the flood") == 0)
        await rig.press("down", "right", "plus", "pagedown", "enter")
        assert rig.app.screen is rig.app.view
