"""The app: starts the engine's thread, drains what it tells, and performs what the keys ask for.

The UI's thread owns the tree and never waits on the engine.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text
from textual import events
from textual.app import App, SystemCommand
from textual.driver import Driver
from textual.filter import LineFilter
from textual.screen import ModalScreen, Screen

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.protocol import Request, Stop
from n8loom_tui.models.errors import one_line
from n8loom_tui.paths import config_dir
from n8loom_tui.tui.actions import ACTIONS, footer_actions
from n8loom_tui.tui.backend import Backend, ModelInfo
from n8loom_tui.tui.catch_up import CatchUp
from n8loom_tui.tui.collector import EVERY, Collector
from n8loom_tui.tui.commands import Commands
from n8loom_tui.tui.document import Change, Document, EditError
from n8loom_tui.tui.drafting import Drafting
from n8loom_tui.tui.ending import end_when_told
from n8loom_tui.tui.engine_thread import EngineThread
from n8loom_tui.tui.evictions import Evictions
from n8loom_tui.tui.filling import Filling
from n8loom_tui.tui.finding.finder import Finder
from n8loom_tui.tui.hearing import Hearing
from n8loom_tui.tui.keymap import Keymap
from n8loom_tui.tui.leaving import Leaving
from n8loom_tui.tui.looks import Looks
from n8loom_tui.tui.marked import MarkedSet
from n8loom_tui.tui.new_looms import NewLooms
from n8loom_tui.tui.notices import Noticing
from n8loom_tui.tui.opening import Opening
from n8loom_tui.tui.pace import Pace
from n8loom_tui.tui.palette import ActionCommands
from n8loom_tui.tui.preferences import FILE_NAME as PREFERENCES
from n8loom_tui.tui.preferences import PreferencesFile
from n8loom_tui.tui.presets import FILE_NAME as PRESETS
from n8loom_tui.tui.saving import Saving
from n8loom_tui.tui.screens.editor import Written
from n8loom_tui.tui.screens.keyed import Keyed
from n8loom_tui.tui.screens.loom import LoomScreen
from n8loom_tui.tui.settings import Settings
from n8loom_tui.tui.slices import Spread
from n8loom_tui.tui.status import Status
from n8loom_tui.tui.terminal import terminal_driver
from n8loom_tui.tui.token_facts import TokenLore
from n8loom_tui.tui.tuning import Tuning
from n8loom_tui.tui.typeahead import TypeAhead
from n8loom_tui.tui.watching import Watching
from n8loom_tui.tui.whereabouts import Whereabouts
from n8loom_tui.tui.widgets.sanitize import visible

DRAIN_RATE = 1 / 30
"""Seconds between two looks at what the engine told."""
FIRST_PAINT = 0.05
"""Seconds that what is shown first has to itself."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What the command line asked for."""

    prompt: str | None = None
    chat: bool = True
    named: bool = False
    """Whether a session was asked for by its name: then no other is offered."""
    settings: Settings = field(default_factory=Settings)
    given: Mapping[str, Any] = field(default_factory=dict)
    """Settings that count more than what the session remembers."""
    theme: str | None = None
    reduced_motion: bool = False
    notices: tuple[str, ...] = ()
    """Lines to show once the app is up, such as problems in a keymaps file."""


