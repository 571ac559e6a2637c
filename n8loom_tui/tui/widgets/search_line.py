"""The line at the bottom in which one types what is searched for, with the number of hits beside it."""

from __future__ import annotations

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from .field import LineField
from .sanitize import visible

_EDITING = {
    "left": "cursor_left",
    "right": "cursor_right",
    "ctrl+left": "cursor_left_word",
    "ctrl+right": "cursor_right_word",
    "home": "home",
    "ctrl+a": "home",
    "end": "end",
    "ctrl+e": "end",
    "backspace": "delete_left",
    "delete": "delete_right",
    "ctrl+w": "delete_left_word",
    "ctrl+u": "delete_left_all",
    "ctrl+k": "delete_right_all",
    "enter": "submit",
}


class PlainInput(LineField):
    """A text field of one line, on screens that keep keys from Textual's bindings. What is pasted into it is made fit
    for a terminal first."""

    async def _on_key(self, event: events.Key) -> None:
        action = _EDITING.get(event.key)
        if action is not None:
            event.stop()
            event.prevent_default()
            await self.run_action(action)

    def _on_paste(self, event: events.Paste) -> None:
        event.text = visible(event.text.strip("\r\n"), " ")  # Textual calls Input's own method next


class SearchLine(Horizontal):
    """Hidden until it is opened; says what is typed. Up and down are for walking the hits."""

    DEFAULT_CSS = """
    SearchLine {
        display: none;
        height: 1;
        background: $panel;
        color: $foreground;

        &.open { display: block; }
        & > #search-sign { width: 3; text-style: bold; padding: 0 1; }
        & > #search-input, & > #search-input:focus {
            width: 1fr; height: 1; border: none; padding: 0; background: $panel;
        }
        & > #search-count { width: auto; min-width: 8; padding: 0 1; text-align: right; text-style: bold; }
    }
    """

    class Changed(Message):
        """Something else is typed."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Kept(Message):
        """Enter: this is the search."""

    class Cancelled(Message):
        """Escape: as if nothing had been typed."""

    class Walked(Message):
        """Up or down, to the hit before or behind."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    def compose(self) -> ComposeResult:
        yield Static(Text("/"), id="search-sign")
        yield PlainInput(id="search-input", compact=True, select_on_focus=False)
        yield Static(Text(""), id="search-count")

    @property
    def is_open(self) -> bool:
        """Whether somebody is typing here."""
        return self.has_class("open")

    @property
    def text(self) -> str:
        """What is typed."""
        return self.query_one(PlainInput).value

    def open(self) -> None:
        """Show the line, empty, and take the keys."""
        field = self.query_one(PlainInput)
        with field.prevent(Input.Changed):
            field.value = ""
        self.say("")
        self.add_class("open")
        field.focus()

    def close(self) -> None:
        """Hide it."""
        self.remove_class("open")

    def say(self, count: str) -> None:
        """Show how many hits there are."""
        self.query_one("#search-count", Static).update(Text(count))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self.is_open:
            self.post_message(self.Changed(event.value))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Kept())

    def on_key(self, event: events.Key) -> None:
        """What the text field did not take. None of it is a key of the loom's meanwhile."""
        event.stop()
        event.prevent_default()
        match event.key:
            case "escape":
                self.post_message(self.Cancelled())
            case "up" | "ctrl+p":
                self.post_message(self.Walked(-1))
            case "down" | "ctrl+n":
                self.post_message(self.Walked(1))
