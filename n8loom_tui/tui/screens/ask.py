"""A one-line question."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from n8loom_tui.tui.widgets.dialog_box import LOW, DialogBox
from n8loom_tui.tui.widgets.field import LineField


class AskScreen(ModalScreen[str | None]):
    """Returns the answer, or None. Where `check` objects, the objection is shown and the question stands."""

    VERTICAL_BREAKPOINTS = LOW

    def __init__(self, title: str, hint: str, value: str, check: Callable[[str], str | None]) -> None:
        """`check` gives one line that says what is wrong with an answer, or None."""
        super().__init__()
        self._heading = title
        self._hint = hint
        self._value = value
        self._check = check

    def compose(self) -> ComposeResult:
        with DialogBox(id="ask-box"):
            yield Static(Text(self._heading, style="bold"), classes="dialog-title")
            yield Static(Text(self._hint), classes="dialog-intro")
            yield LineField(self._value, id="ask-input", select_on_focus=True)
            yield Static(Text(""), id="ask-error", classes="dialog-said")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        objection = self._check(event.value)
        if objection is None:
            self.dismiss(event.value)
        else:
            self.query_one("#ask-error", Static).update(Text(objection))

    def on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            event.stop()
            self.dismiss(None)
