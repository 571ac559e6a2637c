"""A path's text read as Markdown. Rendered on a thread of its own into lines, then drawn and scrolled like any lines.

The text is made harmless before it is read as Markdown; links are shown as text and lead nowhere.
"""

from __future__ import annotations

import io
from typing import ClassVar

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.theme import Theme
from textual import work
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.worker import get_current_worker

from .line_view import LineView
from .sanitize import visible

MOST = 30_000
"""Of a longer text only the last characters are rendered: Rich needs some milliseconds for a thousand of them."""
_MARGIN = 2
"""Cells left of the text, as in the reader."""
_CUT = "(only the end of this text is shown as Markdown)\n\n"
_PLAIN = {
    "markdown.code": "bold",
    "markdown.code_block": "none",
    "markdown.item.bullet": "bold",
    "markdown.item.number": "bold",
    "markdown.block_quote": "italic",
    "markdown.hr": "dim",
    "markdown.h1": "bold underline",
    "markdown.h1.border": "dim",
    "markdown.h2": "bold underline",
    "markdown.h3": "bold",
    "markdown.h4": "bold italic",
    "markdown.h5": "italic",
    "markdown.h6": "italic",
    "markdown.link": "underline",
    "markdown.link_url": "underline",
    "markdown.table.header": "bold",
    "markdown.table.border": "dim",
}
"""Attributes alone: they can be told in every theme, and without colour."""


def render(text: str, width: int, theme: str) -> list[list[Segment]]:
    """A text as lines of Markdown. `theme`: the name of the style of code blocks."""
    shown = visible(text)
    if len(shown) > MOST:
        start = shown.find("\n", len(shown) - MOST) + 1  # a line that is cut in two may mean something else
        shown = _CUT + shown[start or len(shown) - MOST :]
    console = Console(
        file=io.StringIO(),
        width=max(width, 1),
        force_terminal=True,
        color_system="truecolor",
        theme=Theme(_PLAIN),
    )
    from rich.markdown import Markdown  # not at the top: it would keep the app's first picture waiting

    page = Markdown(shown, hyperlinks=False, code_theme=theme)
    lines = console.render_lines(page, console.options, pad=False)
    # What Rich makes of the text may hold what it was spared: entities are characters again.
    return [
        [Segment(visible(part, ""), style) for part, style, control in line if not control] for line in lines
    ]


class MarkdownView(LineView):
    """Shows a text as Markdown once it is rendered; until then the last one."""

    DEFAULT_CSS = """
    MarkdownView > .markdown--note { color: $quiet; text-style: italic; }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"markdown--note"}

    class Rendered(Message):
        """A text is rendered (no lines: it can't be had as Markdown)."""

        def __init__(self, view: MarkdownView, text: str, width: int, lines: list[list[Segment]]) -> None:
            super().__init__()
            self.view = view
            self.text = text
            self.width = width
            self.lines = lines

        @property
        def control(self) -> MarkdownView:
            return self.view

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text: str | None = None
        self._width = 0
        self._there = False
        self._lines: list[list[Segment]] = []

    def show(self, text: str, width: int) -> bool:
        """Show the end of a text, in so many cells. Whether it is there; else `Rendered` tells when it is."""
        if width <= 0:
            return False
        if (text, width) != (self._text, self._width):
            self._text, self._width, self._there = text, width, False
            theme = "ansi_dark" if self.app.current_theme.dark else "ansi_light"
            self._begin(text, width, theme)
        return self._there

    @work(thread=True, exclusive=True)
    def _begin(self, text: str, width: int, theme: str) -> None:
        worker = get_current_worker()
        try:
            lines = render(text, width - _MARGIN - 1, theme)
        except Exception:  # noqa: BLE001 - hostile text may break a parser; the plain text is there
            lines = []
        if not worker.is_cancelled:
            self.post_message(self.Rendered(self, text, width, lines))

    def on_markdown_view_rendered(self, message: Rendered) -> None:
        if (message.text, message.width) != (self._text, self._width):
            message.stop()
            return
        self._lines, self._there = message.lines, bool(message.lines)
        self.virtual_size = Size(0, len(self._lines))
        self.scroll_top_to(self.max_scroll_y)
        self.refresh()

    def scroll_lines(self, lines: int) -> None:
        """Scroll down (up if negative) by lines."""
        self.scroll_top_to(self.scroll_offset.y + lines)

    def follow(self) -> None:
        """Scroll to the end."""
        self.scroll_top_to(self.max_scroll_y)

    def on_resize(self) -> None:
        if self._text is not None:
            self.show(self._text, self.line_width)

    def render_line(self, y: int) -> Strip:
        index, width = y + self.scroll_offset.y, self.line_width
        if index >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        base = self.rich_style
        segments = [Segment(text, base + (style or Style.null())) for text, style, _ in self._lines[index]]
        return Strip([Segment(" " * _MARGIN, base), *segments]).adjust_cell_length(width, base)
