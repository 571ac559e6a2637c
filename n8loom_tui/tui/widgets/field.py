"""Fields in which text is edited. Rich leaves a few control characters out of what it draws, as the bell and the
backspace: here they are shown as the signs that the rest of the screen has for them."""

from __future__ import annotations

from rich.control import STRIP_CONTROL_CODES
from rich.text import Text
from textual.widgets import Input, TextArea

from .sanitize import one_cell

_LEFT_OUT = {code: one_cell(chr(code)) for code in STRIP_CONTROL_CODES}


class LineField(Input):
    """A field of one line."""

    @property
    def _value(self) -> Text:
        return Text(self.value.translate(_LEFT_OUT), no_wrap=True, overflow="ignore", end="")


class AreaField(TextArea):
    """A field of several lines."""

    def get_line(self, line_index: int) -> Text:
        line = self.document.get_line(line_index).translate(_LEFT_OUT)
        return Text(line, end="", no_wrap=True)
