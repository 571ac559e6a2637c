"""The picture of a tree as it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rich.segment import Segment
from textual.app import ComposeResult
from textual.widget import Widget

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.tui.contrast import Readable
from n8loom_tui.tui.mapping.layout import TreeMap
from n8loom_tui.tui.widgets.map_view import MapView
from n8loom_tui.tui.widgets.signs import ASCII, UNICODE, Signs

Maker = Callable[..., Heddle]
Look = Callable[[Widget], list[str]]


def mapped(root: Heddle) -> TreeMap:
    tree = TreeMap()
    for _ in tree.build([root]):
        pass
    return tree


class MapApp(Readable[None]):
    """A map on a screen of its own."""

    def __init__(self, root: Heddle, signs: Signs = UNICODE) -> None:
        super().__init__()
        self.drawing = mapped(root)
        self.view = MapView(signs=signs, id="map")
        self.chosen: list[tuple[Heddle, bool]] = []

    def compose(self) -> ComposeResult:
        yield self.view

    def on_map_view_chosen(self, message: MapView.Chosen) -> None:
        self.chosen.append((message.node, message.twice))


async def test_hostile_texts_are_drawn_harmlessly_at_every_size(hostile_loom: Loom, drawn: Look) -> None:
    app = MapApp(hostile_loom)
    async with app.run_test(size=(60, 15)) as pilot:
        assert len(drawn(app.view)) == 15, "nothing to show yet"
        for size in ((60, 15), (200, 60), (20, 5), (1, 1), (80, 24)):
            await pilot.resize_terminal(*size)
            for cursor in (0, 1, len(app.drawing.heads) - 1):
                app.view.show(app.drawing, -1, cursor)
                app.view.show_streaming([cursor])
                await pilot.pause()
                assert len(drawn(app.view)) == size[1]
        app.view.show(app.drawing, 3, 3)
        await pilot.pause()
        assert len(drawn(app.view)) == 24


async def test_bars_hold_the_beginning_of_their_texts_and_their_signs(node: Maker, drawn: Look) -> None:
    root = Loom(None, None, "root")
    chain = node(" and on", node("one", root))
    two = node("two", root)
    two.marks = replace(two.marks, bookmark=True)
    app = MapApp(root)
    async with app.run_test(size=(40, 4)) as pilot:
        app.view.show(app.drawing, -1, app.drawing.bar_of(chain))
        app.view.show_streaming([1])
        await pilot.pause()
        lines = drawn(app.view)
        assert lines[0].startswith("│root")
        assert lines[2].startswith("│▍ one and on")
        assert lines[2][20:].startswith("│★ two")


async def test_where_it_is_crowded_shades_tell_how_many(node: Maker, drawn: Look) -> None:
    root = Loom(None, None, "root")
    sparse, dense = node("a", root), node("b", root)
    for _ in range(40):
        node("x", sparse)
    for _ in range(40):
        for _ in range(1):
            node("x", dense)
    marked = dense.children[-1]
    marked.marks = replace(marked.marks, bookmark=True)
    for signs, shades in ((UNICODE, "▒"), (ASCII, ":")):
        app = MapApp(root, signs)
        async with app.run_test(size=(20, 3)) as pilot:
            app.view.show(app.drawing, -1, 0)
            await pilot.pause()
            assert drawn(app.view)[2] == shades * 19 + signs.bookmark
            app.view.show_streaming([app.drawing.bar_of(sparse.children[0]) or 0])
            assert drawn(app.view)[2][0] == signs.stream


async def test_the_way_to_the_cursor_is_told_without_colour(node: Maker) -> None:
    root = Loom(None, None, "root")
    one, two = node("one", root), node("two", root)
    below = node("below", two), node("beside", two)
    app = MapApp(root)
    async with app.run_test(size=(40, 3)) as pilot:
        app.view.show(app.drawing, -1, app.drawing.bar_of(below[0]))
        await pilot.pause()

        def style_of(y: int, text: str) -> Segment:
            return next(segment for segment in app.view.render_line(y) if segment.text.startswith(text))

        assert style_of(1, "one").style != style_of(1, "two").style
        assert style_of(0, "root").style == style_of(1, "two").style
        assert style_of(2, "below").style not in (style_of(1, "two").style, style_of(2, "beside").style)
        await pilot.click(app.view, offset=(3, 1))
        assert app.chosen == [(one, False)]
        await pilot.click(app.view, offset=(3, 2))
        assert len(app.chosen) == 1, "there is nothing"
        await pilot.double_click(app.view, offset=(35, 2))
        assert app.chosen[-1] == (below[1], True)
