"""The scroll bar beside lines. It changes with nearly every key that moves in a tree, and is as high as the screen."""

from __future__ import annotations

from textual.scrollbar import ScrollBar

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
