"""What stands around a widget's lines, and what they go through before they reach the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.geometry import Region, Size, Spacing
from textual.strip import Strip
from textual.widget import Widget

_KEPT = 512
"""How many finished lines are kept."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What the lines of a widget have in common."""

    size: Size
    content: Size
    gutter: Spacing
    colours: tuple[Color, Color]
    """What is behind the widget, and its own background."""
    border: tuple[tuple[str, Color], ...]
    filters: tuple[LineFilter, ...]

    @classmethod
    def of(cls, widget: Widget, filters: tuple[LineFilter, ...]) -> Ground | None:
        """A widget's, as it is now. None where styles reach into the lines."""
        styles = widget.styles
        reached = (
            widget.BLANK
            or widget.opacity != 1
            or styles.text_opacity != 1
            or styles.tint.a
            or (styles.has_rule("hatch") and styles.hatch != "none")
            or any(kind for kind, _ in styles.outline)
        )
        if reached:
            return None
        size, border = widget.region.size, tuple(styles.border)
        return cls(size, widget.content_size, styles.gutter, widget.background_colors, border, filters)

    def fits(self, size: Size, filters: tuple[LineFilter, ...]) -> bool:
        """Whether it is still of this size, and of these filters."""
        return self.size == size and self.filters == filters


class Finish:
    """Finishes lines on a ground, and keeps them until something about them is said to have changed."""

    def __init__(self, ground: Ground, by_textual: Callable[[int], Strip]) -> None:
        """`by_textual` finishes a line as Textual does: the frame is cut from one."""
        self.ground = ground
        behind, own = ground.colours
        self._blank = Style.from_color(bgcolor=(behind + own).rich_color)
        self._edges: tuple[Sequence[Segment], Sequence[Segment]] = ((), ())
        self._finished: dict[tuple[Segment, ...], Strip] = {}
        top, right, bottom, left = ground.gutter
        self._inside = range(top, min(ground.size.height - bottom, top + ground.content.height))
        if (left or right) and self._inside:
            line = by_textual(self._inside[0])
            self._edges = tuple(line.crop(0, left)), tuple(line.crop(ground.size.width - right))
        self._lines: list[Strip | None] = [None] * ground.size.height

    def forget_lines(self) -> None:
        """What lines show may have changed."""
        self._lines = [None] * self.ground.size.height

    def forget_content(self, regions: Iterable[Region]) -> None:
        """What is shown in parts of the content may have changed."""
        first, behind = self._inside.start, len(self._lines)
        for region in regions:
            for line in range(max(region.y + first, 0), min(region.bottom + first, behind)):
                self._lines[line] = None

    def lines(
        self, which: Iterable[int], draw: Callable[[int], Strip], by_textual: Callable[[int], Strip]
    ) -> list[Strip]:
        """Lines of the widget; `draw` gives a line of its content."""
        lines, inside = self._lines, self._inside
        strips: list[Strip] = []
        for line in which:
            strip = lines[line] if line < len(lines) else by_textual(line)
            if strip is None:
                strip = self._finish(draw(line - inside.start)) if line in inside else by_textual(line)
                lines[line] = strip
            strips.append(strip)
        return strips

    def _finish(self, content: Strip) -> Strip:
        ground = self.ground
        segments = tuple(content.adjust_cell_length(ground.content.width, self._blank))
        found = self._finished.get(segments)
        if found is None:
            left, right = self._edges
            shown: list[Segment] = list(segments)
            for one in ground.filters:
                shown = one.apply(shown, ground.colours[1])
            if len(self._finished) >= _KEPT:
                self._finished.clear()
            found = self._finished[segments] = Strip(chain(left, shown, right), ground.size.width)
        return found
