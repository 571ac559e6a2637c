"""Details, the list of the settings, bars, and what an ASCII terminal gets: what is drawn is harmless."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rich.cells import cell_len
from textual.app import ComposeResult
from textual.strip import Strip
from textual.widget import Widget

from n8loom_tui.tui.contrast import Readable
from n8loom_tui.tui.widgets.ascii import in_ascii
from n8loom_tui.tui.widgets.bars import Bar, Fact
from n8loom_tui.tui.widgets.choice_list import ChoiceList, Entry
from n8loom_tui.tui.widgets.details import Details

Look = Callable[[Widget], list[str]]


class Alone(Readable[None]):
    """One widget on a screen."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget


async def test_details_wrap_and_mark_what_is_cut(drawn: Look, hostile: list[str]) -> None:
    details = Details()
    app = Alone(details)
    async with app.run_test(size=(30, 6)) as pilot:
        for text in hostile:
            details.show([("name", text), (text[:40].replace("\n", " ") or "x", "value")])
            await pilot.pause()
            lines = drawn(details)
            assert len(lines) == 6
        details.show([(f"fact {number}", "value") for number in range(9)])
        await pilot.pause()
        assert drawn(details)[-1].startswith("… 4 more lines")


async def test_details_that_had_no_place_yet_are_never_drawn_in_a_column_one_cell_wide(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    details = Details()
    details.display = False
    app = Alone(details)
    async with app.run_test(size=(40, 6)) as pilot:
        details.show([("kind", "written by hand")])
        drawn: list[str] = []
        render = details.render_line

        def noted(y: int) -> Strip:
            drawn.append(render(y).text.rstrip())
            return render(y)

        monkeypatch.setattr(details, "render_line", noted)
        details.display = True
        await pilot.pause()
        assert "kind        written by hand" in drawn
        assert "kind        w" not in drawn


async def test_the_list_holds_any_text_and_its_cursor_passes_over_headings(
    drawn: Look, hostile: list[str]
) -> None:
    choices = ChoiceList()
    app = Alone(choices)
    async with app.run_test(size=(40, 8)) as pilot:
        for width in (40, 14, 3):
            await pilot.resize_terminal(width, 8)
            for text in hostile:
                choices.show([Entry(text, heading=True), Entry(text, text, text, chosen=True), Entry(text)])
                await pilot.pause()
                drawn(choices)
        entries = [Entry(f"{number}", heading=number % 3 == 0) for number in range(12)]
        choices.show(entries)
        choices.go(-100)
        seen = [choices.cursor]
        for _ in range(20):
            choices.go(1)
            seen.append(choices.cursor)
        assert sorted(set(seen)) == [1, 2, 4, 5, 7, 8, 10, 11]
        choices.go(-3)
        assert choices.cursor == 7, "the cursor moves by entries"


async def test_a_bar_leaves_out_what_matters_least_and_says_so() -> None:
    bar = Bar(id="bar")
    app = Alone(bar)
    async with app.run_test(size=(40, 3)) as pilot:
        bar.show([Fact("first"), Fact("second", 5), Fact("third", 2)], [Fact("right", 1), Fact("last", 9)])
        for width, told in (
            (60, ("first", "second", "third", "right", "last")),
            (36, ("first", "third", "right", "…")),
            (20, ("first", "right", "…")),
            (12, ("first", "…")),
        ):
            await pilot.resize_terminal(width, 3)
            await pilot.pause()
            line = bar.render().plain
            assert cell_len(line) <= width
            assert all(word in line for word in told), line


def test_ascii_takes_as_many_cells(hostile: list[str]) -> None:
    from n8loom_tui.tui.widgets.sanitize import visible

    for text in hostile:
        shown = visible(text, " ").replace("\u200c", "")
        told = in_ascii(shown)
        assert told.isascii()
        assert len(told) >= cell_len(shown) - shown.count("\u0301")
    assert in_ascii("naïve “…” 忘 ├─╮") == 'naive "~" ?? +-+'
