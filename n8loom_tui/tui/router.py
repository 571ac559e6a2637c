"""Turns key events into actions: counts, sequences, escape. Pure and synchronous, without timers.

The app feeds it every key that no text field wants, and acts on what comes back.
"""

from dataclasses import dataclass
from typing import Final

from n8loom_tui.tui.actions import ACTIONS
from n8loom_tui.tui.keymap import Keymap
from n8loom_tui.tui.keys import Sequence, event_key, format_keys

MAX_COUNT: Final = 9999


@dataclass(frozen=True, slots=True)
class Fire:
    """An action is to happen. `count` is None when none was typed, or the action has no use for one."""

    action: str
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """More keys are awaited. `text` is what was typed so far, as the status line shows it: `12 g`."""

    text: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Escape dropped a pending count or sequence, and did nothing else."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """No action has these keys. A single one may be passed on to whoever else wants it."""

    keys: Sequence

    @property
    def text(self) -> str:
        """The keys as the screen shows them."""
        return format_keys(self.keys)


Routed = Fire | Pending | Cancelled | Unknown


class KeyRouter:
    """Follows what is typed under one keymap. A new keymap needs a new router."""

    def __init__(self, keymap: Keymap) -> None:
        self.keymap = keymap
        self._count = ""
        self._keys: Sequence = ()

    @property
    def pending(self) -> str:
        """What was typed and waits for more, as the status line shows it; empty when nothing waits."""
        return " ".join(part for part in (self._count, format_keys(self._keys)) if part)

    def reset(self) -> None:
        """Forgets what is pending, as when the focus goes elsewhere."""
        self._count, self._keys = "", ()

    def feed(self, key: str, character: str | None = None) -> Routed:
        """Takes one Textual key event (`event.key`, `event.character`) and says what is to happen."""
        name = event_key(key, character)
        if name == "escape" and self.pending:
            self.reset()
            return Cancelled()
        if not self._keys and self._is_count(name):
            self._count = str(min(int(self._count + name), MAX_COUNT))
            return Pending(self.pending)
        keys = (*self._keys, name)
        if (action := self.keymap.action_of(keys)) is not None:
            count = int(self._count) if self._count and ACTIONS[action].takes_count else None
            self.reset()
            return Fire(action, count)
        if self.keymap.is_prefix(keys):
            self._keys = keys
            return Pending(self.pending)
        self.reset()
        return Unknown(keys)

    def _is_count(self, name: str) -> bool:
        return name in tuple("123456789") or (name == "0" and self._count != "")
