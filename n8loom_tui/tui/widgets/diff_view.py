"""Two texts, one beside the other or in one, with what differs set off: `−` and `+` in the margin, underlined words,
brackets where both stand in one text. Drawn line by line; scrolls up and down.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip

from n8loom_tui.tui.comparing import Comparison, Part

from .line_view import LineView
from .sanitize import visible, wrap_cells

_MARGIN = 2
SAME, REMOVED, ADDED = "same", "removed", "added"

Pieces = list[tuple[str, str]]
"""Texts, each with what it is."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line: what is on it at the left and at the right (None: the two are not side by side)."""

    left: Pieces
    right: Pieces | None
    changed: bool


class DiffView(LineView):
    """Shows a comparison."""

    DEFAULT_CSS = """
    DiffView {
        & > .diffview--same { text-style: none; }
        & > .diffview--removed { color: $text-error; text-style: bold; }
        & > .diffview--added { color: $text-success; text-style: bold underline; }
        & > .diffview--edge { color: $line; }
    }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "diffview--same",
        "diffview--removed",
        "diffview--added",
        "diffview--edge",
    }

    comparison: Comparison | None = None
    beside = False
    _rows: tuple[Row, ...] = ()

    def show(self, comparison: Comparison, beside: bool) -> None:
        """Show this, the texts beside each other or in one."""
        self.comparison, self.beside = comparison, beside
        self._lay_out()

    def on_resize(self) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        width = self.line_width
        if self.comparison is None or width <= 0:
            return
        if self.beside:
            rows = self._two(self.comparison, self._half(width))
        else:
            rows = self._one(self.comparison, width - _MARGIN)
        self._rows = tuple(rows)
        self.virtual_size = Size(0, len(self._rows))
        self.refresh()

    @staticmethod
    def _half(width: int) -> int:
        """The cells of a text that has half a line: less margins, and the line between."""
        return max((width - 2 * _MARGIN - 2) // 2, 1)

    def _two(self, comparison: Comparison, width: int) -> Iterable[Row]:
        for passage in comparison.passages():
            left = wrap_pieces(_side(passage, left=True), width)
            right = wrap_pieces(_side(passage, left=False), width)
            for index in range(max(len(left), len(right))):
                one = left[index] if index < len(left) else []
                other = right[index] if index < len(right) else []
                changed = any(kind != SAME for _, kind in (*one, *other))
                yield Row(one, other, changed)

    def _one(self, comparison: Comparison, width: int) -> Iterable[Row]:
        pieces: Pieces = []
        for part in comparison.parts:
            if part.same:
                pieces.append((visible(part.left), SAME))
                continue
            pieces += [(f"[-{visible(part.left)}-]", REMOVED)] if part.left else []
            pieces += [(f"{{+{visible(part.right)}+}}", ADDED)] if part.right else []
        for line in wrap_pieces(pieces, width):
            yield Row(line, None, any(kind != SAME for _, kind in line))

    def next_change(self, step: int) -> None:
        """Scroll to where the texts differ next (before, if negative)."""
        begins = [
            at for at, row in enumerate(self._rows) if row.changed and not (at and self._rows[at - 1].changed)
        ]
        top = self.scroll_offset.y
        beyond = [at for at in begins if at > top] if step > 0 else [at for at in begins if at < top][::-1]
        if beyond:
            self.scroll_top_to(beyond[min(abs(step), len(beyond)) - 1])

    def scroll_lines(self, lines: int) -> None:
        """Scroll down (up if negative) by lines."""
        self.scroll_top_to(self.scroll_offset.y + lines)

    # ------------------------------------------------------------------ drawing

    def render_line(self, y: int) -> Strip:
        index, width = y + self.scroll_offset.y, self.line_width
        if not 0 <= index < len(self._rows):
            return Strip.blank(self.size.width, self.rich_style)
        row = self._rows[index]
        segments = self._half_line(row.left, row.right is None)
        if row.right is not None:
            used = sum(cell_len(segment.text) for segment in segments)
            edge = self.get_component_rich_style("diffview--edge")
            half = self._half(width) + _MARGIN
            segments.append(Segment(" " * max(half - used, 0) + f"{self.signs.rail} ", edge))
            segments += self._half_line(row.right, False)
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def _half_line(self, pieces: Pieces, both: bool) -> list[Segment]:
        kinds = {kind for _, kind in pieces}
        margin = "  "
        if ADDED in kinds and REMOVED in kinds and both:
            margin = f"{self.signs.removed}{self.signs.added}"
        elif REMOVED in kinds:
            margin = f"{self.signs.removed} "
        elif ADDED in kinds:
            margin = f"{self.signs.added} "
        edge: Style = self.get_component_rich_style("diffview--edge")
        texts = [Segment(text, self.get_component_rich_style(f"diffview--{kind}")) for text, kind in pieces]
        return [Segment(margin, edge + Style(bold=True)), *texts]


def _side(passage: list[Part], *, left: bool) -> Pieces:
    """One side of a passage."""
    kind = REMOVED if left else ADDED
    texts = ((part.left if left else part.right, SAME if part.same else kind) for part in passage)
    return [(visible(text), of) for text, of in texts if text]


def wrap_pieces(pieces: Pieces, width: int) -> list[Pieces]:
    """Pieces of one text, wrapped. None for no text."""
    text = "".join(piece for piece, _ in pieces)
    lines: list[Pieces] = []
    if not text:
        return lines
    at, behind = 0, 0  # the piece, and where in the text it begins
    for start, end in wrap_cells(text, width):
        line: Pieces = []
        while at < len(pieces):
            piece, kind = pieces[at]
            part = piece[max(start - behind, 0) : max(end - behind, 0)]
            if part:
                line.append((part, kind))
            if behind + len(piece) > end:
                break
            behind += len(piece)
            at += 1
        lines.append(line)
    return lines
