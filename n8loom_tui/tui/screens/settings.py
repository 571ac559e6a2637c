"""The settings: how branches grow, presets, how the app looks. Each value is checked where it is typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from n8loom_tui.tui.screens.keyed import KeyedModal
from n8loom_tui.tui.screens.walked import Walked
from n8loom_tui.tui.widgets.choice_list import ChoiceList, Entry
from n8loom_tui.tui.widgets.dialog_keys import DialogKeys

if TYPE_CHECKING:
    from n8loom_tui.tui.keymap import Keymap
    from n8loom_tui.tui.widgets.signs import Signs


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the list, what it means, and what can be done with it."""

    entry: Entry
    hint: str = ""
    enter: Callable[[], None] | None = None
    step: Callable[[int], None] | None = None
    delete: Callable[[], None] | None = None


class SettingsScreen(Walked, KeyedModal[None]):
    """Lists lines and does with them what the keymap's keys for walking, entering and deleting say."""

    def __init__(
        self,
        keymap: Keymap,
        signs: Signs,
        title: str,
        lines: Callable[[], Sequence[Line]],
        *,
        once: bool = False,
    ) -> None:
        """`lines` is asked anew after each change. `once`: the first one that is entered closes the screen."""
        super().__init__(keymap)
        self._heading = title
        self._lines = lines
        self._once = once
        self._shown: Sequence[Line] = ()
        self._list = ChoiceList(signs=signs, id="settings-list")

    def compose(self) -> ComposeResult:
        with Vertical(id="settings-box", classes="dialog short" if self._once else "dialog"):
            yield Static(Text(self._heading, style="bold"), classes="dialog-title")
            yield self._list
            yield Static(id="settings-hint", classes="dialog-intro")
            yield DialogKeys(self._keys())

    def on_mount(self) -> None:
        self.fill()
        self._list.focus()
        chosen = (at for at, line in enumerate(self._shown) if line.entry.chosen)
        self._list.put(next(chosen, 0) if not any(line.step for line in self._shown) else 0)

    def on_screen_resume(self, _event: events.ScreenResume) -> None:
        self.fill()

    def _keys(self) -> str:
        steps = (("child", "more"), ("parent", "less"), ("continue_one", "change"))
        words = (*((("continue_one", "choose"),) if self._once else steps), ("delete", "delete preset"))
        shown = [(self.keymap.label(action), word) for action, word in words]
        parts = [f"{key} {word}" for key, word in shown if key]
        return "   ".join([*parts, f"{self.keymap.label('stop')} close"])

    def fill(self) -> None:
        """Show the lines as they are now."""
        self._shown = self._lines()
        self._list.show([line.entry for line in self._shown])
        self._tell()

    @on(ChoiceList.Moved)
    def _tell(self) -> None:
        line = self._line
        self.query_one("#settings-hint", Static).update(Text(line.hint if line is not None else ""))

    @property
    def _line(self) -> Line | None:
        at = self._list.cursor
        return self._shown[at] if 0 <= at < len(self._shown) else None

    # ------------------------------------------------------------------- keys

    def do_child(self, count: int | None) -> None:
        self._step(count or 1)

    def do_parent(self, count: int | None) -> None:
        self._step(-(count or 1))

    def _step(self, steps: int) -> None:
        line = self._line
        if line is not None and line.step is not None:
            line.step(steps)
            self._changed()

    def do_continue_one(self, _count: int | None) -> None:
        line = self._line
        if line is not None and line.enter is not None:
            line.enter()
            if self._once:
                self.dismiss(None)
            else:
                self._changed()

    def do_ramify(self, count: int | None) -> None:
        self.do_continue_one(count)

    @on(ChoiceList.Chosen)
    def _clicked(self) -> None:
        self.do_continue_one(None)

    def do_delete(self, _count: int | None) -> None:
        line = self._line
        if line is not None and line.delete is not None:
            line.delete()
            self._changed()

    def do_settings(self, _count: int | None) -> None:
        self.dismiss(None)

    def _changed(self) -> None:
        if self.is_current:
            self.fill()
