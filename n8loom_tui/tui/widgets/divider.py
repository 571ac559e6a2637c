"""The border between two panes, which the mouse can drag."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.message import Message

from .signs import UNICODE, Signs
from .together import DrawnTogether


class Divider(DrawnTogether):
    """One column. Says where it was dragged to; whoever owns the panes moves them."""

    DEFAULT_CSS = """
    Divider {
        width: 1;
        height: 1fr;
        color: $line;
        &:hover { color: $text-accent; text-style: bold; }
    }
    """

    class Dragged(Message):
        """The border is to be at this column of the screen. `done`: the button was let go."""

        def __init__(self, column: int, done: bool) -> None:
            super().__init__()
            self.column = column
            self.done = done

    def __init__(self, *, signs: Signs = UNICODE, id: str | None = None) -> None:
        super().__init__(id=id)
        self.signs = signs
        self._held = False

    def render(self) -> Text:
        return Text("\n".join(self.signs.rail * self.size.height), no_wrap=True)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        event.stop()
        self._held = True
        self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._held:
            event.stop()
            self.post_message(self.Dragged(event.screen_x, done=False))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._held:
            event.stop()
            self._held = False
            self.release_mouse()
            self.post_message(self.Dragged(event.screen_x, done=True))
