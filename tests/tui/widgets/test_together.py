"""Lines that are finished together look as Textual would have finished each of them, whatever the styles say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.containers import Container
from textual.filter import LineFilter, Monochrome
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from n8loom_tui.tui.filters import HarmlessFilter
from n8loom_tui.tui.widgets.line_view import LineView
from n8loom_tui.tui.widgets.together import DrawnTogether

Cell = tuple[str, Style | None]


class ByTextual(Widget):
    """Lines whose looks are those of a part of the widget, its own, and what it leaves to Textual."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"words--part"}
    DEFAULT_CSS = """
    ByTextual {
        height: 1fr;
        & > .words--part { color: $text-accent; background: $boost; text-style: italic; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.words = [f"line {number} of the flood" for number in range(8)]
        self.drawn: list[int] = []

    def render_line(self, y: int) -> Strip:
        self.drawn.append(y)
        if y >= len(self.words):
            return Strip([])
        part = self.get_component_rich_style("words--part")
        return Strip([Segment(self.words[y][:7], part), Segment(self.words[y][7:], self.rich_style)])


class Together(ByTextual, DrawnTogether):
    """The same."""


class Pair(App[None]):
    """Both, each in a place like the other's."""

    CSS = "Container { width: 1fr; } Screen { layout: horizontal; }"

    def __init__(self) -> None:
        super().__init__()
        self.theirs, self.ours = ByTextual(), Together()
        self.more: list[LineFilter] = []

    def compose(self) -> ComposeResult:
        yield Container(self.theirs)
        yield Container(self.ours)

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *self.more]

    @property
    def both(self) -> tuple[ByTextual, ByTextual]:
        return self.theirs, self.ours


def cells(widget: Widget, crop: Region | None = None) -> list[list[Cell]]:
    """A widget's lines, cell by cell."""
    strips = widget.render_lines(crop or Region(0, 0, *widget.outer_size))
    return [[(sign, segment.style) for segment in strip for sign in segment.text] for strip in strips]


def border(widget: Widget) -> None:
    widget.styles.border = ("heavy", "green")
    widget.styles.padding = (1, 2)
    widget.border_title = "the flood"


def side(widget: Widget) -> None:
    widget.styles.border_left = ("vkey", "red")
    widget.styles.padding = (0, 1)


def tall(widget: Widget) -> None:
    widget.styles.border_top = ("hkey", "red")
    widget.styles.padding = (2, 0, 0, 0)
    widget.styles.max_height = 6


def behind(widget: Widget) -> None:
    assert isinstance(widget.parent, Container)
    widget.parent.styles.background = "blue 40%"
    widget.styles.background = "red 20%"


def faint(widget: Widget) -> None:
    assert isinstance(widget.parent, Container)
    widget.parent.styles.opacity = 0.5


def tinted(widget: Widget) -> None:
    widget.styles.tint = "green 30%"
    widget.styles.border = ("round", "white")


def hatched(widget: Widget) -> None:
    widget.styles.hatch = ("/", "red")


def outlined(widget: Widget) -> None:
    widget.styles.outline = ("thick", "yellow")


def pale(widget: Widget) -> None:
    widget.styles.text_opacity = 0.4


def small(widget: Widget) -> None:
    widget.styles.width, widget.styles.height = 5, 3


LOOKS = [border, side, tall, behind, faint, tinted, hatched, outlined, pale, small]


@pytest.mark.parametrize("look", LOOKS)
async def test_lines_look_as_textual_draws_them(look: Callable[[Widget], None]) -> None:
    app = Pair()
    async with app.run_test(size=(60, 12)) as pilot:
        assert cells(app.ours) == cells(app.theirs)
        for widget in app.both:
            look(widget)
        await pilot.pause()
        assert cells(app.ours) == cells(app.theirs)
        width, height = app.ours.outer_size
        part = Region(1, 1, max(width - 2, 1), max(height - 2, 1))
        assert cells(app.ours, part) == cells(app.theirs, part)


async def test_looks_follow_one_another() -> None:
    """Each look comes on top of those before, and lines that were finished on another ground are not kept."""
    app = Pair()
    async with app.run_test(size=(60, 20)) as pilot:
        for look in (behind, side, border, faint, tinted, pale, hatched, outlined):
            for widget in app.both:
                look(widget)
            await pilot.pause()
            assert cells(app.ours) == cells(app.theirs), look.__name__
        for widget in app.both:
            widget.styles.tint, widget.styles.hatch, widget.styles.outline = "red 0%", "none", ("", "red")
            widget.styles.text_opacity, widget.parent.styles.opacity = 1.0, 1.0  # type: ignore[union-attr]
        await pilot.pause()
        assert cells(app.ours) == cells(app.theirs)


