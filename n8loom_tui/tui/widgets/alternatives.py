"""What could stand in a token's place, with its probabilities as bars."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from .sanitize import truncate_cells, visible
from .signs import UNICODE, Signs

_WIDEST_TEXT = 24
_PERCENT = 7  # " 100 % "
_MARK = 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token that could stand there. `text` None: it is not known yet how it is spelled."""

    text: str | None
    probability: float
    here: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """All that the widget shows: a line, the candidates, the number of the one that is chosen."""

    head: str
    candidates: tuple[Candidate, ...] = ()
    chosen: int = 0


def token_text(text: str, signs: Signs = UNICODE) -> str:
    """A token's text on one line; one of blanks alone as signs."""
    if not text:
        return signs.empty
    if text.isspace():
        return "".join(signs.newline if character == "\n" else signs.space for character in text)
    return visible(text, signs.newline)


def percent(probability: float) -> str:
    """A probability for people."""
    if math.isnan(probability):
        return "?"
    share = probability * 100
    return f"{share:.0f} %" if share >= 10 else f"{share:.1f} %" if share >= 0.1 else "<0.1 %"


def bar(share: float, cells: int, signs: Signs = UNICODE) -> str:
    """A share of a line of cells, in as fine steps as the signs allow; never nothing for something."""
    steps = len(signs.eighths)
    if math.isnan(share) or share <= 0 or cells <= 0:
        return ""
    filled = max(round(min(share, 1.0) * cells * steps), 1)
    full, rest = divmod(filled, steps)
    return signs.eighths[-1] * full + (signs.eighths[rest - 1] if rest else "")


class Alternatives(Widget, can_focus=False):
    """A list with one chosen, scrolled so that it is in sight."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    Alternatives {
        width: 1fr;
        height: auto;
        background: $surface;
        color: $foreground;

        & > .alternatives--head { color: $quiet; }
        & > .alternatives--text { text-style: none; }
        & > .alternatives--here { text-style: bold; }
        & > .alternatives--bar { color: $text-primary; }
        & > .alternatives--chosen { color: $block-cursor-foreground; background: $block-cursor-background; }
        &:nocolor > .alternatives--chosen { text-style: reverse; }
    }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "alternatives--head",
        "alternatives--text",
        "alternatives--here",
        "alternatives--bar",
        "alternatives--chosen",
    }

    class Chosen(Message):
        """A candidate was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, *, signs: Signs = UNICODE, id: str | None = None) -> None:
        super().__init__(id=id)
        self.signs = signs
        self.shown = Shown("")

    def show(self, shown: Shown) -> None:
        """Show this."""
        if shown != self.shown:
            self.shown = shown
            self.refresh()

    def _first(self) -> int:
        """The number of the first candidate in sight."""
        room = max(self.content_size.height - 1, 1)
        return max(min(self.shown.chosen - room + 1, len(self.shown.candidates) - room), 0)

    def render_line(self, y: int) -> Strip:
        width = self.content_size.width
        if y == 0:
            line = truncate_cells(visible(self.shown.head, self.signs.newline), width, self.signs.ellipsis)
            style = self.get_component_rich_style("alternatives--head")
            return Strip([Segment(line, style)]).adjust_cell_length(width, self.rich_style)
        number = self._first() + y - 1
        if number >= len(self.shown.candidates):
            return Strip.blank(width, self.rich_style)
        return self._candidate(number, width)

    def _candidate(self, number: int, width: int) -> Strip:
        candidate, signs = self.shown.candidates[number], self.signs
        chosen = number == self.shown.chosen
        room = min(_WIDEST_TEXT, max(width - _MARK - _PERCENT - 6, 4))
        text = signs.ellipsis if candidate.text is None else token_text(candidate.text, signs)
        text = truncate_cells(text, room, signs.ellipsis)
        text += " " * (room - cell_len(text) + 1)
        share = percent(candidate.probability)
        cells = max(width - _MARK - room - 1 - _PERCENT - 2, 0)
        filled = bar(candidate.probability, min(cells, 40), signs)
        name = "alternatives--here" if candidate.here else "alternatives--text"
        style = self.get_component_rich_style("alternatives--chosen" if chosen else name)
        mark = signs.pointer if chosen else signs.bar if candidate.here else " "
        segments = [
            Segment(f"{mark} {text}", style),
            Segment(filled, self.get_component_rich_style("alternatives--bar")),
            Segment(" " * (min(cells, 40) - cell_len(filled)) + share.rjust(_PERCENT), self.rich_style),
        ]
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or offset.y < 1 or event.button != 1:
            return
        number = self._first() + offset.y - 1
        if number < len(self.shown.candidates):
            event.stop()
            self.post_message(self.Chosen(number))
