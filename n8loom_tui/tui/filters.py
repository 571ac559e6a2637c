"""The last stop of what is drawn: nothing goes out that a terminal could act upon, nor what the terminal at hand
lacks, such as signs beyond ASCII, or colours."""

from __future__ import annotations

from rich.color import ColorType
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from n8loom_tui.tui.widgets.ascii import in_ascii
from n8loom_tui.tui.widgets.sanitize import one_cell, raw

SET_OFF = 70
"""How far (of 255) a background lies from the widget's own where it is there to be seen: a cursor, a selection."""
_NO_COLOURS = Style.parse("default on default")


class HarmlessFilter(LineFilter):
    """Control and format characters that a widget drew as they are, as fields for text do, are shown as signs."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        if not any(raw(segment.text) for segment in segments if not segment.control):
            return segments
        # An emptied segment keeps a blank: it may be the cursor.
        shown = [
            segment
            if segment.control or not raw(segment.text)
            else Segment(one_cell(segment.text) or " ", segment.style)
            for segment in segments
        ]
        return _as_wide(shown, Segment.get_line_length(segments))


def _as_wide(segments: list[Segment], width: int) -> list[Segment]:
    """A line made as wide as it was: characters of no cells became signs. Its last cell, which may be a frame's, stays,
    and what is too much goes from the end before that: blanks, where the text does not fill its field."""
    frame = segments[-1:] if width > 0 and len(segments) > 1 and segments[-1].cell_length == 1 else []
    rest = segments[: len(segments) - len(frame)]
    return [*Segment.adjust_line_length(rest, width - len(frame), rest[-1].style), *frame]


class AsciiFilter(LineFilter):
    """Whatever a widget drew is told in ASCII."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        return [
            segment
            if segment.text.isascii()
            else Segment(in_ascii(segment.text), segment.style, segment.control)
            for segment in segments
        ]


class ColourlessFilter(LineFilter):
    """No colour is left, no grey either: what a background set off is reversed instead."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            Segment(text, None if style is None else _colourless(style, background), control)
            for text, style, control in segments
        ]


def _colourless(style: Style, background: Color) -> Style:
    reverse = style.reverse or _is_set_off(style, background)
    return style + _NO_COLOURS + Style(reverse=bool(reverse))


def _is_set_off(style: Style, background: Color) -> bool:
    colour = style.bgcolor
    if colour is None or colour.type is ColorType.DEFAULT:
        return False
    if colour.triplet is None:
        return True  # one of the terminal's own, which no theme uses but to set something off
    red, green, blue = background.rgb
    there = colour.triplet
    return max(abs(there.red - red), abs(there.green - green), abs(there.blue - blue)) > SET_OFF
