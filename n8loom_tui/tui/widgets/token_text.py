"""The text of a path as the reader draws it: which node a word is of, which token the cursor is on, what colours tell,
what is selected. Where it scrolls to is the reader's own affair.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.selection import Selection

from n8loom_tui.loom.heddle import Heddle

from .flow import Flow
from .line_view import LineView
from .shown import is_written
from .token_map import STEPS, ColourBy, TokenMap

_WIDTH = 80  # until the real one is known
MARGIN = 2
"""Cells left of the text, for the bar beside the current node. One at the right is kept for the caret."""
_MAPS = 256
"""Of how many nodes it is kept where their tokens stand."""


class TokenText(LineView):
    """A path's text, token by token."""

    ALLOW_SELECT = True

    DEFAULT_CSS = """
    TokenText {
        & > .reader--token { color: $block-cursor-foreground; background: $block-cursor-background; }
        & > .reader--step-0 { color: $foreground; }
        & > .reader--step-1 { color: $text-success; }
        & > .reader--step-2 { color: $text-primary; }
        & > .reader--step-3 { color: $text-warning; }
        & > .reader--step-4 { color: $text-error; text-style: underline; }
        &:nocolor > .reader--token { text-style: reverse; }
        &:nocolor > .reader--step-0 { text-style: dim; }
        &:nocolor > .reader--step-1 { text-style: none; }
        &:nocolor > .reader--step-2 { text-style: underline; }
        &:nocolor > .reader--step-3 { text-style: bold; }
        &:nocolor > .reader--step-4 { text-style: bold underline; }
    }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "reader--generated",
        "reader--written",
        "reader--current",
        "reader--token",
        *(f"reader--step-{step}" for step in range(STEPS)),
    }

    class TokenClicked(Message):
        """A token of a node was clicked."""

        def __init__(self, node: Heddle, index: int) -> None:
            super().__init__()
            self.node = node
            self.index = index

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._flow = Flow(_WIDTH)
        self._path: list[Heddle] = []
        self._colour_by = ColourBy.NOTHING
        self._maps: dict[str, TokenMap] = {}
        self._token: tuple[int, int] | None = None  # where the token under the cursor stands in the text

    @property
    def path(self) -> list[Heddle]:
        """The nodes whose texts are shown, the root's first."""
        return self._path

    @property
    def colour_by(self) -> ColourBy:
        """What the tokens are coloured by."""
        return self._colour_by

    @colour_by.setter
    def colour_by(self, by: ColourBy) -> None:
        self._colour_by = by
        self.refresh()

    def odds_known(self, node: Heddle) -> None:
        """More may be known of the tokens of a node that has not grown."""
        known = self._maps.get(node.id)
        if self._colour_by is not ColourBy.NOTHING and known is not None and known.outdated:
            self.refresh()

    def token_map(self, node: Heddle) -> TokenMap:
        """Where the tokens of a node stand in what is shown of it."""
        found = self._maps.get(node.id)
        if found is None or found.node is not node:
            if len(self._maps) > _MAPS:
                self._maps.clear()
            found = self._maps[node.id] = TokenMap(node)
        found.update()
        return found

    def put_token(self, place: int, index: int) -> None:
        """Set off a token of the path's node number `place`, and scroll no further than needed to see it."""
        start, end = self.token_map(self._path[place]).span(index)
        base = self._flow.starts[place]
        here = base + start, base + end
        if here != self._token:
            self.drop_token()
            self._token = here
            self._refresh_text(*here)
            self._show_line(self._flow.line_at(here[0]))

    def token_below(self, place: int, index: int, lines: int) -> tuple[int, int]:
        """The token some lines below (above, if negative) another one: (number of its node in the path, its own)."""
        known = self.token_map(self._path[place])  # a branch that has only begun has no tokens yet
        start = self._flow.starts[place] + (known.span(index)[0] if index < len(known) else 0)
        line = self._flow.line_at(start)
        column = start - self._flow.lines[line].offset
        there = self._flow.lines[min(max(line + lines, 0), len(self._flow.lines) - 1)]
        offset = there.offset + min(column, max(there.shown - 1, 0))
        found = max(self._flow.span_at(offset), 0)
        map_ = self.token_map(self._path[found])
        if not len(map_):
            return place, index
        return found, map_.token_at(offset - self._flow.starts[found])

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        index = offset.y + self.scroll_offset.y if offset is not None else -1
        if offset is None or event.button != 1 or not self._path or index >= len(self._flow.lines):
            return
        line = self._flow.lines[index]
        cells, at = max(offset.x - MARGIN, 0), 0
        while at < line.shown and cell_len(line.slice[: at + 1]) <= cells:
            at += 1
        place = max(self._flow.span_at(line.offset + min(at, max(line.shown - 1, 0))), 0)
        known = self.token_map(self._path[place])
        if len(known):
            token = known.token_at(line.offset + at - self._flow.starts[place])
            self.post_message(self.TokenClicked(self._path[place], token))

    def drop_token(self) -> None:
        """Set no token off."""
        if self._token is not None:
            was, self._token = self._token, None
            self._refresh_text(*was)

    def _refresh_text(self, start: int, end: int) -> None:
        first, last = self._flow.line_at(start), self._flow.line_at(max(end - 1, start))
        self.refresh_lines(first, last - first + 1)

    def _show_line(self, line: int) -> None:
        top, page = self.scroll_offset.y, self.page
        if page > 0 and not top <= line < top + page:
            self.scroll_top_to(max(line - page // 2, 0))

    # ------------------------------------------------------------------ drawing

    def _words(self, index: int, pieces: list[tuple[int, str]]) -> Iterator[Segment]:
        """A line's text, cut where its look changes."""
        at = self._flow.lines[index].offset
        edges = set(self._token or ())
        chosen = self._selected(index)
        edges.update(chosen or ())
        for span, text in pieces:
            base = self._flow.starts[span]
            body, start = self._style(span), at
            for end, step in self._runs(span, at - base, at - base + len(text)):
                for stop in sorted({edge for edge in edges if start < edge < base + end} | {base + end}):
                    style = body if step < 0 else self._step_style(body, step)
                    if self._token is not None and self._token[0] <= start < self._token[1]:
                        style += self.get_component_rich_style("reader--token")
                    if chosen is not None and chosen[0] <= start < chosen[1]:
                        style += self.screen.get_component_rich_style("screen--selection")
                    yield Segment(text[start - at : stop - at], style)
                    start = stop
            at += len(text)

    def _runs(self, span: int, start: int, stop: int) -> list[tuple[int, int]]:
        if self._colour_by is ColourBy.NOTHING:
            return [(stop, -1)]
        return self.token_map(self._path[span]).runs(start, stop, self._colour_by)

    def _step_style(self, body: Style, step: int) -> Style:
        return self.once(("step", body, step), lambda: self._made_step_style(body, step))

    def _made_step_style(self, body: Style, step: int) -> Style:
        own = self.get_component_rich_style(f"reader--step-{step}", partial=True)
        if self.app.no_color:  # then bold, dim and underline are the scale's alone
            return Style(color=body.color, bgcolor=body.bgcolor, italic=body.italic) + own
        return body + own

    def _style(self, span: int) -> Style:
        return self.once(("span", span), lambda: self._span_style(span))

    def _span_style(self, span: int) -> Style:
        node = self._path[span]
        style = self.get_component_rich_style("reader--written" if is_written(node) else "reader--generated")
        if span == len(self._path) - 1:
            current = self.get_component_rich_style("reader--current")
            style += Style(bgcolor=current.bgcolor, bold=current.bold, underline=current.underline)
        return style

    # ---------------------------------------------------------------- selection

    def _selected(self, index: int) -> tuple[int, int] | None:
        """What of a line is selected, as places in the text."""
        selection = self.once("selection", lambda: self.text_selection)
        span = selection.get_span(index) if selection is not None else None
        if span is None:
            return None
        line = self._flow.lines[index]
        start, end = span
        behind = line.offset + (line.shown if end < 0 else min(end, line.shown))
        return min(line.offset + start, behind), behind

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The text that is selected, as one: lines that were only wrapped are not parted."""
        lines = self._flow.lines
        start = self._place_of(*selection.start) if selection.start is not None else 0
        end = self._place_of(*selection.end) if selection.end is not None else self._flow.length
        first, last = self._flow.line_at(start), self._flow.line_at(end)
        text = "".join(line.slice for line in lines[first : last + 1])
        return text[start - lines[first].offset : end - lines[first].offset], "\n"

    def _place_of(self, x: int, y: int) -> int:
        if y >= len(self._flow.lines):
            return self._flow.length
        line = self._flow.lines[y]
        return line.offset + min(x, line.shown)

    def selection_updated(self, selection: Selection | None) -> None:  # noqa: ARG002
        self.refresh()