class LoomApp(Noticing, inherit_bindings=False):
    """n8loom-tui."""

    TITLE = "n8loom"
    CSS_PATH = "app.tcss"
    COMMANDS = App.COMMANDS | {ActionCommands}
    COMMAND_PALETTE_BINDING = "f24"

    def __init__(
        self,
        backend: Backend,
        keymap: Keymap,
        saving: Saving,
        launch: Launch | None = None,
        *,
        collects: bool = False,
        debug: bool = False,
    ) -> None:
        """`collects`: the process is the app's alone, so that it may see to Python's garbage itself."""
        super().__init__()
        self._pace = Pace()
        self._collector = Collector(self._pace) if collects else None
        self._debug_wanted = debug
        self.launch = launch or Launch()
        self.keymap = keymap
        self.saving = saving
        self.tuning = Tuning(self.launch.settings, self.launch.given, config_dir() / PRESETS, saving)
        looks = PreferencesFile(config_dir() / PREFERENCES)
        self.looks = Looks(self, looks, reduced=self.launch.reduced_motion)
        self.document: Document = saving.document
        self.engine = EngineThread(backend)
        self.status = Status(saving)
        self.evictions = Evictions()
        self.failure: BaseException | None = None
        self.marked = MarkedSet(self.document)
        self.commands = Commands(self)
        self.watching = Watching(self)
        self.lore = TokenLore(self.document, self.ask_engine)
        typed = self._typed = TypeAhead(self, super().on_event)
        self.filling = Filling(self, typed)
        self.opening = Opening(self)
        self.new_looms = NewLooms(self)
        self.drafting = Drafting(self)
        self.hearing = Hearing(self)
        self.catch_up = CatchUp(Document(), None)  # nothing, until it is known where the person stands
        self._model_asked_for = False
        self.whereabouts = Whereabouts(self)
        self.leaving = Leaving(self)

    # -------------------------------------------------------------------- keys

    def get_driver_class(self) -> type[Driver]:
        return terminal_driver(super().get_driver_class())

    async def on_event(self, event: events.Event) -> None:
        typed = isinstance(event, events.Key | events.Paste) and not event.is_forwarded
        if typed:
            self._pace.key_came()
        if typed and isinstance(self.screen, ModalScreen):
            self.make_room()
        ordered = typed or self.filling.hold_mouse(event)
        await (self._typed.take(event) if ordered else super().on_event(event))

    # -------------------------------------------------------------- beginning

    async def on_mount(self) -> None:
        self.view = self._new_view()
        await self.push_screen(self.view)
        end_when_told(self.leaving.end, lambda: self._typed.settled)
        self.set_interval(DRAIN_RATE, self._drain_in_time)
        if self._collector is not None:
            self.set_interval(EVERY, self._collector.tend)
        self.theme_changed_signal.subscribe(self, lambda theme: self.looks.theme_changed(theme.name))
        self.looks.begin(self.launch.theme)
        self.call_after_refresh(self.begin)

    def _load_model(self) -> None:
        """Load the model, behind the text: its imports alone would take the first second for themselves."""
        if not self._model_asked_for:
            self._model_asked_for = True
            # What waits for a screen's refresh goes with that screen.
            self.set_timer(FIRST_PAINT, self.engine.start)

    def get_line_filters(self) -> Sequence[LineFilter]:
        return self.looks.filters(super().get_line_filters())

    def begin(self) -> None:
        """Show what is open, and what there is to say of it; of a large session what is in sight, and the rest is read
        behind that."""
        self.whereabouts.take_up(time.monotonic())
        if self.filling.active:
            self.catch_up = CatchUp(Document(), None)
            self.call_after_refresh(self.filling.begin)
            self.refresh_bars()
            return
        self.catch_up = CatchUp(self.document, self.view.current)
        self.opened()

    def opened(self) -> None:
        """All of a session is there: say what there is to say of it, and begin what was wanted."""
        for notice in (*self.launch.notices, *self.saving.notices, *self.tuning.notices()):
            self.tell(notice, "warning")
        self.drafting.tell()
        self._load_model()
        if self.launch.prompt is not None:
            self.new_looms.start(Written(self.launch.prompt, self.launch.chat))
        elif not self.document.roots and self.launch.named:
            self.new_looms.write_first()
        elif not self.document.roots:
            self.opening.welcome()
        self.refresh_bars()

    def take_up(self, saving: Saving, ready_for: ModelInfo | None = None) -> None:
        """Make this session the one that is open. `ready_for`: the model that it was made ready for already."""
        self.saving, self.document = saving, saving.document
        self.status.saving = saving
        self.commands = Commands(self)
        self.lore = TokenLore(self.document, self.ask_engine)
        self.marked, self.evictions = MarkedSet(self.document), Evictions()
        self.whereabouts = Whereabouts(self)
        if self.status.model is not None and self.status.model is not ready_for:
            self.document.use_model(self.status.model)
            saving.model(self.status.model)
        self.tuning.take_up(saving, self.launch.given)
        self.watching.take_up()
        self.view.tree_view.show_marked(self.marked.ids)

    def show_anew(self) -> None:
        """Make a screen for the session that is open."""
        self.view = self._new_view()
        self.view.use_looks_later(self.looks.now, self.looks.signs)

    def _new_view(self) -> LoomScreen:
        """A screen of the document that is open."""
        view = LoomScreen(self.document, self.keymap)
        view.tree_view.show_marked(self.marked.ids)
        return view

    # ------------------------------------------------------------- the engine

    def ask_engine(self, request: Request | None) -> None:
        """Hand a request to the engine. Before the model is there it waits."""
        if request is not None:
            self.engine.submit(request)

    def drain(self) -> None:
        """Take what the engine told since the last time, and show it at once."""
        if self.screen_stack:  # else the app is ending
            self.hearing.drain()

    def _drain_in_time(self) -> None:
        """Not where a key would have to wait for it."""
        if self._pace.due():
            self.drain()

    def stands_on(self, node: Heddle | None) -> None:
        """The cursor came to a node: somebody has seen it."""
        self.whereabouts.moved = True
        if node is not None:
            ready = Spread(self.document.readying_path(node))
            self.view.run_worker(ready, group="ready", exclusive=True)
        if node is not None and not self.view.is_searching:
            self.view.show_change(self.document.read(node))

    def searched(self) -> None:
        """A search is over; the cursor stands where it stays."""
        self.view.tell_hits()
        self.stands_on(self.view.current)
        self.refresh_bars()

    @property
    def finder(self) -> Finder:
        """What is searched for, and where it is."""
        return self.view.finder

    def leap(self, node: Heddle) -> None:
        """Go to a node from which `jump_back` leads back to where one is."""
        here = self.view.current
        if here is not None and here is not node:
            self.view.jumps.leave(here.id)
        self.view.go_to(node)

    def folds_changed(self) -> None:
        """Something was folded or unfolded."""
        self.whereabouts.folded = True

    # ---------------------------------------------------------------- actions

    def perform(self, action: str, count: int | None = None) -> None:
        """Do what a key or the palette asked for."""
        if self.filling.puts_off(action, count):
            return
        self.view.end_search(keep=True)
        self.view.take_no_key()
        self.status.said = ""
        told, done = self.told, self.document.history.undoable[-1:]
        try:
            self.commands.perform(action, count)
        except EditError as error:
            self.tell(str(error), "warning")
        if isinstance(self.screen, ModalScreen) and self.told is told:
            self.make_room()
        self.watching.acted(action, changed=self.document.history.undoable[-1:] != done)
        self.refresh_bars()

    @property
    def settings(self) -> Settings:
        """What the next branches grow by."""
        return self.tuning.settings

    def use_keymap(self, keymap: Keymap) -> None:
        """Have the keys be these."""
        self.keymap = keymap
        self.view.use_keymap(keymap)
        self.watching.hints.keymap = keymap
        self.refresh_bars()

    def use_settings(self, settings: Settings) -> None:
        """Have the next branches grow by these."""
        self.tuning.use(settings)
        self.refresh_bars()

    def show(self, change: Change, label: str = "edit", goes_to: Heddle | None = None) -> None:
        """Show a change, store it, and have the engine do its part. `goes_to`: where the cursor is put next."""
        if change.stop:
            self.stop_branches(frozenset(change.stop))
        if change.removed or change.added or change.rearranged:
            self.marked.trees_changed()
        self.view.show_change(change, goes_to)
        on_top: object = self.screen
        if isinstance(on_top, Keyed) and on_top is not self.view:
            on_top.show_change(change)
        self.saving.save(label)
        for request in change.requests:
            self.ask_engine(request)
        if change.said:
            self.status.said = change.said

    def show_there(self, change: Change, label: str = "edit") -> None:
        """As `show`, and the cursor goes to where it happened."""
        focus = change.focus if change.focus is not None and change.focus.id in self.document.nodes else None
        self.show(change, label, focus)
        self.view.go_to(focus)

    def marked_nodes(self) -> list[Heddle]:
        """The nodes that are marked, from top to bottom."""
        return self.marked.nodes()

    def unmark_all(self) -> None:
        """Take all marks away."""
        self.marked.clear()
        self.view.tree_view.refresh()

    def stop_branches(self, ids: frozenset[str] | None) -> None:
        """Stop these branches, or all (None)."""
        self.engine.submit(Stop(ids))

    # --------------------------------------------------------------- the bars

    def refresh_bars(self) -> None:
        """Bring the lines at the edges up to date, and what a mode shows."""
        if self.commands.mode is not None:
            self.commands.mode.settle()
        self.status.preset, self.status.marked = self.tuning.preset_name, len(self.marked)
        self.status.show(self.view, self.document, self.settings)
        self.show_keys()

    def show_keys(self, pending: str | None = None) -> None:
        """Show the keys that fit the moment. `pending` None leaves what is typed so far as it is."""
        if pending is not None:
            self.status.pending = pending
        growing = bool(self.document.growing)
        entries = [
            (self.keymap.label(action.id), action.footer)
            for action in footer_actions()
            if action.id != "stop" or growing
        ]
        if self.commands.mode is not None:
            shown = self.commands.mode.footer
            entries = [("".join(map(self.keymap.label, actions)), word) for actions, word in shown]
        self.status.show_keys(self.view, [(key, word) for key, word in entries if key])

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        for command in super().get_system_commands(screen):
            if command.title == "Theme":
                yield command

    def actions(self) -> Iterator[tuple[str, str, str]]:
        """What the palette lists: (action id, title, help)."""
        for action in ACTIONS.values():
            yield action.id, action.title, action.help

    # ----------------------------------------------------------------- the end

    def _handle_exception(self, error: Exception) -> None:
        """Something in the UI broke: the terminal is restored, what is open is stored, one line says what."""
        super()._handle_exception(error)
        if not self._debug_wanted:
            what = visible(one_line(error) or type(error).__name__, "⏎")
            self._exit_renderables[:] = [
                Text(
                    f"n8loom-tui: the screen broke ({what}). What was written is stored; --debug shows where."
                )
            ]
