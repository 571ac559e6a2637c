"""What the tree, the reader and the lists have in common: they draw line by line, and scroll only up and down."""

from __future__ import annotations

from rich.style import Style
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.widget import Widget

from .line_scroll_bar import LineScrollBar
from .signs import UNICODE, Signs
from .together import DrawnTogether


class LineView(DrawnTogether, ScrollView, can_focus=True, inherit_bindings=False):
    """A scrolled view whose keys are all the app's. Its width does not change when the scroll bar comes."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    LineView {
        width: 1fr;
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        background: $surface;
        color: $foreground;
    }
    """

    def __init__(self, *, signs: Signs = UNICODE, id: str | None = None) -> None:
        super().__init__(id=id)
        self.signs = signs

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        return LineScrollBar.of(super().vertical_scrollbar)

    @property
    def line_width(self) -> int:
        """Cells that a line has. 0 before the first layout."""
        return self._inside.width

    @property
    def page(self) -> int:
        """Lines that fit on the screen. 0 before the first layout."""
        return self._inside.height

    @property
    def _inside(self) -> Region:
        return self.once("inside", lambda: self.scrollable_content_region)

    @property
    def top_line(self) -> int:
        """The number of the first line in sight."""
        return self.once("top", lambda: self.scroll_offset.y)

    @property
    def base_style(self) -> Style:
        """The view's own colours, which `rich_style` works out anew each time, a line at a time."""
        return self.once("base", lambda: self.visual_style.rich_style)

    def set_lines(self, count: int) -> None:
        """Say how many lines there are. As long as the scroll bar neither comes nor goes by that, nothing else on the
        screen has to be laid out and drawn anew, as it would each time that text grows by a line."""
        size, page = Size(0, count), self.page
        if size == self.virtual_size:
            return
        if page and (count > page) == (self.virtual_size.height > page) == self.show_vertical_scrollbar:
            self.set_reactive(Widget.virtual_size, size)
            self._scroll_update(size)
        else:
            self.virtual_size = size

    def scroll_top_to(self, line: int) -> None:
        """Scroll so that this line is the first one, or as far as there are lines. Without animation."""
        if self.is_mounted:
            self.scroll_to(y=line, animate=False, force=True)
