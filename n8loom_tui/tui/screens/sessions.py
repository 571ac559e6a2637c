"""The session browser: what there is, at a glance; open, name, copy, throw away and bring back.

What the sessions hold is read beside the app, one after the other; the list is there at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.cells import set_cell_size
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from n8loom_tui.session import library
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.history_edits import counted
from n8loom_tui.session.library import Summary
from n8loom_tui.session.typed import mode_at
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.widgets.dialog_box import LOW, DialogBox
from n8loom_tui.tui.widgets.dialog_keys import DialogKeys
from n8loom_tui.tui.widgets.field import LineField
from n8loom_tui.tui.widgets.sanitize import truncate_cells, visible
from n8loom_tui.tui.widgets.shown import last_line, one_line

KEYS = "enter open   ctrl+n new loom   ctrl+r rename   ctrl+y copy   ctrl+d throw away   ctrl+t trash   esc close"
TRASH_KEYS = "enter bring back   ctrl+t sessions   esc close"
NAME_WIDTH = 24
FACTS_WIDTH = 24
PREVIEW_LINES = 3
MORE = "…"
REFILL_EVERY = 0.3
"""Seconds between two fillings of a narrowed list while sessions are read: each takes a look at all of them."""


@dataclass(frozen=True, slots=True)
class Open:
    """A session is to be opened."""

    path: Path


@dataclass(frozen=True, slots=True)
class NewLoom:
    """A new loom is wanted, in a session of its own."""


class SessionsScreen(ModalScreen[Open | NewLoom | None]):
    """Returns what is wanted. The text field narrows the list to sessions whose name, title or end hold the words."""

    VERTICAL_BREAKPOINTS = LOW

    def __init__(self, current: Path | None, store: Callable[[], object], intro: str = "") -> None:
        """`current` is the session that is open here; `store` waits until what it holds is in its file."""
        super().__init__()
        self._current, self._store = current, store
        self._intro = intro
        self._in_trash = False
        self._all: list[Summary] = []
        self._shown: list[Summary] = []
        self._places: dict[Path, int] = {}

    def compose(self) -> ComposeResult:
        with DialogBox(id="sessions-box"):
            yield Static(Text("Sessions", style="bold"), id="sessions-title", classes="dialog-title")
            if self._intro:
                yield Static(Text(self._intro), classes="dialog-intro")
            yield LineField(placeholder="type to search", id="sessions-search")
            yield OptionList(id="sessions-list", classes="flexible")
            yield Static(id="sessions-preview")
            yield Static(id="sessions-said", classes="dialog-said")
            yield DialogKeys(KEYS, id="sessions-keys")

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._list()

    # ------------------------------------------------------------------ the list

    def _list(self) -> None:
        """List what there is now, and read it."""
        folder = library.trash_dir() if self._in_trash else library.sessions_dir()
        self._all = [Summary(path, when) for when, path in library.dated(folder)]
        self._fill()
        self.run_worker(self._read(), exclusive=True, group="summaries")

    async def _read(self) -> None:
        """Read what the sessions hold. Each is told in its own line: the list stays where a person scrolled it."""
        refill_at: float | None = None
        for index, known in enumerate(self._all):
            if known.path == self._current:
                await asyncio.to_thread(self._store)
            found = self._all[index] = await asyncio.to_thread(library.summary, known.path)
            if not self._tell(found):
                refill_at = refill_at or time.monotonic() + REFILL_EVERY
            if refill_at is not None and (time.monotonic() >= refill_at or index + 1 == len(self._all)):
                refill_at = None
                self._refill()

    def _tell(self, found: Summary) -> bool:
        """Show what is known now of a session. False if it has yet to come into the narrowed list, or leave it."""
        place = self._places.get(found.path)
        if self._lets_through(found) != (place is not None):
            return False
        if place is not None:
            options = self.query_one(OptionList)
            self._shown[place] = found
            options.replace_option_prompt_at_index(place, self._line(found))
            if place == options.highlighted:
                self._preview(found)
        return True

    def _lets_through(self, found: Summary) -> bool:
        """Whether it holds the words in the field."""
        words = self.query_one(Input).value.casefold().split()
        return not words or all(word in _searched(found) for word in words)

    def _refill(self) -> None:
        """Show what is let through now, where the list was scrolled to."""
        options = self.query_one(OptionList)
        before = options.scroll_y
        self._fill()
        options.scroll_to(y=before, animate=False)

    def _fill(self) -> None:
        """Show the sessions that the words in the field let through, the chosen one still chosen."""
        options, chosen = self.query_one(OptionList), self._chosen
        words = self.query_one(Input).value.split()
        self._shown = [found for found in self._all if self._lets_through(found)]
        self._places = {found.path: place for place, found in enumerate(self._shown)}
        options.set_options([Option(self._line(found)) for found in self._shown])
        if not self._shown:
            what = "The trash is empty." if self._in_trash else "There is no session here."
            options.add_option(Option(Text(what if not words else "Nothing like that."), disabled=True))
            self._preview(None)
            return
        places = [index for index, found in enumerate(self._shown) if chosen and found.path == chosen.path]
        options.highlighted = places[0] if places else 0
        self._preview(self._shown[options.highlighted])

    @property
    def _chosen(self) -> Summary | None:
        index = self.query_one(OptionList).highlighted
        return self._shown[index] if index is not None and index < len(self._shown) else None

    def _line(self, found: Summary) -> Text:
        width = max(self.query_one(OptionList).size.width - 4, 20)
        name = visible(found.name, " ") + (" (open)" if found.path == self._current else "")
        title = found.problem or one_line(found.title, " ", 200)
        facts = f"{counted(found.nodes, 'node')} · {ago(time.time() - found.changed)}"
        room = max(width - NAME_WIDTH - FACTS_WIDTH - 2, 0)
        cells = [_cell(name, NAME_WIDTH), _cell(title, room), _cell(facts, FACTS_WIDTH)]
        return Text(" ".join(cells), no_wrap=True, overflow="ellipsis")

    def _preview(self, found: Summary | None) -> None:
        preview = self.query_one("#sessions-preview", Static)
        width = preview.size.width or max(self.size.width - 10, 20)
        lines = []
        if found is not None:
            facts = [counted(found.words, "word"), visible(found.model, " "), visible(str(found.path), " ")]
            told = " · ".join(fact for fact in facts if fact)
            lines = [truncate_cells(told, width, MORE), _end(found.preview, PREVIEW_LINES * width)]
        preview.update(Text("\n".join(lines)))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._fill()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._preview(self._chosen)

    # ------------------------------------------------------------------- keys

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._take()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._take()

    def on_key(self, event: events.Key) -> None:
        options = self.query_one(OptionList)
        does: dict[str, Callable[[], object]] = {
            "escape": lambda: self.dismiss(None),
            "up": options.action_cursor_up,
            "down": options.action_cursor_down,
            "pageup": options.action_page_up,
            "pagedown": options.action_page_down,
            "ctrl+n": lambda: self.dismiss(NewLoom()),
            "ctrl+r": lambda: self._ask("Rename", library.rename),
            "ctrl+y": lambda: self._ask("Copy", library.copy),
            "ctrl+d": self._discard,
            "ctrl+t": self._flip,
        }
        if event.key in does:
            event.stop()
            event.prevent_default()
            does[event.key]()

    def _take(self) -> None:
        chosen = self._chosen
        if chosen is None or self._gone(chosen):
            return
        if self._in_trash:
            self._do(lambda: library.restore(chosen.path))
        else:
            self.dismiss(Open(chosen.path))

    def _flip(self) -> None:
        """From the sessions to the trash, and back."""
        self._in_trash = not self._in_trash
        self.query_one("#sessions-title", Static).update(
            Text("Sessions in the trash" if self._in_trash else "Sessions", style="bold")
        )
        self.query_one(DialogKeys).show(TRASH_KEYS if self._in_trash else KEYS)
        self._say("")
        self._list()

    def _discard(self) -> None:
        chosen = self._chosen
        if chosen is None or self._in_trash or self._refuse_open(chosen) or self._gone(chosen):
            return
        self._do(lambda: library.discard(chosen.path))

    def _gone(self, found: Summary) -> bool:
        """Whether a session was taken away since it was listed; then say so, and list what there is."""
        try:
            if mode_at(found.path) is not None:
                return False
            said = f"{visible(found.name, ' ')} is not there any more."
        except SessionError as error:
            said = str(error)
        self._say(said)
        self._list()
        return True

    def _refuse_open(self, found: Summary) -> bool:
        if found.path == self._current:
            self._say("This one is open here.")
        return found.path == self._current

    def _ask(self, title: str, act: Callable[[Path, Path], None]) -> None:
        """Ask for a name, and rename or copy to it."""
        chosen = self._chosen
        if chosen is None or self._in_trash or (act is library.rename and self._refuse_open(chosen)):
            return
        if self._gone(chosen):
            return

        def check(text: str) -> str | None:
            try:
                library.named(text)
            except SessionError as error:
                return str(error)
            return None

        def answered(text: str | None) -> None:
            if text is not None:
                self._do(lambda: act(chosen.path, library.named(text)))

        hint = "A name, or a path."
        self.app.push_screen(AskScreen(title, hint, visible(chosen.name, " "), check), answered)

    def _do(self, act: Callable[[], object]) -> None:
        """Do something to the files beside the app, and list them anew."""

        async def done() -> None:
            try:
                await asyncio.to_thread(act)
            except SessionError as error:
                self._say(str(error))
            else:
                self._say("")
            self._list()

        self.run_worker(done(), group="files")

    def _say(self, text: str) -> None:
        self.query_one("#sessions-said", Static).update(Text(text))


def _searched(found: Summary) -> str:
    return f"{found.name}\n{found.title}\n{found.preview}".casefold()


def _end(text: str, limit: int) -> str:
    """The last so many characters of a text on a line, with a mark where there are more."""
    return (MORE if len(text) > limit else "") + last_line(text, " ⏎ ", limit)


def _cell(text: str, width: int) -> str:
    """A text in so many cells."""
    return set_cell_size(truncate_cells(text, width), width) if width > 0 else ""


def ago(seconds: float) -> str:
    """How long ago something was, in a word or two."""
    for size, unit in ((86400 * 365, "y"), (86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"
