"""The preview of a node's children: a line or a few for each, the live end of those that stream."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.widget import Widget

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.tui.contrast import Readable
from n8loom_tui.tui.widgets.children import ChildrenPreview

Maker = Callable[..., Heddle]
Look = Callable[[Widget], list[str]]


class PreviewApp(Readable[None]):
    def __init__(self) -> None:
        super().__init__()
        self.preview = ChildrenPreview("No branches yet.")
        self.chosen: list[Heddle] = []

    def compose(self) -> ComposeResult:
        yield self.preview

    def on_children_preview_chosen(self, message: ChildrenPreview.Chosen) -> None:
        self.chosen.append(message.node)


def family(node: Maker, count: int) -> Heddle:
    root = Loom(None, None, "root")
    for number in range(1, count + 1):
        node(f" child {number} " + "goes on " * 60, root)
    return root


async def test_children_are_numbered_and_cut_with_a_mark(node: Maker, drawn: Look) -> None:
    app = PreviewApp()
    async with app.run_test(size=(40, 6)) as pilot:
        app.preview.show_children(family(node, 3))
        await pilot.pause()
        lines = drawn(app.preview)
        assert [line[:10].rstrip() for line in lines[::2]] == ["1 child 1", "2 child 2", "3 child 3"]
        assert all(line.rstrip().endswith("…") for line in lines[1::2])


async def test_what_does_not_fit_is_counted(node: Maker, drawn: Look) -> None:
    app = PreviewApp()
    async with app.run_test(size=(40, 6)) as pilot:
        app.preview.show_children(family(node, 32))
        await pilot.pause()
        lines = drawn(app.preview)
        assert lines[0].startswith(" 1 child 1") and lines[4].startswith(" 5 child 5")
        assert lines[5].rstrip() == "… 27 more"


async def test_a_stream_shows_its_end_and_then_its_beginning(node: Maker, drawn: Look) -> None:
    app = PreviewApp()
    async with app.run_test(size=(40, 4)) as pilot:
        root = family(node, 4)
        child = root.children[1]
        app.preview.show_children(root, {child.id})
        for number in range(50):
            child.append_token(number, f" tok{number}")
            app.preview.nodes_grew([child])
            await pilot.pause()
            line = drawn(app.preview)[1]
            assert line.startswith("2 …") and line.rstrip().endswith(f"tok{number}▌")
        app.preview.set_streaming(child.id, False)
        await pilot.pause()
        assert drawn(app.preview)[1].startswith("2 child 2")


async def test_streams_that_grow_together_are_drawn_together(node: Maker) -> None:
    app = PreviewApp()
    async with app.run_test(size=(40, 6)) as pilot:
        root = family(node, 3)
        app.preview.show_children(root, {child.id for child in root.children})
        await pilot.pause()
        for word, child in zip(("one", "two", "three"), root.children, strict=True):
            child.append_token(1, f" {word}▪")
        app.preview.nodes_grew([root, *root.children[:2]])
        await pilot.pause()
        shown = "".join(line.text for line in app.screen._compositor.render_strips())
        assert "one▪" in shown and "two▪" in shown and "three▪" not in shown


async def test_nodes_without_children_say_so(node: Maker, drawn: Look) -> None:
    app = PreviewApp()
    async with app.run_test(size=(40, 4)) as pilot:
        for shown in (None, node("leaf")):
            app.preview.show_children(shown)
            await pilot.pause()
            assert drawn(app.preview)[0].rstrip() == "No branches yet."


async def test_hostile_texts_are_drawn_harmlessly(hostile_loom: Loom, drawn: Look) -> None:
    app = PreviewApp()
    async with app.run_test(size=(60, 15)) as pilot:
        for size in ((60, 15), (200, 60), (10, 4)):
            await pilot.resize_terminal(*size)
            for streaming in (set(), {child.id for child in hostile_loom.children}):
                app.preview.show_children(hostile_loom, streaming)
                await pilot.pause()
                drawn(app.preview)


async def test_a_click_chooses_a_child(node: Maker) -> None:
    app = PreviewApp()
    async with app.run_test(size=(40, 6)) as pilot:
        root = family(node, 3)
        app.preview.show_children(root)
        await pilot.pause()
        await pilot.click(app.preview, offset=(5, 3))
        assert app.chosen == [root.children[1]]
