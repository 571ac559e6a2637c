"""The reader: the text of a whole path, wrapped, with the current node set off.

Drawn line by line from a `Flow`, so that a token costs the same at the end of a megabyte as of a line. While
the end is in sight the reader follows what is generated; once the person scrolls up it stays where it is.
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.strip import Strip

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.tui.finding.query import Query

from .flow import Flow
from .highlight import line_spans, lit
from .sanitize import visible
from .shown import passage, shown_text
from .token_text import MARGIN, TokenText

_CHECKED = 32
"""How many characters before the end of what is shown are compared, to tell growth from another text."""


class Reader(TokenText):
    """Shows the path down to a node as one text, with a cursor on one of its tokens where that is wanted."""

    DEFAULT_CSS = """
    Reader {
        & > .reader--generated { text-style: none; }
        & > .reader--written { color: $text-accent; text-style: italic; }
        & > .reader--current { background: $boost; text-style: bold; }
        & > .reader--bar { color: $text-primary; text-style: bold; }
        & > .reader--hit { color: $text-warning; text-style: bold underline; }
        & > .reader--caret { color: $text-success; text-style: bold; }
    }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "reader--generated",
        "reader--written",
        "reader--current",
        "reader--bar",
        "reader--caret",
        "reader--hit",
    }

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._texts: list[str] = []
        self._names: set[str] = set()
        """The ids of the nodes on the path."""
        self._streaming = False
        self._query: Query | None = None
        self._at_end = True
        self._unseen = False
        self._place = 0  # where in the text the top line begins
        self._laid_out = Size(0, 0)

    # ------------------------------------------------------------ what is shown

    @property
    def node(self) -> Heddle | None:
        """The node whose path is shown."""
        return self._path[-1] if self._path else None

    def clear(self) -> None:
        """Show no node."""
        self._path, self._texts, self._streaming = [], [], False
        self._names.clear()
        self._token = None
        self._flow = Flow(self._flow.width)
        self._at_end, self._place = True, 0
        self._grown(0)
        self.refresh()

    def show_path(self, node: Heddle, streaming: bool = False) -> None:
        """Show the path down to a node. Scrolls to the end if it is being generated, else as far as needed to
        see where its text begins. What the path has in common with the one before is not wrapped again."""
        same_node = node is self.node
        path = node.path()
        texts = [shown_text(above) for above in path]
        common = 0
        for before, above, was, text in zip(self._path, path, self._texts, texts, strict=False):
            if before is not above or was != text:
                break
            common += 1
        first = self._flow.truncate(common)
        first = min(first, self._flow.extend(passage(above) for above in path[common:]))
        if common < max(len(self._path), len(path)):
            self._token = None
        self._path, self._texts, self._streaming = path, texts, streaming
        self._names = {above.id for above in path}
        self._grown(first)
        self.refresh()
        if not same_node or common < len(path):
            self._place = 0
            self._show_span()
        if not same_node and self.is_mounted and self.text_selection is not None:
            self.screen.clear_selection()  # it was of another text

    def node_grew(self, node: Heddle) -> None:
        """A node has more text. Nothing happens unless it is on the path that is shown."""
        if node is not self.node:
            if node.id in self._names:
                self._reload()
            return
        shown, text = self._texts[-1], node.text
        tail = text[max(len(shown) - _CHECKED, 0) : len(shown)]
        if isinstance(node, Loom) or len(text) < len(shown) or tail != shown[-_CHECKED:]:
            self._reload()
        elif len(text) > len(shown):
            following = self._at_end
            first = self._flow.grow(visible(text[len(shown) :]))
            self._texts[-1] = text
            self._grown(first)
            if following:
                self._scroll(self.max_scroll_y)

    def set_streaming(self, streaming: bool) -> None:
        """Say whether the node shown is being generated: a caret stands at its end."""
        if streaming != self._streaming:
            self._streaming = streaming
            self.refresh_lines(len(self._flow.lines) - 1)

    def show_hits(self, query: Query | None) -> None:
        """Set off what is searched for wherever it stands."""
        self._query = query
        self.refresh()

    def _reload(self) -> None:
        """Show the same node anew, without a move of the scroll unless it follows the end."""
        node, top, following = self.node, self.scroll_offset.y, self._at_end
        if node is not None:
            self.show_path(node, self._streaming)
            self._scroll(self.max_scroll_y if following else top)

    def _grown(self, first: int) -> None:
        """Lines from `first` on are not what they were."""
        height = len(self._flow.lines) if self._path else 0
        self.set_lines(height)
        top, page = self.scroll_offset.y, self.page
        first, last = max(first, top), min(max(height, first + 1), top + page)
        if first < last:
            self.refresh(Region(0, first - top, self.size.width, page - (first - top)))

    # ---------------------------------------------------------------- scrolling

    @property
    def following(self) -> bool:
        """Whether the end is in sight, so that what is generated will be followed."""
        return self._at_end

    def scroll_lines(self, lines: int) -> None:
        """Scroll down (up if negative) by lines."""
        self._scroll(self.scroll_offset.y + lines)

    def follow(self) -> None:
        """Scroll to the end."""
        self._scroll(self.max_scroll_y)

    def _scroll(self, top: int) -> None:
        self.scroll_top_to(top)
        if self.is_mounted:
            self._note_place()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self.size == self._laid_out:  # else it is the layout that scrolls, not a person
            self._note_place()

    def _note_place(self) -> None:
        top, lines = self.scroll_offset.y, self._flow.lines
        self._at_end = top >= self.max_scroll_y
        self._place = lines[min(top, len(lines) - 1)].offset

    def _show_span(self) -> None:
        """Bring the start of the current node's text into sight, and as much of the rest as there is room."""
        page = self.page
        self._unseen = page <= 0
        if not self._path or self._unseen:
            return
        if self._streaming:
            self._scroll(self.max_scroll_y)
            return
        first = self._flow.line_at(self._flow.starts[-1])
        last = len(self._flow.lines) - 1
        top = self.scroll_offset.y
        if last - first >= page:
            wanted = max(first - page // 4, 0)
        elif top <= first and last < top + page:
            wanted = top
        else:
            wanted = first if first < top else last - page + 1
        self._scroll(wanted)

    # ------------------------------------------------------------------ drawing

    def on_resize(self) -> None:
        following, place = self._at_end, self._place
        self._laid_out = self.size
        width = self.line_width - MARGIN - 1
        if width > 0 and width != self._flow.width:
            self._flow = Flow(width)
            self._flow.extend([passage(node) for node in self._path])
            self._grown(0)
        if self._unseen:
            self._show_span()
        else:
            self._scroll(self.max_scroll_y if following else self._flow.line_at(place))
            self._place = place  # not the line's beginning, or the text would creep with every change

    def render_line(self, y: int) -> Strip:
        index = y + self.top_line
        width = self.line_width
        if not self._path or index >= len(self._flow.lines):
            return Strip.blank(width, self.base_style)
        pieces = self._flow.pieces(index)
        current = len(self._path) - 1
        at_end = index == len(self._flow.lines) - 1
        is_current = any(span == current for span, _ in pieces) or self._inside_current(index)
        bar = f"{self.signs.bar} " if is_current else "  "
        segments = [Segment(bar, self.get_component_rich_style("reader--bar"))]
        words = self._lit(list(self._words(index, pieces)), index)
        segments += Strip(words).apply_offsets(0, index) if words else ()
        if at_end and self._streaming:
            segments.append(Segment(self.signs.caret, self.get_component_rich_style("reader--caret")))
        return Strip(segments).adjust_cell_length(width, self.base_style)

    def _lit(self, segments: list[Segment], index: int) -> list[Segment]:
        """A line's segments, with what is searched for set off."""
        if self._query is None:
            return segments
        over = self.get_component_rich_style("reader--hit", partial=True)
        return lit(segments, line_spans(self._flow, index, self._query), over)

    def _inside_current(self, index: int) -> bool:
        """Whether a line, though there is nothing on it, stands within the current node's text."""
        lines, start = self._flow.lines, self._flow.starts[-1]
        return lines[index].offset >= start or (start == self._flow.length and index == len(lines) - 1)