async def test_themes_sizes_and_filters_count_at_once() -> None:
    app = Pair()
    async with app.run_test(size=(60, 12)) as pilot:
        for widget in app.both:
            side(widget)
        for theme in ("textual-light", "gruvbox", "textual-dark"):
            app.theme = theme
            await pilot.pause()
            assert cells(app.ours) == cells(app.theirs), theme
        before = cells(app.ours)
        await pilot.resize_terminal(34, 7)
        assert cells(app.ours) == cells(app.theirs)
        await pilot.resize_terminal(60, 12)
        assert cells(app.ours) == before
        app.more = [Monochrome()]
        assert cells(app.ours) == cells(app.theirs) != before
        app.more = []
        assert cells(app.ours) == before


async def test_filters_see_what_is_drawn() -> None:
    app = Pair()
    app.more = [HarmlessFilter()]
    async with app.run_test(size=(60, 12)):
        for widget in app.both:
            border(widget)
            widget.words[0] = "a\x1b[2J\u202eb\x07 c"
            widget.refresh()
        shown = "".join(sign for line in cells(app.ours) for sign, _ in line)
        assert "\x1b" not in shown and "\u202e" not in shown and "\x07" not in shown
        assert [len(line) for line in cells(app.ours)] == [app.ours.outer_size.width] * 12


async def test_only_what_is_said_to_have_changed_is_drawn_again() -> None:
    app = Pair()
    async with app.run_test(size=(60, 12)):
        for widget in app.both:
            border(widget)
        cells(app.ours)
        app.ours.drawn.clear()
        app.ours.words[2] = app.theirs.words[2] = "another line"
        cells(app.ours)
        assert app.ours.drawn == []
        for widget in app.both:
            widget.refresh(Region(0, 2, 9, 1))
        assert cells(app.ours) == cells(app.theirs)
        assert app.ours.drawn == [2]
        app.ours.words[3] = app.theirs.words[3] = "and one more"
        for widget in app.both:
            widget.refresh()
        assert cells(app.ours) == cells(app.theirs)


async def test_a_line_that_moves_takes_its_looks_along() -> None:
    app = Pair()
    async with app.run_test(size=(60, 12)):
        for widget in app.both:
            side(widget)
        cells(app.ours)
        for widget in app.both:
            widget.words.insert(0, widget.words.pop())
            widget.refresh()
        assert cells(app.ours) == cells(app.theirs)


class Scrolled(ScrollView):
    """As Textual has it."""

    DEFAULT_CSS = """
    Scrolled {
        width: 1fr; height: 1fr; scrollbar-gutter: stable; scrollbar-size-vertical: 1; overflow-x: hidden;
    }
    """


class Scrolls(App[None]):
    CSS = "Screen { layout: horizontal; } LineView, Scrolled { background: $surface; }"

    def compose(self) -> ComposeResult:
        yield Scrolled()
        yield LineView()


async def test_a_scroll_bar_looks_as_textual_draws_it_and_can_be_dragged() -> None:
    app = Scrolls()
    async with app.run_test(size=(40, 10)) as pilot:
        theirs, ours = app.query_one(Scrolled), app.query_one(LineView)
        for lines in (3, 25, 4000):
            for view in (theirs, ours):
                view.virtual_size = view.virtual_size.with_height(lines)
            await pilot.pause()
            assert ours.show_vertical_scrollbar == theirs.show_vertical_scrollbar == (lines > 10)
            for place in (0, 1, lines // 3, lines):
                for view in (theirs, ours):
                    view.scroll_to(y=place, animate=False)
                await pilot.pause()
                assert cells(ours.vertical_scrollbar) == cells(theirs.vertical_scrollbar)
        ours.scroll_to(y=0, animate=False)
        await pilot.pause()
        await pilot.hover(ours.vertical_scrollbar)
        await pilot.mouse_down(ours.vertical_scrollbar, offset=(0, 0))
        assert ours.vertical_scrollbar.grabbed
        await pilot.hover(ours.vertical_scrollbar, offset=(0, 5))
        await pilot.mouse_up(ours.vertical_scrollbar, offset=(0, 5))
        assert ours.scroll_offset.y > 1000
