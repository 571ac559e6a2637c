"""What the tree and the reader have in common: they draw line by line, and scroll only up and down."""

from __future__ import annotations

from textual.scroll_view import ScrollView

from .signs import UNICODE, Signs


class LineView(ScrollView, can_focus=True, inherit_bindings=False):
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

    def __init__(
        self,
        *,
        signs: Signs = UNICODE,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.signs = signs

    @property
    def line_width(self) -> int:
        """Cells that a line has. 0 before the first layout."""
        return self.scrollable_content_region.width

    @property
    def page(self) -> int:
        """Lines that fit on the screen. 0 before the first layout."""
        return self.scrollable_content_region.height

    def scroll_top_to(self, line: int) -> None:
        """Scroll so that this line is the first one, or as far as there are lines. Without animation."""
        if self.is_mounted:
            self.scroll_to(y=line, animate=False, force=True)
