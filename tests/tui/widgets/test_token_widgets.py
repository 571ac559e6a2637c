"""Hostile texts in the widgets that show single tokens and children, and tokens cut anywhere in the reader."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from textual.app import ComposeResult
from textual.widget import Widget

from n8loom_tui.loom.foresight import Possible
from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.loom.odds import Odds
from n8loom_tui.tui.contrast import Readable
from n8loom_tui.tui.widgets.alternatives import Alternatives, Candidate, Shown, bar
from n8loom_tui.tui.widgets.blocks import Blocks, stack
from n8loom_tui.tui.widgets.columns import ChildColumns
from n8loom_tui.tui.widgets.reader import Reader
from n8loom_tui.tui.widgets.sanitize import visible
from n8loom_tui.tui.widgets.signs import ASCII
from n8loom_tui.tui.widgets.token_map import ColourBy, TokenMap

Look = Callable[[Widget], list[str]]


class OneApp(Readable[None]):
    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self._one = widget

    def compose(self) -> ComposeResult:
        yield self._one


def by_characters(text: str, parent: Heddle | None = None, size: int = 1) -> Heddle:
    """A node whose tokens are `size` characters each."""
    ends = [*range(size, len(text), size), len(text)] if text else []
    logprobs = [-0.1 * index for index in range(len(ends))]
    odds = Odds.of(logprobs, entropies=[0.2 * index for index in range(len(ends))])
    node = Heddle.from_span(list(range(len(ends))), text, ends, odds=odds)
    return parent.add_child(node) if parent is not None else node


@pytest.mark.parametrize("size", [(60, 12), (120, 30), (12, 4)])
async def test_hostile_alternatives(hostile: list[str], drawn: Look, size: tuple[int, int]) -> None:
    widget = Alternatives()
    widget.styles.height = "100%"
    candidates = tuple(Candidate(text, 1 / (place + 1)) for place, text in enumerate(hostile))
    async with OneApp(widget).run_test(size=size) as pilot:
        for chosen, text in enumerate(hostile):
            widget.show(Shown(text, candidates, chosen))
            await pilot.pause()
            drawn(widget)


@pytest.mark.parametrize("size", [(60, 12), (200, 60), (12, 4)])
async def test_hostile_children(hostile_loom: Loom, drawn: Look, size: tuple[int, int]) -> None:
    widget = ChildColumns()
    async with OneApp(widget).run_test(size=size) as pilot:
        widget.show(hostile_loom.children, {child.id for child in hostile_loom.children[::2]})
        for number in range(len(hostile_loom.children)):
            widget.choose(number)
            widget.scroll_chosen(3)
            await pilot.pause()
            drawn(widget)


@pytest.mark.parametrize("by", list(ColourBy))
async def test_colours_and_cursor_change_no_text(hostile: list[str], drawn: Look, by: ColourBy) -> None:
    reader = Reader()
    async with OneApp(reader).run_test(size=(60, 15)) as pilot:
        for text in hostile:
            node = by_characters(text, by_characters("before\n"))
            reader.colour_by = ColourBy.NOTHING
            reader.show_path(node)
            await pilot.pause()
            plain = drawn(reader)
            reader.colour_by = by
            assert drawn(reader) == plain
            for index in (0, len(node.tokens) // 2, len(node.tokens) - 1):
                if node.tokens:
                    reader.put_token(1, index)
                    drawn(reader)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_each_token_stands_where_its_text_is_shown(hostile: list[str], size: int) -> None:
    for text in hostile:
        node = by_characters(text, size=size)
        found = TokenMap(node)
        whole = visible(text)
        start = 0
        for index, end in enumerate(node.ends):
            assert whole[found.bounds[index] : found.bounds[index + 1]] == visible(text[start:end])
            start = end
        assert found.bounds[-1] == len(whole)


def test_a_token_that_only_begins_a_character_stands_where_that_is() -> None:
    node = Heddle.from_span([1, 2, 3], "é!", [0, 1, 2])
    assert [TokenMap(node).span(index) for index in range(3)] == [(0, 1), (0, 1), (1, 2)]


def test_a_map_follows_a_node_that_grows_and_one_that_is_cut() -> None:
    node = by_characters("abc")
    found = TokenMap(node)
    assert [found.step(index, ColourBy.PROBABILITY) for index in range(3)] == [0, 0, 0]
    node.append_token(9, "d", -5.0, (), 9.0)
    found.update()
    assert found.bounds == [0, 1, 2, 3, 4]
    assert [found.step(index, ColourBy.PROBABILITY) for index in range(4)] == [0, 0, 0, 4]
    node.clip(2)
    found.update()
    assert found.bounds == [0, 1, 2]
    assert [found.step(index, ColourBy.ENTROPY) for index in range(3)] == [0, 0, -1]


def test_of_a_prompt_in_a_template_only_the_prompt_is_shown() -> None:
    root = Loom(None, None, "Why?", chat=True)
    root.set_span([1, 2, 3, 4], "<user>Why?<end>", [6, 9, 10, 15])
    found = TokenMap(root)
    assert [found.span(index) for index in (1, 2)] == [(0, 3), (3, 4)]
    assert found.bounds == [0, 0, 3, 4, 4]


@pytest.mark.parametrize(
    ("share", "cells", "length"), [(0.0, 10, 0), (1e-9, 10, 1), (0.5, 10, 5), (1.0, 10, 10)]
)
def test_a_bar_is_as_long_as_its_share(share: float, cells: int, length: int) -> None:
    assert len(bar(share, cells)) == length
    assert set(bar(share, cells, ASCII)) <= {"#"}


def selected(reader: Reader, sequence: Sequence[int]) -> str:
    from textual.geometry import Offset
    from textual.selection import Selection

    x1, y1, x2, y2 = sequence
    found = reader.get_selection(Selection(Offset(x1, y1), Offset(x2, y2)))
    assert found is not None
    return found[0]


async def test_a_selection_is_text_without_the_lines_it_was_wrapped_to() -> None:
    reader = Reader()
    async with OneApp(reader).run_test(size=(24, 8)) as pilot:
        reader.show_path(by_characters("one two three four five six seven\neight nine"))
        await pilot.pause()
        lines = [reader.render_line(y).text[2:].rstrip() for y in range(4)]
        assert lines[0] == "one two three four"
        assert selected(reader, (4, 0, 8, 1)) == "two three four five six"
        assert selected(reader, (0, 1, 5, 2)) == "five six seven\neight"


def possibles(*probabilities: float, above: Possible | None = None) -> Possible:
    root = above or Possible()
    root.below = [Possible(i, math.log(p), root) for i, p in enumerate(probabilities)]
    return root


def test_blocks_share_the_height_and_never_overlap() -> None:
    root = possibles(0.5, 0.3, 0.1, 0.01, 0.001)
    blocks = stack(root, 3, 23)
    assert [(block.top, block.bottom) for block in blocks] == [(3, 13), (13, 19), (19, 21)]
    chosen = (root.below or [])[4]
    blocks = stack(root, 3, 23, chosen)
    assert blocks[-1].possible is chosen and blocks[-1].bottom - blocks[-1].top == 1
    for height in range(1, 30):
        for wanted in root.below or ():
            found = stack(root, 0, height, wanted)
            assert any(block.possible is wanted for block in found)
            assert all(a.bottom <= b.top for a, b in pairwise(found))
            assert found[-1].bottom <= height


@pytest.mark.parametrize("size", [(60, 12), (200, 60), (9, 3)])
async def test_hostile_tokens_in_blocks(hostile: list[str], drawn: Look, size: tuple[int, int]) -> None:
    root = possibles(*[1 / len(hostile)] * len(hostile))
    for below in root.below or ():
        possibles(*[1 / len(hostile)] * len(hostile), above=below)
    widget = Blocks(root, lambda _: hostile)
    async with OneApp(widget).run_test(size=size) as pilot:
        widget.update()
        for _ in hostile:
            widget.move(1)
            await pilot.pause()
            drawn(widget)
        widget.go_in()
        widget.move(3)
        await pilot.pause()
        drawn(widget)


async def test_of_a_chat_turn_the_cursor_stands_on_what_was_written(drawn: Look) -> None:
    turn = Heddle.turn("And\tnow?")
    turn.set_span([1, 2, 3, 4, 5], "<end><user>And\tnow?<end>", [5, 11, 14, 19, 24])
    root = Loom(None, None, "Why?", chat=True)
    root.set_span([1, 2, 3, 4], "<user>Why?<end>", [6, 9, 10, 15])
    root.add_child(turn)
    found = TokenMap(turn)
    assert [found.span(index) for index in (2, 3)] == [(2, 5), (5, 13)]
    reader = Reader()
    async with OneApp(reader).run_test(size=(40, 12)) as pilot:
        reader.show_path(turn)
        await pilot.pause()
        reader.put_token(1, 3)
        cursor = reader.get_component_rich_style("reader--token").bgcolor
        marked = [
            s.text for y in range(12) for s in reader.render_line(y) if s.style and s.style.bgcolor == cursor
        ]
        assert "".join(marked) == "    now?"
        drawn(reader)
