"""All keys and what they do, from the registry and the keymap in force."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from n8loom_tui.tui.actions import actions_by_group
from n8loom_tui.tui.keymap import Keymap
from n8loom_tui.tui.widgets.dialog_keys import DialogKeys
from n8loom_tui.tui.widgets.sanitize import visible

WIDE = 100
"""From this many columns on the sentences are shown too."""
COUNTS = "A number before a key counts: 12 t trims twelve tokens, 3 space grows three branches."


def help_table(keymap: Keymap, wide: bool) -> Group:
    """The table of keys, a part for each group of actions."""
    parts: list[Table | Text] = []
    for group, actions in actions_by_group().items():
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, title_justify="left", expand=True)
        table.title = Text(group, style="bold underline")
        table.add_column(width=14, style="bold")
        table.add_column(ratio=2)
        if wide:
            table.add_column(ratio=5)
        for action in actions:
            cells = [" ".join(keymap.labels(action.id)) or "—", action.title, action.help]
            table.add_row(*map(Text, cells if wide else cells[:2]))
        parts += [table, Text("")]
    return Group(*parts, Text(COUNTS))


class HelpScreen(ModalScreen[None]):
    """Scrolls with the arrows; any other key closes it."""

    SCROLL = frozenset({"up", "down", "pageup", "pagedown", "home", "end", "j", "k"})

    def __init__(self, keymap: Keymap) -> None:
        super().__init__()
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        with Vertical(id="help-box", classes="dialog"):
            change = self._keymap.label("change_keys")
            how = f"   {change} changes them" if change else ""
            title = Text.assemble((f"Keys ({visible(self._keymap.name, ' ')})", "bold"), how)
            yield Static(title, classes="dialog-title")
            with VerticalScroll(id="help-scroll"):
                yield Static(id="help-table")
            yield DialogKeys("↑↓ scroll   any other key closes")

    def on_mount(self) -> None:
        self._fill()
        self.query_one("#help-scroll").focus()

    def on_resize(self) -> None:
        self._fill()

    def _fill(self) -> None:
        self.query_one("#help-table", Static).update(help_table(self._keymap, self.app.size.width >= WIDE))

    def on_key(self, event: events.Key) -> None:
        scroll = self.query_one("#help-scroll", VerticalScroll)
        moves = {"j": scroll.scroll_down, "k": scroll.scroll_up}
        if event.key in moves:
            event.stop()
            moves[event.key](animate=False)
        elif event.key not in self.SCROLL:
            event.stop()
            event.prevent_default()
            self.dismiss()
