"""One row of the tree as text: guides, label, count and signs, fitted into a width. No user interface in
here."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from n8loom_tui.session.history_trees import CUT

from .row_views import Branch, RowView
from .sanitize import truncate_cells, visible
from .shown import is_written, one_line, shown_text
from .signs import Signs

_LEAST_LABEL = 8
"""With less room than this for its label a row does without the signs at its right end."""


@dataclass(frozen=True, slots=True)
class RowLayout:
    """The parts of a row from left to right. `gap` blanks stand between `count` and `tags`.

    Together they are as wide as the row; only where the width is absurdly small they may be wider.
    """

    guides: str
    stream: str
    label: str
    count: str
    gap: int
    tags: str
    marks: str

    @property
    def handle(self) -> range:
        """The columns beside the label where a click folds and unfolds."""
        end = cell_len(self.guides)
        return range(max(end - 2, 0), end)

    @property
    def counter(self) -> range:
        """The columns of the folded sign and its number, where a click unfolds."""
        start = cell_len(self.guides + self.stream + self.label)
        return range(start, start + cell_len(self.count))


def guides(view: RowView, signs: Signs, width: int) -> str:
    """What stands left of a row's label: at most about half of `width`, whatever the depth.

    A deeper row leaves out its outermost levels and says how many (`⋯12 `). It leaves them out in steps, so
    that rows which stand near each other keep their indent against each other.
    """
    most = max((width // 2 - 2) // 2, 2)
    left_out = 0
    if view.depth > most:
        step = max(most // 2, 1)
        left_out = -(-(view.depth - most) // step) * step
    shown = min(view.depth - left_out, len(view.rails))
    rails = view.rails[len(view.rails) - shown :]
    text = "".join(f"{signs.rail} " if runs_on else "  " for runs_on in rails)
    if left_out:
        text = f"{signs.gap}{left_out} {text}"
    match view.branch:
        case Branch.ROOT:
            return f"{signs.root} "
        case Branch.MIDDLE:
            return f"{text}{signs.middle} "
        case Branch.LAST:
            return f"{text}{signs.last} "
        case Branch.ONLY if view.depth == 0:
            return f"{signs.rail if view.has_children and not view.folded else signs.last} "
        case Branch.ONLY:
            return text


def label(view: RowView, signs: Signs, streaming: bool, limit: int) -> str:
    """The node's text on one line; a sign for a text of blanks alone, and for none."""
    text = shown_text(view.node)
    line = one_line(text, f" {signs.newline} ", limit)
    if line and not line.isspace():
        return line
    if text:
        return "".join(signs.newline if character == "\n" else signs.space for character in text[:limit])
    return "" if streaming else signs.empty


def marks(view: RowView, signs: Signs, evicted: bool = False) -> str:
    """The signs at a row's right end, a cell each."""
    node = view.node
    found = node.marks
    parts = (
        (found.unread, signs.unread),
        (bool(found.note), signs.note),
        (found.bookmark, signs.bookmark),
        (node.is_turn, signs.turn),
        (is_written(node) and not node.is_turn and view.branch is not Branch.ROOT, signs.written),
        (evicted, signs.evicted),
        (node.finish == CUT, signs.cut),
        (node.terminal, signs.ended),
    )
    return "".join(sign for there, sign in parts if there)


def tags(view: RowView, signs: Signs, limit: int) -> str:
    """A node's tags in at most `limit` cells."""
    line = " ".join(signs.tag + visible(tag, " ") for tag in view.node.marks.tags)
    return truncate_cells(line, max(limit, 0), signs.ellipsis) if line else ""


def lay_out(
    view: RowView,
    signs: Signs,
    width: int,
    streaming: bool,
    spinner: str,
    extra: str = "",
    *,
    marked: bool = False,
    evicted: bool = False,
) -> RowLayout:
    """Fit a row into `width` cells.

    `spinner` is its present frame; `extra` stands in front of the marks; `evicted`: the node's KV is not kept any more.
    """
    left = guides(view, signs, width)
    stream = (f"{signs.marked} " if marked else "") + (signs.stream if streaming else "")
    number = view.hidden if view.hidden >= 0 else signs.ellipsis
    count = f" {signs.folded}{number}" if view.folded else ""
    room = width - cell_len(left) - len(stream) - len(count)
    right = []
    at_end = extra + marks(view, signs, evicted) + (spinner if streaming else "")
    for part in (at_end, tags(view, signs, width // 3)):
        fits = bool(part) and room - cell_len(part) - 1 >= _LEAST_LABEL
        room -= cell_len(part) + 1 if fits else 0
        right.append(part if fits else "")
    text = truncate_cells(label(view, signs, streaming, max(width, 1) * 4), max(room, 0), signs.ellipsis)
    gap = max(room - cell_len(text), 0) + (1 if any(right) else 0)
    at_end, words = right
    return RowLayout(left, stream, text, count, gap, f"{words} " if words and at_end else words, at_end)
