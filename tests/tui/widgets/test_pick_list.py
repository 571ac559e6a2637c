"""A list to choose a node from."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.widget import Widget

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.contrast import Readable
from n8loom_tui.tui.finding.fuzzy import lit_places
from n8loom_tui.tui.widgets.pick_list import PickList

Maker = Callable[..., Heddle]
Look = Callable[[Widget], list[str]]


class PickApp(Readable[None]):
    """A list on a screen of its own."""

    def __init__(self, signs_of: Callable[[Heddle], str]) -> None:
        super().__init__()
        self.picks = PickList(signs_of, lambda line: lit_places("flood", line), id="list")
        self.chosen: list[Heddle] = []

    def compose(self) -> ComposeResult:
        yield self.picks

    def on_pick_list_chosen(self, message: PickList.Chosen) -> None:
        self.chosen.append(message.node)


async def test_hostile_texts_and_signs_are_drawn_harmlessly(
    hostile: list[str], node: Maker, drawn: Look
) -> None:
    nodes = [node(text) for text in hostile]
    app = PickApp(lambda of: of.text)
    async with app.run_test(size=(60, 15)) as pilot:
        app.picks.show(nodes)
        for size in ((60, 15), (200, 60), (20, 5), (3, 2)):
            await pilot.resize_terminal(*size)
            for step in (len(nodes), -3, -len(nodes)):
                app.picks.move(step)
                await pilot.pause()
                assert len(drawn(app.picks)) == size[1]


async def test_the_cursor_stays_in_sight_and_a_click_chooses(node: Maker, drawn: Look) -> None:
    nodes = [node(f"flood {number}") for number in range(30)]
    app = PickApp(lambda _node: "★")
    async with app.run_test(size=(40, 5)) as pilot:
        assert app.picks.node is None
        app.picks.move(1)
        app.picks.show(nodes)
        app.picks.move(7)
        await pilot.pause()
        assert app.picks.node is nodes[7]
        lines = drawn(app.picks)
        assert lines[-1].startswith("▸ flood 7") and lines[-1].rstrip().endswith("★")
        lit = [part.text for part in app.picks.render_line(0) if part.style and part.style.underline]
        assert lit == ["flood"]
        await pilot.click(app.picks, offset=(3, 0))
        assert app.chosen == [nodes[3]]
