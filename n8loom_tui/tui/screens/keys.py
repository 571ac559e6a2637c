"""The keys, and how to change them: every action with what fires it, by group. What is pressed next becomes the key."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from n8loom_tui.tui.actions import ACTIONS, Action, actions_by_group
from n8loom_tui.tui.keymap import Keymap
from n8loom_tui.tui.keymap_edit import KeyEditor
from n8loom_tui.tui.keys import MAX_SEQUENCE, Sequence, event_key, format_keys
from n8loom_tui.tui.screens.keyed import KeyedModal
from n8loom_tui.tui.screens.walked import Walked
from n8loom_tui.tui.toml_file import FileProblem
from n8loom_tui.tui.widgets.choice_list import ChoiceList, Entry
from n8loom_tui.tui.widgets.dialog_box import LOW
from n8loom_tui.tui.widgets.dialog_keys import DialogKeys
from n8loom_tui.tui.widgets.sanitize import visible
from n8loom_tui.tui.widgets.search_line import PlainInput
from n8loom_tui.tui.widgets.signs import Signs

WORDS = (
    ("continue_one", "new key"),
    ("add_text", "one more"),
    ("delete", "no key"),
    ("unhoist", "as it was"),
    ("undo", "undo"),
    ("redo", "redo"),
    ("search", "search"),
    ("stop", "close"),
)
CAPTURE_KEYS = "enter take it   esc give up"


class KeysScreen(Walked, KeyedModal[None]):
    """Lists the actions; while keys are being pressed for one (`_pressed` is not None) they are nothing else."""

    VERTICAL_BREAKPOINTS = LOW

    def __init__(self, editor: KeyEditor, signs: Signs, use: Callable[[Keymap], None]) -> None:
        """`use` brings a changed keymap into force."""
        super().__init__(editor.keymap)
        self._editor = editor
        self._use = use
        self._signs = signs
        self._list = ChoiceList(signs=signs, id="keys-list")
        self._listed: list[Action | None] = []
        self._pressed: Sequence | None = None
        self._beside = False

    def compose(self) -> ComposeResult:
        with Vertical(id="keys-box", classes="dialog"):
            yield Static(id="keys-title", classes="dialog-title")
            yield PlainInput(
                placeholder="a word of its name or help, or a key", id="keys-search", compact=True
            )
            yield self._list
            yield Static(id="keys-hint", classes="dialog-intro")
            yield Static(id="keys-said")
            yield DialogKeys(id="keys-keys")

    def on_mount(self) -> None:
        self._field.display = False
        title = Text.assemble(("Keys", "bold"), f"   {visible(self._editor.keymap.name, ' ')}")
        self.query_one("#keys-title", Static).update(title)
        self.fill()
        self._list.focus()

    @property
    def _field(self) -> PlainInput:
        return self.query_one(PlainInput)

    # --------------------------------------------------------------------- list

    def fill(self) -> None:
        """List what is searched for, or all."""
        here, found = self._action, self._found()
        self._listed = []
        entries: list[Entry] = []
        for group, actions in actions_by_group().items():
            fitting = [action for action in actions if action.id in found]
            if fitting:
                self._listed += [None, *fitting]
                entries += [Entry(group.value, heading=True), *map(self._entry, fitting)]
        self._list.show(entries)
        self._list.put(self._listed.index(here) if here in self._listed else 0)
        self._tell()

    def _found(self) -> set[str]:
        """The actions whose name or key is searched for; where there are none, those whose help says it."""
        wanted = self._field.value.strip().casefold() if self._field.display else ""
        by_name = {
            action.id
            for action in ACTIONS.values()
            if wanted in action.title.casefold()
            or wanted in action.id
            or wanted in self._labels(action).casefold().split("   ")
        }
        return by_name or {action.id for action in ACTIONS.values() if wanted in action.help.casefold()}

    def _labels(self, action: Action) -> str:
        return "   ".join(self._editor.keymap.labels(action.id))

    def _entry(self, action: Action) -> Entry:
        own = action.id in self._editor.own
        return Entry(action.title, self._labels(action) or "no key", f"({action.id})", chosen=own)

    @property
    def _action(self) -> Action | None:
        at = self._list.cursor
        return self._listed[at] if 0 <= at < len(self._listed) else None

    @on(ChoiceList.Moved)
    def _tell(self, _message: ChoiceList.Moved | None = None) -> None:
        """Say what the action under the cursor does, and which keys do what here."""
        action = self._action
        own = f"{self._signs.root} A line of yours." if action and action.id in self._editor.own else ""
        hint = f"{action.help} {own}" if action else "Nothing fits." if not self._listed else ""
        self.query_one("#keys-hint", Static).update(Text(hint))
        shown = ((self.keymap.label(name), word) for name, word in WORDS)
        keys = "   ".join(f"{key} {word}" for key, word in shown if key)
        self.query_one(DialogKeys).show(CAPTURE_KEYS if self._capturing else keys)

    def _say(self, what: str) -> None:
        self.query_one("#keys-said", Static).update(Text(visible(what)))

    # ------------------------------------------------------------------- search

    def do_search(self, _count: int | None) -> None:
        self._field.display = True
        self._field.focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._list.put(0)
        self.fill()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self._list.focus()

    def do_stop(self, _count: int | None) -> None:
        """Leave the search, then the screen."""
        if not self._field.display:
            self.dismiss(None)
            return
        self._field.value = ""
        self._field.display = False
        self._list.focus()
        self.fill()

    # ------------------------------------------------------------------ changing

    @property
    def _capturing(self) -> bool:
        return self._pressed is not None

    def do_continue_one(self, _count: int | None) -> None:
        self._begin(beside=False)

    def do_add_text(self, _count: int | None) -> None:
        self._begin(beside=True)

    @on(ChoiceList.Chosen)
    def _clicked(self) -> None:
        self._begin(beside=False)

    def _begin(self, *, beside: bool) -> None:
        """Have what is pressed next for the action under the cursor."""
        if self._action is not None:
            self._pressed, self._beside = (), beside
            self._show_pressed()

    def on_key(self, event: events.Key) -> None:
        if self._pressed is None:
            if self._field.has_focus and event.key in ("up", "down"):
                self._list.focus()
            super().on_key(event)
            return
        event.stop()
        event.prevent_default()
        key = event_key(event.key, event.character)
        if key == "escape":
            self._end()
            self._say("")
        elif key == "enter" and self._pressed:
            self._take(self._pressed)
        elif len(self._pressed) < MAX_SEQUENCE:
            self._pressed = (*self._pressed, key)
            self._show_pressed()

    def _show_pressed(self) -> None:
        """Say what was pressed so far, and whom it is taken from."""
        action, pressed = self._action, self._pressed
        if action is None or pressed is None:
            return
        what = "One more key" if self._beside else "New key"
        said = f"{what} for {action.title}: {format_keys(pressed) or 'press it'}"
        if pressed and (objection := self._editor.objection(pressed)):
            said = f"{said}\n{objection}"
        elif pressed:
            said = "\n".join([said, *self._losses(action, pressed)])
        self._say(said)
        self._tell()

    def _losses(self, action: Action, pressed: Sequence) -> list[str]:
        lines = []
        for taken in self._editor.taken(action.id, pressed):
            keys = " and ".join(map(format_keys, taken.keys))
            kept = " and ".join(map(format_keys, taken.kept))
            rest = f"keeps {kept}" if kept else "has no key then"
            lines.append(f"{keys} is taken from {ACTIONS[taken.action].title}, which {rest}.")
        return [*lines[:2], *([f"And {len(lines) - 2} more."] if len(lines) > 2 else [])]

    def _take(self, pressed: Sequence) -> None:
        action = self._action
        self._end()
        if action is not None:
            beside = self._beside
            self._change(lambda: self._editor.bind(action.id, pressed, beside=beside), action)

    def _end(self) -> None:
        self._pressed = None
        self._tell()

    def do_delete(self, _count: int | None) -> None:
        if (action := self._action) is not None:
            self._change(lambda: self._editor.unbind(action.id), action)

    def do_unhoist(self, _count: int | None) -> None:
        if (action := self._action) is not None:
            self._change(lambda: self._editor.reset(action.id), action)

    def do_undo(self, _count: int | None) -> None:
        self._change(lambda: "Taken back." if self._editor.undo() else "Nothing was changed here yet.")

    def do_redo(self, _count: int | None) -> None:
        self._change(lambda: "Done again." if self._editor.redo() else "Nothing was taken back here.")

    def _change(self, change: Callable[[], str | None], action: Action | None = None) -> None:
        """Make a change, bring it into force, and say what is so now."""
        try:
            said = change()
        except FileProblem as problem:
            self._say(f"{problem}.")
            return
        if action is not None:
            said = f"{action.title}: {self._labels(action) or 'no key'}. Stored in {self._editor.path.name}."
        self._use(self._editor.keymap)
        self.route_by(self._editor.keymap)
        self._say(said or "")
        self.fill()
