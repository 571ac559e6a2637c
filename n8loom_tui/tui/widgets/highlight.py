"""Parts of a drawn line in another style: where what is searched for stands. No user interface in here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.segment import Segment
from rich.style import Style

from n8loom_tui.tui.finding.query import Query

from .flow import Flow

Spans = Sequence[tuple[int, int]]


def lit(segments: Iterable[Segment], spans: Spans, over: Style) -> list[Segment]:
    """The segments with `over` laid over these spans of their text (in characters, in order)."""
    if not spans:
        return list(segments)
    done: list[Segment] = []
    behind = 0
    for segment in segments:
        text, style = segment.text, segment.style or Style.null()
        start, behind = behind, behind + len(text)
        at = start
        for one, other in spans:
            first, last = max(one, at), min(other, behind)
            if first >= last:
                continue
            done.append(Segment(text[at - start : first - start], style))
            done.append(Segment(text[first - start : last - start], style + over))
            at = last
        done.append(Segment(text[at - start :], style))
    return [segment for segment in done if segment.text]


def line_spans(flow: Flow, index: int, query: Query) -> list[tuple[int, int]]:
    """Where a line of a wrapped text holds what is searched for, or a part of it that goes on in another line."""
    line = flow.lines[index]
    reach = len(query.needle) - 1
    first = last = index
    while first > 0 and line.offset - flow.lines[first].offset < reach:
        first -= 1
    while last + 1 < len(flow.lines) and flow.lines[last].offset - line.offset - len(line.slice) < reach:
        last += 1
    text = "".join(flow.lines[number].slice for number in range(first, last + 1))
    shift = line.offset - flow.lines[first].offset
    found = ((start - shift, end - shift) for start, end in query.spans(text))
    return [(max(start, 0), min(end, line.shown)) for start, end in found if start < line.shown and end > 0]
