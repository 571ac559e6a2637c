"""The reader: the path as one text, the current node set off, following a stream only while one looks at its
end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.app import ComposeResult
from textual.widget import Widget

from n8loom_tui.loom.heddle import Heddle, Kind, Loom
from n8loom_tui.tui.contrast import Readable
from n8loom_tui.tui.widgets.reader import Reader

Maker = Callable[..., Heddle]
Look = Callable[[Widget], list[str]]


class ReaderApp(Readable[None]):
    def __init__(self) -> None:
        super().__init__()
        self.reader = Reader()

    def compose(self) -> ComposeResult:
        yield self.reader


def text_of(lines: list[str]) -> str:
    return "\n".join(line[2:].rstrip() for line in lines).rstrip("\n")


@pytest.fixture
def branch(node: Maker) -> Heddle:
    root = Loom(None, None, "What does the flood mean?", chat=True)
    return node(" about pride.", node("It is a warning", root))


async def test_the_whole_path_is_one_text_with_the_current_node_set_off(branch: Heddle, drawn: Look) -> None:
    app = ReaderApp()
    async with app.run_test(size=(60, 15)) as pilot:
        reader = app.reader
        reader.show_path(branch)
        await pilot.pause()
        lines = drawn(reader)
        assert text_of(lines) == "What does the flood mean?\n\nIt is a warning about pride."
        assert [line[0] for line in lines[:4]] == [" ", " ", "▌", " "]
        bold = [segment.text for segment in reader.render_line(2) if segment.style and segment.style.bold]
        assert " about pride." in bold and "It is a warning" not in bold
        italic = [segment.text for segment in reader.render_line(0) if segment.style and segment.style.italic]
        assert italic == ["What does the flood mean?"]


async def test_without_a_node_nothing_is_shown(branch: Heddle, drawn: Look) -> None:
    app = ReaderApp()
    async with app.run_test(size=(60, 15)) as pilot:
        reader = app.reader
        await pilot.pause()
        assert text_of(drawn(reader)) == ""
        reader.show_path(branch)
        reader.clear()
        await pilot.pause()
        assert text_of(drawn(reader)) == ""


async def test_hostile_texts_are_drawn_harmlessly_at_every_size(hostile_loom: Loom, drawn: Look) -> None:
    app = ReaderApp()
    async with app.run_test(size=(60, 15)) as pilot:
        reader = app.reader
        leaves = hostile_loom.get_all_leaves()
        for size in ((60, 15), (200, 60), (20, 5)):
            await pilot.resize_terminal(*size)
            for leaf in [*leaves[:20], leaves[-1]]:
                reader.show_path(leaf, streaming=True)
                drawn(reader)
                reader.scroll_lines(-reader.page)
                drawn(reader)


async def test_every_piece_of_a_stream_is_drawn_harmlessly(
    hostile: list[str], node: Maker, drawn: Look
) -> None:
    app = ReaderApp()
    async with app.run_test(size=(40, 12)) as pilot:
        reader, streaming = app.reader, node("", Loom(None, None, "root"))
        reader.show_path(streaming, streaming=True)
        text = "".join(hostile)[:1500]
        for at, character in enumerate(text):
            streaming.append_token(at, character)
            reader.node_grew(streaming)
            drawn(reader)
        grown = drawn(reader)
        reader.clear()
        reader.show_path(streaming, streaming=True)
        await pilot.pause()
        assert drawn(reader) == grown


async def test_the_reader_follows_until_one_scrolls_up_and_again_at_the_end(node: Maker, drawn: Look) -> None:
    app = ReaderApp()
    async with app.run_test(size=(60, 15)) as pilot:
        reader, streaming = app.reader, node("begin", Loom(None, None, "root"))
        reader.show_path(streaming, streaming=True)

        async def grow() -> None:
            streaming.append_token(1, "\nmore\nand more")
            reader.node_grew(streaming)
            await pilot.pause()

        for _ in range(30):
            await grow()
        assert reader.following and "and more▌" in drawn(reader)[-1]
        reader.scroll_lines(-3)
        await pilot.pause()
        assert not reader.following
        before = drawn(reader)
        await grow()
        assert drawn(reader) == before
        reader.scroll_lines(1000)
        await grow()
        assert reader.following and "and more▌" in drawn(reader)[-1]


async def test_opening_a_node_shows_where_it_begins(node: Maker, drawn: Look) -> None:
    app = ReaderApp()
    async with app.run_test(size=(60, 15)) as pilot:
        reader = app.reader
        above = node("line\n" * 100, Loom(None, None, "root"))
        short, long = node("SHORT", above), node("LONG" + "\nlong" * 100, above)
        reader.show_path(short)
        await pilot.pause()
        assert any("SHORT" in line for line in drawn(reader))
        reader.show_path(long)
        await pilot.pause()
        assert any("LONG" in line for line in drawn(reader)) and not reader.following
        reader.show_path(above)
        await pilot.pause()
        assert (
            drawn(reader)[0 if reader.scroll_offset.y else 2].startswith("▌ line")
            or reader.scroll_offset.y < 3
        )
        reader.show_path(long, streaming=True)
        await pilot.pause()
        assert drawn(reader)[-1].startswith("▌ long▌")


async def test_a_node_shown_before_the_first_layout_is_shown_from_its_beginning(
    node: Maker, drawn: Look
) -> None:
    app = ReaderApp()
    long = node("BEGIN" + "\nlong" * 100, node("above\n" * 50, Loom(None, None, "root")))
    app.reader.show_path(long)
    async with app.run_test(size=(60, 15)) as pilot:
        await pilot.pause()
        assert any("BEGIN" in line for line in drawn(app.reader))


async def test_resizing_keeps_the_place(node: Maker, drawn: Look) -> None:
    app = ReaderApp()
    async with app.run_test(size=(60, 15)) as pilot:
        reader = app.reader
        text = " ".join(f"word{n}" for n in range(3000))
        long = node(text, Loom(None, None, "root"))
        reader.show_path(long, streaming=True)
        await pilot.pause()
        await pilot.resize_terminal(200, 60)
        await pilot.pause()
        assert reader.following and "word2999▌" in drawn(reader)[-1]
        reader.scroll_lines(-20)
        await pilot.pause()
        first = drawn(reader)[0].split()[1]
        for size in ((60, 15), (100, 20), (200, 60)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert first in drawn(reader)[0] and not reader.following


async def test_moving_between_siblings_shows_each_and_nothing_of_the_other(node: Maker, drawn: Look) -> None:
    app = ReaderApp()
    async with app.run_test(size=(60, 15)) as pilot:
        reader, root = app.reader, Loom(None, None, "root", chat=False)
        one, two = node(" the one branch", root), node(" another", root)
        for shown, text in ((one, "root the one branch"), (two, "root another"), (root, "root"), (one, None)):
            reader.show_path(shown)
            await pilot.pause()
            assert text is None or text_of(drawn(reader)) == text
        one.text = " edited"
        reader.node_grew(one)
        await pilot.pause()
        assert text_of(drawn(reader)) == "root edited"
        root.user_prompt = "changed"
        reader.node_grew(root)
        await pilot.pause()
        assert text_of(drawn(reader)) == "changed edited"


async def test_growth_elsewhere_changes_nothing(branch: Heddle, node: Maker, drawn: Look) -> None:
    app = ReaderApp()
    async with app.run_test(size=(60, 15)) as pilot:
        app.reader.show_path(branch)
        await pilot.pause()
        before = drawn(app.reader)
        app.reader.node_grew(node("elsewhere", branch))
        await pilot.pause()
        assert drawn(app.reader) == before


async def test_an_empty_streaming_node_has_its_mark(node: Maker, drawn: Look) -> None:
    app = ReaderApp()
    async with app.run_test(size=(60, 15)) as pilot:
        root = Loom(None, None, "root", chat=False)
        app.reader.show_path(node("", root), streaming=True)
        await pilot.pause()
        assert drawn(app.reader)[0].startswith("▌ root▌")
        app.reader.set_streaming(False)
        await pilot.pause()
        assert drawn(app.reader)[0].rstrip() == "▌ root"


async def test_a_written_node_differs_without_colour(node: Maker) -> None:
    app = ReaderApp()
    async with app.run_test(size=(60, 15)) as pilot:
        root = Loom(None, None, "root", chat=False)
        app.reader.show_path(node(" generated", node(" written", root, Kind.EDITED)))
        await pilot.pause()
        styles = {segment.text: segment.style for segment in app.reader.render_line(0)}
        written, generated = styles[" written"], styles[" generated"]
        assert written is not None and written.italic
        assert generated is not None and not generated.italic
