"""What is in the trash, to be brought back, or thrown away for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.session.history_edits import counted
from n8loom_tui.tui.widgets.dialog_box import DialogBox
from n8loom_tui.tui.widgets.dialog_keys import DialogKeys
from n8loom_tui.tui.widgets.shown import one_line, shown_text

MOST = 500
"""No more than these are listed, the latest."""
INTRO = "What was deleted, cut off, replaced, or undone and left behind; the latest first."


@dataclass(frozen=True, slots=True)
class BringBack:
    """A node is to come back."""

    node: Heddle


@dataclass(frozen=True, slots=True)
class Empty:
    """All of it is to go."""


class TrashScreen(ModalScreen[BringBack | Empty | None]):
    """Returns what is to be done."""

    def __init__(self, nodes: Sequence[Heddle]) -> None:
        super().__init__()
        self._found = nodes[:MOST]
        self._left = len(nodes) - len(self._found)

    def compose(self) -> ComposeResult:
        more = f" {self._left:,} older ones are not listed." if self._left else ""
        with DialogBox(id="trash-box"):
            yield Static(Text("Trash", style="bold"), classes="dialog-title")
            yield Static(Text(INTRO + more), classes="dialog-intro")
            yield OptionList(
                *(Option(_line(node)) for node in self._found), id="trash-list", classes="flexible"
            )
            yield DialogKeys("enter bring back   E empty the trash   esc close")

    def on_mount(self) -> None:
        self.query_one(OptionList).focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(BringBack(self._found[event.option_index]))

    def on_key(self, event: events.Key) -> None:
        options = self.query_one(OptionList)
        match event.key:
            case "escape" | "q":
                self.dismiss(None)
            case "E":
                self.dismiss(Empty())
            case "j":
                options.action_cursor_down()
            case "k":
                options.action_cursor_up()
            case _:
                return
        event.stop()
        event.prevent_default()


def _line(node: Heddle) -> Text:
    """A node as one line. Its text may hold anything."""
    below = sum(1 for _ in node.walk()) - 1 if node.children else 0
    count = f"  (and {counted(below, 'node')} below)" if below else ""
    return Text(one_line(shown_text(node), " ⏎ ", 200) + count, no_wrap=True, overflow="ellipsis")
