"""The last line of a dialog: its keys. Where there is no room for all on one line, a key and its word stay together."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual.geometry import Size
from textual.widget import Widget

GAP = "   "


class DialogKeys(Widget, can_focus=False):
    """Keys with their words, given as one text with three blanks between them."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "DialogKeys { height: auto; width: 1fr; }"

    def __init__(self, keys: str = "", *, id: str | None = None) -> None:
        super().__init__(id=id, classes="dialog-keys")
        self.keys = keys

    def show(self, keys: str) -> None:
        """Show other keys."""
        if keys != self.keys:
            self.keys = keys
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return len(self._lines(width))

    def _lines(self, width: int) -> list[str]:
        lines: list[str] = []
        for pair in self.keys.split(GAP):
            longer = f"{lines[-1]}{GAP}{pair}" if lines else pair
            if lines and cell_len(longer) <= width:
                lines[-1] = longer
            else:
                lines.append(pair)
        return lines

    def render(self) -> Text:
        return Text("\n".join(self._lines(self.content_size.width)), overflow="ellipsis", no_wrap=True)
