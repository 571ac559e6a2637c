"""The scroll bar beside lines. It changes with nearly every key that moves in a tree, and is as high as the screen."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.strip import Strip

from .together import DrawnTogether


class LineScrollBar(ScrollBar, DrawnTogether):
    """Textual's own, finished as the lines beside it are."""

    @classmethod
    def of(cls, bar: ScrollBar) -> ScrollBar:
        """Have this be such a one. Textual makes scroll bars by itself and asks nobody for a class; one of these has
        nothing that the other lacks but the way it is drawn."""
        if type(bar) is ScrollBar:
            bar.__class__ = cls
        return bar

    def render_line(self, y: int) -> Strip:
        cells = self.once("cells", self._cells)
        return Strip(cells[y : y + 1]) if cells is not None else super().render_line(y)

    def _cells(self) -> list[Segment] | None:
        """A cell for each line, as Textual's renderer gives them all at once. None: something else is drawn."""
        made = self.render()
        if not (self.vertical and isinstance(made, ScrollBarRender) and isinstance(made.style, Style)):
            return None
        colours = made.style
        if colours.color is None or colours.bgcolor is None:
            return None
        bar = made.render_bar(
            size=self.size.height,
            virtual_size=made.virtual_size,
            window_size=made.window_size,
            position=made.position,
            thickness=made.thickness,
            back_color=colours.bgcolor,
            bar_color=colours.color,
        )
        return list(Segment.apply_style(bar.segments, self.visual_style.rich_style))
