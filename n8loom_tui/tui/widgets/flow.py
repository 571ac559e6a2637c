"""A long text as wrapped lines that can grow at its end without a look at the rest. No user interface in
here."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple

from .sanitize import wrap_cells


class Line(NamedTuple):
    """One line of a wrapped text.

    `offset` is where it begins in the text. `slice` is the text from there to the next line's beginning, so
    that all slices together are the text; its first `shown` characters are what is to be drawn.
    """

    offset: int
    slice: str
    shown: int

    @property
    def text(self) -> str:
        """What is to be drawn."""
        return self.slice[: self.shown]


class Flow:
    """Spans of text, one behind the other, wrapped as one text.

    Attributes:
        width: cells per line.
        lines: the wrapped lines; always at least one.
        starts: for each span, where it begins in the text.
        length: characters in all.
    """

    def __init__(self, width: int) -> None:
        self.width = max(width, 1)
        self.starts: list[int] = []
        self.length = 0
        self.lines: list[Line] = [Line(0, "", 0)]

    def extend(self, spans: Iterable[str]) -> int:
        """Put spans behind what is there. Returns the first line that changed."""
        spans = list(spans)
        if not spans:
            return len(self.lines)
        self.starts.extend(accumulate((len(span) for span in spans[:-1]), initial=self.length))
        return self.grow("".join(spans))

    def grow(self, text: str) -> int:
        """Make the last span longer. Returns the first line that changed. Costs no more than wrapping `text`
        alone."""
        if not text:
            return len(self.lines)
        keep = max(len(self.lines) - 2, 0)
        tail = "".join(line.slice for line in self.lines[keep:])
        return self._rewrap(keep, tail + text)

    def truncate(self, span: int) -> int:
        """Drop the span with this number and all behind it. Returns the first line that changed."""
        if span >= len(self.starts):
            return len(self.lines)
        offset = self.starts[span]
        del self.starts[span:]
        keep = max(self.line_at(offset) - 1, 0)
        tail = "".join(line.slice for line in self.lines[keep : self.line_at(offset) + 1])
        return self._rewrap(keep, tail[: offset - self.lines[keep].offset])

    def _rewrap(self, keep: int, tail: str) -> int:
        offset = self.lines[keep].offset
        spans = wrap_cells(tail, self.width)
        nexts = [start for start, _ in spans[1:]] + [len(tail)]
        self.lines[keep:] = [
            Line(offset + start, tail[start:behind], end - start)
            for (start, end), behind in zip(spans, nexts, strict=True)
        ]
        self.length = offset + len(tail)
        return keep

    def line_at(self, offset: int) -> int:
        """The number of the line that holds the character at this place of the text."""
        return max(bisect_right(self.lines, offset, key=lambda line: line.offset) - 1, 0)

    def span_at(self, offset: int) -> int:
        """The number of the span that holds the character at this place of the text; -1 before the first."""
        return bisect_right(self.starts, offset) - 1

    def pieces(self, index: int) -> list[tuple[int, str]]:
        """What is to be drawn on a line, cut where a span begins: (span number, text) in order."""
        line = self.lines[index]
        end = line.offset + line.shown
        pieces: list[tuple[int, str]] = []
        span, start = self.span_at(line.offset), line.offset
        while start < end:
            stop = min(self.starts[span + 1], end) if span + 1 < len(self.starts) else end
            if stop > start:
                pieces.append((span, line.slice[start - line.offset : stop - line.offset]))
            span, start = span + 1, stop
        return pieces
