"""What tree and reader have in common: lines that come and go, and the view's own colours."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.strip import Strip

from n8loom_tui.tui.widgets.line_view import LineView

PAGE = 10


class Lines(LineView):
    def render_line(self, y: int) -> Strip:
        line = y + self.scroll_offset.y
        return (
            Strip.blank(self.line_width, self.base_style) if line >= self.virtual_size.height else Strip([])
        )


class Shown(App[None]):
    CSS = "Lines { color: $text-accent; text-style: bold; } Lines:focus { background: $panel 50%; }"

    def compose(self) -> ComposeResult:
        yield Lines()


async def test_the_scroll_bar_and_the_scroll_fit_the_lines_there_are() -> None:
    app = Shown()
    async with app.run_test(size=(30, PAGE)) as pilot:
        view = app.query_one(Lines)
        view.set_lines(4)
        await pilot.pause()
        assert not view.show_vertical_scrollbar and view.max_scroll_y == 0
        view.set_lines(PAGE + 5)
        await pilot.pause()
        assert view.show_vertical_scrollbar and view.max_scroll_y == 5
        view.set_lines(500)
        assert view.max_scroll_y == 490, "at once: whoever follows the end scrolls there"
        view.scroll_top_to(490)
        await pilot.pause()
        assert view.scroll_offset.y == 490
        bar = view.vertical_scrollbar
        assert (bar.window_virtual_size, bar.window_size) == (500, PAGE)
        view.set_lines(PAGE + 20)
        await pilot.pause()
        assert view.scroll_offset.y == 20, "not beyond the end"
        view.set_lines(3)
        await pilot.pause()
        assert not view.show_vertical_scrollbar and view.scroll_offset.y == 0
        await pilot.resize_terminal(30, 2)
        await pilot.pause()
        assert view.show_vertical_scrollbar and view.max_scroll_y == 1


@pytest.mark.parametrize("theme", ["textual-light", "nord", "ansi-dark", "textual-dark"])
async def test_the_views_own_colours_are_those_in_force(theme: str) -> None:
    app = Shown()
    async with app.run_test() as pilot:
        view = app.query_one(Lines)
        assert view.base_style == view.rich_style
        app.theme = theme
        await pilot.pause()
        assert view.base_style == view.rich_style
        app.set_focus(None)
        await pilot.pause()
        assert view.base_style == view.rich_style
