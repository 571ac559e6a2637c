"""The last stop of what is drawn, before a terminal that lacks something: signs beyond ASCII, or colours."""

from __future__ import annotations

from rich.color import ColorType
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from n8loom_tui.tui.widgets.ascii import in_ascii

SET_OFF = 70
"""How far (of 255) a background lies from the widget's own where it is there to be seen: a cursor, a selection."""
_NO_COLOURS = Style.parse("default on default")


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
