"""Writing a text: a prompt for a new loom, a child of a node, another text for a node, a note."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from n8loom_tui.tui.widgets.dialog_box import LOW, DialogBox
from n8loom_tui.tui.widgets.dialog_keys import DialogKeys
from n8loom_tui.tui.widgets.field import AreaField, LineField

NEWLINE_KEYS = ("ctrl+j", "shift+enter", "alt+enter")


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose beside the text, with a key: what it is called when it is chosen, and when not."""

    on: str
    off: str
    chosen: bool


CHAT = Choice("chat", "raw text", True)


@dataclass(frozen=True, slots=True)
class Written:
    """What a person wrote, and what they chose beside it (False where there was no choice).

    `system` is the system's message of a chat; empty where none was wanted. `example`: they took the example.
    """

    text: str
    chosen: bool = False
    system: str = ""
    example: bool = False


class EditorArea(AreaField):
    """A text field in which enter means done."""

    async def _on_key(self, event: events.Key) -> None:
        screen = self.screen
        if isinstance(screen, EditorScreen) and screen.takes(event):
            event.stop()
            event.prevent_default()
            return
        await super()._on_key(event)


class SystemInput(LineField):
    """The field for a system's message: enter and escape are the dialog's, as in the large field."""

    def __init__(self) -> None:
        super().__init__(
            placeholder="system message, if the chat is to have one", id="editor-system", compact=True
        )

    async def _on_key(self, event: events.Key) -> None:
        screen = self.screen
        if isinstance(screen, EditorScreen) and screen.takes(event):
            event.stop()
            event.prevent_default()
            return
        await super()._on_key(event)


class EditorScreen(ModalScreen[Written | None]):
    """Returns what was written, or None where the person thought better of it."""

    VERTICAL_BREAKPOINTS = LOW

    def __init__(
        self,
        title: str,
        *,
        intro: str = "",
        text: str = "",
        choice: Choice | None = None,
        system: bool = False,
        example: str = "",
    ) -> None:
        """`choice` None: there is nothing to choose. `system`: where chat is chosen, a system message can be given.
        `example` is taken where nothing is written."""
        super().__init__()
        self._heading = title
        self._intro = intro
        self._text = text
        self._example = example
        self._shown = text
        self._choice = choice
        self._chosen = choice is not None and choice.chosen
        self._system = system

    def compose(self) -> ComposeResult:
        with DialogBox(id="editor-box"):
            yield Static(Text(self._heading, style="bold"), classes="dialog-title")
            if self._intro:
                yield Static(Text(self._intro), classes="dialog-intro")
            yield EditorArea(
                self._text,
                id="editor-area",
                classes="flexible",
                soft_wrap=True,
                show_line_numbers=False,
                placeholder=Content(self._example),
            )
            if self._system:
                yield SystemInput()
            yield DialogKeys(self._keys(), id="editor-keys")

    def on_mount(self) -> None:
        area = self.query_one(EditorArea)
        self._shown = area.text
        area.move_cursor(area.document.end)
        area.focus()
        self._show_system()

    def _show_system(self) -> None:
        """There is a system's message only in a chat."""
        if self._system:
            field = self.query_one(SystemInput)
            field.display = self._chosen
            if not self._chosen:
                self.query_one(EditorArea).focus()

    def _system_written(self) -> str:
        return self.query_one(SystemInput).value.strip() if self._system and self._chosen else ""

    def _keys(self) -> str:
        parts = ["enter done", "ctrl+j new line", "esc cancel"]
        if self._choice is not None:
            parts.insert(2, f"ctrl+t {self._choice.on if self._chosen else self._choice.off} (toggle)")
        if self._system and self._chosen:
            parts.insert(3, "tab system message")
        return "   ".join(parts)

    def _written(self) -> str:
        """What stands in the field. It may hold line ends of other kinds otherwise than they came; where nothing was
        changed, neither are they."""
        text = self.query_one(EditorArea).text
        return self._text if text == self._shown else text

    def takes(self, event: events.Key) -> bool:
        """Whether a key is the dialog's and not the text field's. Acts on it."""
        if event.key == "enter":
            text = self._written()
            example = bool(self._example) and not text.strip()
            written = self._example if example else text
            self.dismiss(Written(written, self._chosen, self._system_written(), example))
        elif event.key == "escape":
            self.dismiss(None)
        elif event.key in NEWLINE_KEYS and self.query_one(EditorArea).has_focus:
            self.query_one(EditorArea).insert("\n")
        elif event.key == "ctrl+t" and self._choice is not None:
            self._chosen = not self._chosen
            self._show_system()
            self.query_one(DialogKeys).show(self._keys())
        else:
            return False
        return True
