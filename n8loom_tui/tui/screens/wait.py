"""Something takes its time, and no key may get in between."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from n8loom_tui.tui.widgets.sanitize import visible


class WaitScreen(ModalScreen[None], inherit_bindings=False):
    """Says what is waited for, and lets no key through. Whoever opened it takes it away."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Text(visible(self._what, " ")))

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
