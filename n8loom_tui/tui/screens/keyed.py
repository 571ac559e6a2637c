"""Screens whose keys are those of the keymap: what is typed becomes actions, as on the loom's own screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from textual import events
from textual.screen import ModalScreen, Screen

from n8loom_tui.loom.protocol import Event
from n8loom_tui.session.change import Change
from n8loom_tui.tui.keymap import Keymap
from n8loom_tui.tui.router import Fire, KeyRouter, Pending

Result = TypeVar("Result")


class Keyed:
    """Turns keys into calls of `perform`. A mixin in front of a Textual screen; `keymap` is set first."""

    keymap: Keymap

    def route_by(self, keymap: Keymap) -> None:
        """Take keys by a keymap."""
        self.keymap = keymap
        self._router = KeyRouter(keymap)
        self._next_key: Callable[[str], object] | None = None

    def take_next_key(self, then: Callable[[str], object], pending: str) -> None:
        """Have the next key, whatever it is in the keymap, for something else: `then` is given the character that it
        types, if any. Escape gives it up. `pending` is shown meanwhile."""
        self._next_key = then
        self.show_pending(pending)

    @property
    def awaits_key(self) -> bool:
        """Whether the next key is for something else than the keymap says."""
        return self._next_key is not None

    def take_no_key(self) -> None:
        """Do without that key."""
        if self._next_key is not None:
            self._next_key = None
            self.show_pending("")

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if self._next_key is not None:
            then, self._next_key = self._next_key, None
            self.show_pending("")
            if event.key != "escape":
                then(event.character or "")
            return
        routed = self._router.feed(event.key, event.character)
        if isinstance(routed, Fire):
            self.perform(routed.action, routed.count)
        if self._next_key is None:
            self.show_pending(routed.text if isinstance(routed, Pending) else "")

    def perform(self, action: str, count: int | None) -> None:
        """Do what a key asked for: here, the screen's own `do_<action>`, if it has one."""
        does = getattr(self, f"do_{action}", None)
        if does is not None:
            does(count)

    def show_change(self, change: Change) -> None:
        """Show what happened in the trees. Nothing, unless the screen shows any of it."""

    def hear(self, events: Iterable[Event]) -> None:
        """Take what the engine told. Nothing, unless the screen has asked for something."""

    def show_pending(self, pending: str) -> None:
        """Show what was typed and waits for more. Nothing, unless the screen has a place for it."""


class _Closed(Keyed):
    """A screen whose `do_<action>` methods are all that its keys do; escape and q (the actions stop and quit) close
    it."""

    def __init__(self, keymap: Keymap) -> None:
        super().__init__()
        self.route_by(keymap)

    def do_stop(self, _count: int | None) -> None:
        self.dismiss(None)  # type: ignore[attr-defined]

    def do_quit(self, _count: int | None) -> None:
        self.dismiss(None)  # type: ignore[attr-defined]


class KeyedScreen(_Closed, Screen[Result], Generic[Result], inherit_bindings=False):
    """In place of the loom's screen, such as the map."""


class KeyedModal(_Closed, ModalScreen[Result], Generic[Result], inherit_bindings=False):
    """Over the screen that it was opened from."""
