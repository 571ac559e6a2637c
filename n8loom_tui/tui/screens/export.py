"""What to export, in which format, and where to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.formats import FORMATS, Chosen, writable
from n8loom_tui.session.typed import is_folder, typed_path
from n8loom_tui.tui.exporting import Export, unnamed
from n8loom_tui.tui.widgets.dialog_box import LOW, DialogBox
from n8loom_tui.tui.widgets.dialog_keys import DialogKeys
from n8loom_tui.tui.widgets.field import LineField
from n8loom_tui.tui.widgets.sanitize import visible

SUFFIXES = {"jsonl": "jsonl", "markdown": "md", "text": "txt"}
"""By format; the others are JSON."""
KEYS = "↑↓ format   ctrl+t what   enter write   esc cancel"


@dataclass(frozen=True, slots=True)
class _Part:
    """Something that can be exported."""

    title: str
    chosen: Chosen


class ExportScreen(ModalScreen[Export | None]):
    """Returns what is to be written. A file that is there is replaced only when enter is pressed once more."""

    VERTICAL_BREAKPOINTS = LOW

    def __init__(self, name: str, node: str, marked: list[str]) -> None:
        """`name` is the session's; `node` the one under the cursor."""
        super().__init__()
        self._session = name
        self._formats = [FORMATS[name] for name in writable()]
        self._parts = [
            _Part("the whole session", Chosen()),
            _Part("the path down to here", Chosen(node, path=True)),
            _Part("this node and all below it", Chosen(node)),
        ]
        if marked:
            self._parts.insert(0, _Part(f"the {len(marked)} marked", Chosen(nodes=tuple(marked))))
        self._part = 0
        self._proposed = ""
        self._warned: Path | None = None

    def compose(self) -> ComposeResult:
        with DialogBox(id="export-box"):
            yield Static(Text("Export", style="bold"), classes="dialog-title")
            yield Static(id="export-part")
            formats = (Option(Text(one.title)) for one in self._formats)
            yield OptionList(*formats, id="export-formats", classes="flexible")
            yield LineField(id="export-target")
            yield Static(id="export-said", classes="dialog-said")
            yield DialogKeys(KEYS)

    def on_mount(self) -> None:
        formats = self.query_one(OptionList)
        formats.can_focus, formats.highlighted = False, 0  # the keys stay with the field
        self.query_one(Input).focus()
        self._show_part()

    def _show_part(self) -> None:
        self.query_one("#export-part", Static).update(Text(f"Write {self._parts[self._part].title} as"))

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Propose a name that fits, unless the person wrote one."""
        event.stop()
        field = self.query_one(Input)
        if field.value == self._proposed:
            suffix = SUFFIXES.get(self._formats[event.option_index].name, "json")
            self._proposed = field.value = f"~/{visible(self._session, ' ')}.{suffix}"
        self._take_back()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._take_back()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()  # a click: the format is chosen by that, and nothing is written yet

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._write()

    def _write(self) -> None:
        text = self.query_one(Input).value.strip()
        objection = unnamed(text)
        if objection is not None:
            self._say(objection)
            return
        try:
            target, mode = typed_path(text)
        except SessionError as error:
            self._say(str(error))
            return
        if is_folder(mode):
            self._say("This is a folder; name a file in it.")
        elif mode is not None and self._warned != target:
            self._warned = target
            self._say("This file is there already; enter once more replaces it.")
        else:
            format = self._formats[self.query_one(OptionList).highlighted or 0]
            self.dismiss(Export(format, self._parts[self._part].chosen, target))

    def _take_back(self) -> None:
        """What was said is about another file, format or part than is shown now."""
        self._warned = None
        self._say("")

    def _say(self, text: str) -> None:
        self.query_one("#export-said", Static).update(Text(text))

    def on_key(self, event: events.Key) -> None:
        options = self.query_one(OptionList)
        match event.key:
            case "escape":
                self.dismiss(None)
            case "up":
                options.action_cursor_up()
            case "down":
                options.action_cursor_down()
            case "ctrl+t":
                self._part = (self._part + 1) % len(self._parts)
                self._show_part()
                self._take_back()
            case _:
                return
        event.stop()
        event.prevent_default()
