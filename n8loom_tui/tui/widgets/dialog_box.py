"""The frame of a dialog: as high as what is in it, and never so high that its last lines are lost."""

from __future__ import annotations

from textual.containers import Vertical
from textual.geometry import Size

LOW = [(0, "-low"), (24, "-high")]
"""For `VERTICAL_BREAKPOINTS` of a dialog's screen: where lines are dear."""


class DialogBox(Vertical):
    """All parts one below the other. The one of class `flexible` (`1fr` high: a list, fields) is as high as it would
    like to be where there is room, and else gets what the others leave: messages and keys stay in sight."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, classes="dialog")

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A share of a height that is not known yet counts for nothing: what the flexible parts want is added."""
        height = super().get_content_height(container, viewport, width)
        for part in self.displayed_children:
            if part.has_class("flexible"):
                height += part.get_content_height(container, viewport, width)
        return height
