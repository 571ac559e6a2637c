"""A few questions at once: a dialog of named fields, each a line of text or one of a few words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from n8loom_tui.tui.widgets.dialog_box import LOW, DialogBox
from n8loom_tui.tui.widgets.dialog_keys import DialogKeys
from n8loom_tui.tui.widgets.field import LineField

Answers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """One question. With `choices` the answer is one of them."""

    name: str
    label: str
    value: str
    hint: str = ""
    choices: tuple[str, ...] = ()


class Chooser(Static, can_focus=True):
    """One of a few words; left, right and space choose."""

    def __init__(self, field: Field) -> None:
        super().__init__(id=f"field-{field.name}", classes="field-choice")
        self._choices = field.choices
        self.value = field.value if field.value in field.choices else field.choices[0]

    def render(self) -> Text:
        return Text(f"‹ {self.value} ›")

    def on_key(self, event: events.Key) -> None:
        step = {"left": -1, "right": 1, "space": 1}.get(event.key)
        if step is not None:
            event.stop()
            at = self._choices.index(self.value) + step
            self.value = self._choices[at % len(self._choices)]
            self.refresh()


class FormScreen(ModalScreen[Answers | None]):
    """Returns the answers by field, or None. Where `check` objects, the objection is shown and the dialog stays."""

    VERTICAL_BREAKPOINTS = LOW

    def __init__(
        self, title: str, intro: str, fields: Sequence[Field], check: Callable[[Answers], str | None]
    ) -> None:
        super().__init__()
        self._heading = title
        self._intro = intro
        self._fields = list(fields)
        self._check = check

    def compose(self) -> ComposeResult:
        with DialogBox(id="form-box"):
            yield Static(Text(self._heading, style="bold"), classes="dialog-title")
            yield Static(Text(self._intro), classes="dialog-intro")
            with VerticalScroll(id="form-fields", classes="flexible", can_focus=False):
                for field in self._fields:
                    with Horizontal(classes="field"):
                        yield Static(Text(field.label), classes="field-label")
                        if field.choices:
                            yield Chooser(field)
                        else:
                            yield LineField(
                                field.value, id=f"field-{field.name}", compact=True, classes="field-input"
                            )
                        yield Static(Text(field.hint), classes="field-hint")
            yield Static(Text(""), id="form-error", classes="dialog-said")
            yield DialogKeys("enter done   ↑↓ or tab another field   esc cancel")

    def on_mount(self) -> None:
        self._field(self._fields[0]).focus()

    def _field(self, field: Field) -> Input | Chooser:
        name = f"#field-{field.name}"
        return self.query_one(name, Chooser) if field.choices else self.query_one(name, Input)

    def answers(self) -> Answers:
        """What stands in the fields."""
        return {field.name: self._field(field).value for field in self._fields}

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._done()

    def _done(self) -> None:
        answers = self.answers()
        objection = self._check(answers)
        if objection is None:
            self.dismiss(answers)
        else:
            self.query_one("#form-error", Static).update(Text(objection))

    def on_key(self, event: events.Key) -> None:
        match event.key:
            case "escape":
                self.dismiss(None)
            case "enter":
                self._done()
            case "down":
                self.focus_next()
            case "up":
                self.focus_previous()
            case _:
                return
        event.stop()
        event.prevent_default()
