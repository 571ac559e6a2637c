"""Writing a text: a prompt for a new loom, a child of a node, another text for a node, a note."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static
from textual.widgets.text_area import Document

from n8loom_tui.session.drafts import Draft
from n8loom_tui.tui.widgets.dialog_box import LOW, DialogBox
from n8loom_tui.tui.widgets.dialog_keys import DialogKeys
from n8loom_tui.tui.widgets.field import AreaField, LineField

NEWLINE_KEYS = ("ctrl+j", "shift+enter", "alt+enter")
HELD = "You wrote this here before and did not enter it."


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

    def __init__(self, value: str = "") -> None:
        super().__init__(
            value, placeholder="system message, if the chat is to have one", id="editor-system", compact=True
        )

    async def _on_key(self, event: events.Key) -> None:
        screen = self.screen
        if isinstance(screen, EditorScreen) and screen.takes(event):
            event.stop()
            event.prevent_default()
            return
        await super()._on_key(event)


class EditorScreen(ModalScreen[Written | None]):
    """Returns what was written, or None where it is not to be entered, or not yet.

    Attributes:
        on_words: called whenever anything in it has changed.
    """

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
        self._choice = choice
        self._chosen = choice is not None and choice.chosen
        self._system = system
        self._held: Draft | None = None
        self._area: EditorArea | None = None
        self._system_input: SystemInput | None = None
        self.on_words: Callable[[], None] = lambda: None

    def hold(self, draft: Draft) -> None:
        """Begin with what was written here before. To be called before it is shown."""
        self._held = draft
        self._chosen = draft.chosen and self._choice is not None
        self._intro = f"{HELD} {self._intro}".rstrip()

    def compose(self) -> ComposeResult:
        with DialogBox(id="editor-box"):
            yield Static(Text(self._heading, style="bold"), classes="dialog-title")
            if self._intro:
                yield Static(Text(self._intro), classes="dialog-intro")
            self._area = EditorArea(
                self._text if self._held is None else self._held.text,
                id="editor-area",
                classes="flexible",
                soft_wrap=True,
                show_line_numbers=False,
                placeholder=Content(self._example),
            )
            yield self._area
            if self._system:
                self._system_input = SystemInput("" if self._held is None else self._held.system)
                yield self._system_input
            yield DialogKeys(self._keys(), id="editor-keys")

    def on_mount(self) -> None:
        area = self._area
        if area is not None and area.is_attached:  # else the app ends while this opens
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
        parts = ["enter done", "ctrl+j new line", "ctrl+r start over", "esc close"]
        if self._choice is not None:
            parts.insert(2, f"ctrl+t {self._choice.on if self._chosen else self._choice.off} (toggle)")
        if self._system and self._chosen:
            parts.insert(3, "tab system message")
        return "   ".join(parts)

    def _written(self) -> str:
        """What stands in the field. It may hold line ends of other kinds otherwise than they came; where nothing was
        changed, neither are they."""
        text = self._text if self._area is None else self._area.text
        begun = self._text if self._held is None else self._held.text
        return next((known for known in (begun, self._text) if _lines(text) == _lines(known)), text)

    def words(self) -> Draft | None:
        """What stands in the dialog; None where that is nothing but what stood there at first."""
        if self._area is None:
            return self._held
        text = self._written()
        system = "" if self._system_input is None else self._system_input.value
        held = self._held
        draft = Draft(text, self._chosen, system, "" if held is None else held.folder)
        changed = text != self._text and (text.strip() or self._text.strip())
        return draft if changed or system.strip() or draft == held else None

    def _start_over(self) -> None:
        """Have it stand there as it did at first."""
        area = self.query_one(EditorArea)
        area.replace(self._text, area.document.start, area.document.end)
        if self._system_input is not None:
            self._system_input.value = ""

    def on_text_area_changed(self) -> None:
        self.on_words()

    def on_input_changed(self) -> None:
        self.on_words()

    def takes(self, event: events.Key) -> bool:
        """Whether a key is the dialog's and not the text field's. Acts on it."""
        if event.key == "enter":
            text = self._written()
            example = bool(self._example) and not text.strip()
            written = self._example if example else text
            self.dismiss(Written(written, self._chosen, self._system_written(), example))
        elif event.key == "escape":
            self.dismiss(None)
        elif event.key == "ctrl+r":
            self._start_over()
        elif event.key in NEWLINE_KEYS and self.query_one(EditorArea).has_focus:
            self.query_one(EditorArea).insert("\n")
        elif event.key == "ctrl+t" and self._choice is not None:
            self._chosen = not self._chosen
            self.on_words()
            self._show_system()
            self.query_one(DialogKeys).show(self._keys())
        else:
            return False
        return True


def _lines(text: str) -> Sequence[str]:
    """A text's lines as a field has them, whatever ends them."""
    return Document(text).lines
