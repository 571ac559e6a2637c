"""Nested blocks: what could come next, each token as high as it is probable, and behind it what could follow that."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from n8loom_tui.loom.foresight import Possible

from .alternatives import percent, token_text
from .sanitize import truncate_cells
from .signs import UNICODE, Signs

COLUMNS = 3
"""How many tokens deep the picture is."""
Spelled = Callable[[Possible], Sequence[str] | None]
"""How the tokens that could follow one are spelled; None as long as that is not known."""


@dataclass(frozen=True, slots=True)
class Block:
    """A token with the lines that it takes. `number`: its place among those that could stand there."""

    possible: Possible
    number: int
    top: int
    bottom: int


def stack(parent: Possible, top: int, bottom: int, chosen: Possible | None = None) -> list[Block]:
    """What could follow `parent`, in the lines from `top` to `bottom`: as many for each as it is probable.

    What is too improbable for a line has none, but for the one that is chosen: it takes one of its neighbour's.
    """
    blocks: list[Block] = []
    at, height = 0.0, bottom - top
    for number, possible in enumerate(parent.below or ()):
        first = top + round(at * height)
        at = min(at + math.exp(min(possible.logprob, 0.0)), 1.0)
        last = top + round(at * height)
        if possible is chosen and last == first and height > 0:
            first = min(first, bottom - 1)
            last = first + 1
            blocks = [_above(block, first) for block in blocks]
            blocks = [block for block in blocks if block.bottom > block.top]
        elif blocks:
            first = max(first, blocks[-1].bottom)
        if last > first:
            blocks.append(Block(possible, number, first, last))
    return blocks


def _above(block: Block, line: int) -> Block:
    """A block without what it has from a line on."""
    return Block(block.possible, block.number, block.top, min(block.bottom, line))


class Blocks(Widget, can_focus=True, inherit_bindings=False):
    """The picture, with a cursor on one of the tokens."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    Blocks {
        width: 1fr;
        height: 1fr;
        background: $surface;
        color: $foreground;

        & > .blocks--even { background: $panel; color: $foreground; }
        & > .blocks--odd { background: $boost; color: $foreground; }
        & > .blocks--way { text-style: bold; color: $foreground; background: $lit; }
        & > .blocks--cursor {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
            text-style: bold;
        }
        & > .blocks--placeholder { color: $quiet; text-style: italic; }
        &:ansi > .blocks--way, &:nocolor > .blocks--way { text-style: bold underline; }
        &:nocolor > .blocks--cursor { text-style: reverse bold; }
    }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "blocks--even",
        "blocks--odd",
        "blocks--way",
        "blocks--cursor",
        "blocks--placeholder",
    }

    class Moved(Message):
        """The cursor is on another token, or was double-clicked (`entered`)."""

        def __init__(self, entered: bool = False) -> None:
            super().__init__()
            self.entered = entered

    def __init__(
        self, root: Possible, spelled: Spelled, *, signs: Signs = UNICODE, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.signs = signs
        self.root = root
        self.cursor: Possible | None = None
        self._spelled = spelled
        self._laid_out: list[list[Block]] = []

    # ------------------------------------------------------------------ looking

    @property
    def base(self) -> Possible:
        """What the first column follows: far enough above the cursor, for what follows that to be in sight."""
        way = self.cursor.way if self.cursor is not None else []
        return way[len(way) - COLUMNS] if len(way) >= COLUMNS else self.root

    def update(self) -> None:
        """More is known, or the cursor is elsewhere: draw anew."""
        if self.cursor is None and self.root.below:
            self.cursor = self.root.below[0]
        self._lay_out()
        self.refresh()

    def _lay_out(self) -> None:
        """Where each block of each column stands."""
        height = self.content_size.height
        way = self.cursor.way if self.cursor is not None else []
        parents = [Block(self.base, 0, 0, height)]
        self._laid_out = []
        for _ in range(COLUMNS):
            column: list[Block] = []
            for parent in parents:
                chosen = next((each for each in way if each.above is parent.possible), None)
                column += stack(parent.possible, parent.top, parent.bottom, chosen)
            self._laid_out.append(column)
            parents = column

    # ------------------------------------------------------------------- moving

    def move(self, step: int) -> None:
        """Go to another token that could stand in the same place."""
        if self.cursor is not None and self.cursor.above is not None:
            others = self.cursor.above.below or []
            at = min(max(others.index(self.cursor) + step, 0), len(others) - 1)
            self._go(others[at])

    def go_in(self) -> None:
        """Go to what follows, where that is known."""
        if self.cursor is not None and self.cursor.below:
            self._go(self.cursor.below[0])

    def go_out(self) -> None:
        """Go to the token before."""
        if self.cursor is not None and self.cursor.above is not None and self.cursor.above.above is not None:
            self._go(self.cursor.above)

    def _go(self, possible: Possible) -> None:
        self.cursor = possible
        self.update()
        self.post_message(self.Moved())

    # ------------------------------------------------------------------ drawing

    def on_resize(self) -> None:
        self._lay_out()

    def render_line(self, y: int) -> Strip:
        width = self.content_size.width
        if not self.root.below:
            style = self.get_component_rich_style("blocks--placeholder")
            text = "The model looks ahead…" if y == 0 else ""
            return Strip([Segment(truncate_cells(text, width), style)]).adjust_cell_length(
                width, self.rich_style
            )
        segments: list[Segment] = []
        for number, column in enumerate(self._laid_out):
            end = width * (number + 1) // COLUMNS
            cells = end - width * number // COLUMNS
            block = next((block for block in column if block.top <= y < block.bottom), None)
            segments += (
                self._cell(block, y, cells) if block is not None else [Segment(" " * cells, self.rich_style)]
            )
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def _cell(self, block: Block, y: int, cells: int) -> list[Segment]:
        signs, possible = self.signs, block.possible
        on_way = self.cursor is not None and any(each is possible for each in self.cursor.way)
        name = "cursor" if possible is self.cursor else "way" if on_way else ("even", "odd")[block.number % 2]
        if block.bottom - block.top == 1:
            edge = signs.single
        elif y == block.top:
            edge = signs.corner
        else:
            edge = signs.last if y == block.bottom - 1 else signs.rail
        line = f"{signs.pointer if possible is self.cursor and y == block.top else ' '}{edge} "
        if y == block.top:
            line += self._label(block, cells - cell_len(line) - 1)
        line = truncate_cells(line, max(cells - 1, 0), signs.ellipsis)
        style = self.get_component_rich_style(f"blocks--{name}")
        gap = Segment(" ", self.rich_style)
        return [Segment(line + " " * (cells - 1 - cell_len(line)), style), gap]

    def _label(self, block: Block, cells: int) -> str:
        above = block.possible.above
        texts = self._spelled(above) if above is not None else None
        known = texts is not None and block.number < len(texts)
        text = (
            token_text(texts[block.number], self.signs)
            if known and texts is not None
            else self.signs.ellipsis
        )
        share = percent(math.exp(block.possible.logprob))
        text = truncate_cells(text.lstrip(" ") or text, max(cells - len(share) - 2, 1), self.signs.ellipsis)
        return f"{text}  {share}"

    # ------------------------------------------------------------------- events

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or event.button != 1 or not self._laid_out:
            return
        column = self._laid_out[min(offset.x * COLUMNS // max(self.content_size.width, 1), COLUMNS - 1)]
        block = next((block for block in column if block.top <= offset.y < block.bottom), None)
        if block is not None:
            event.stop()
            self._go(block.possible)
            if event.chain == 2:
                self.post_message(self.Moved(entered=True))
