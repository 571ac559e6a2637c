"""Two texts as they are drawn side by side and in one."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.widget import Widget

from n8loom_tui.tui.comparing import compare
from n8loom_tui.tui.contrast import Readable
from n8loom_tui.tui.widgets.diff_view import DiffView, wrap_pieces

Look = Callable[[Widget], list[str]]


class DiffApp(Readable[None]):
    """A comparison on a screen of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.view = DiffView()

    def compose(self) -> ComposeResult:
        yield self.view


async def test_hostile_texts_are_drawn_harmlessly_at_every_size(hostile: list[str], drawn: Look) -> None:
    app = DiffApp()
    async with app.run_test(size=(60, 15)) as pilot:
        for left, right in zip(hostile, [*hostile[1:], "end"], strict=True):
            comparison = compare(left + " and so on", right + " and so on")
            for beside in (True, False):
                app.view.show(comparison, beside)
                for size in ((60, 15), (200, 60), (20, 5), (3, 2)):
                    await pilot.resize_terminal(*size)
                    app.view.next_change(1)
                    await pilot.pause()
                    assert len(drawn(app.view)) == size[1]


async def test_what_differs_is_told_without_colour(drawn: Look) -> None:
    app = DiffApp()
    async with app.run_test(size=(70, 6)) as pilot:
        app.view.show(compare("the flood came", "the old flood went"), beside=False)
        await pilot.pause()
        assert drawn(app.view)[0].rstrip() == "−+the{+ old+} flood[- came-]{+ went+}"
        app.view.show(compare("the flood came", "the old flood"), beside=True)
        await pilot.pause()
        left, right = drawn(app.view)[0].split("│")
        assert left.rstrip() == "− the flood came"
        assert right.rstrip() == " + the old flood"
        app.view.show(compare("the flood", "the flood"), beside=True)
        await pilot.pause()
        assert drawn(app.view)[0].split() == ["the", "flood", "│", "the", "flood"]


async def test_what_both_have_stays_level(drawn: Look) -> None:
    common = " so it goes on and on until the very end of the long night"
    app = DiffApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.view.show(compare("many more words than there" + common, "few" + common), beside=True)
        await pilot.pause()
        sides = [line.split("│") for line in drawn(app.view)]
        assert any(left.strip() == right.strip() and "very end" in left for left, right in sides)


def test_wrapping_keeps_every_piece() -> None:
    pieces = [("one two", "same"), (" three", "removed"), ("", "added"), (" four\nfive", "same")]
    lines = wrap_pieces(pieces, 8)
    assert [["".join(text for text, _ in line)] for line in lines] == [
        ["one two"],
        ["three"],
        ["four"],
        ["five"],
    ]
    assert lines[1] == [("three", "removed")]
    assert wrap_pieces([("", "same")], 5) == []
