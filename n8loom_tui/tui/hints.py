"""A quiet word on the next useful key, where the moment has one. Each is given a few times and then never again.

Knows no widget: it is told what happens, and says what may be shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from n8loom_tui.tui.actions import ACTIONS
from n8loom_tui.tui.keymap import Keymap
from n8loom_tui.tui.preferences import HINT_TIMES, Preferences


class Moment(Enum):
    """When a hint may be of use."""

    GROWING = "growing"
    ENDED = "ended"
    LARGE = "large"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Hint:
    """Actions, each with a word on what it is good for now. Those without a key are left out."""

    name: str
    words: tuple[tuple[str, str], ...]


HINTS = {
    Moment.GROWING: Hint(
        "growing", (("row_down", "walk meanwhile"), ("ramify", "more from anywhere"), ("stop", "stop"))
    ),
    Moment.ENDED: Hint(
        "ended",
        (("child", "go in"), ("token_cursor", "token cursor"), ("children_side_by_side", "side by side")),
    ),
    Moment.LARGE: Hint(
        "large", (("fold_all_but_path", "fold all but the path"), ("search", "search"), ("map", "map"))
    ),
    Moment.CUT: Hint("cut", (("undo", "take it back"),)),
}
LARGE = 100
"""Nodes from which on a tree is large."""
CUTS = frozenset({"delete", "make_leaf", "clip", "trim"})
"""Actions that take something away."""


def text(hint: Hint, keymap: Keymap) -> str:
    """A hint in a line; empty if there is no key to tell of."""
    keys = [(keymap.label(action), word) for action, word in hint.words if action in ACTIONS]
    return ", ".join(f"{key} {word}" for key, word in keys if key)


class Hints:
    """Which hint is shown now, by the keys of `keymap`."""

    def __init__(self, keymap: Keymap) -> None:
        self.keymap = keymap
        self._grew = False
        self._times = 0
        self._large = False

    def moment(self, growing: bool, times: int, nodes: int) -> Moment | None:
        """What has begun or ended since the last call.

        `times`: how often branches were begun in all. They may all have ended since.
        """
        grew = self._grew or times != self._times
        began, ended = growing and not self._grew, grew and not growing
        self._times = times
        became_large = nodes >= LARGE and not self._large
        self._grew, self._large = growing, nodes >= LARGE
        if began:
            return Moment.GROWING
        if ended:
            return Moment.LARGE if became_large else Moment.ENDED
        return None

    def give(self, moment: Moment, looks: Preferences) -> tuple[str, tuple[str, ...]] | None:
        """What to show, and the hints given by then; None if nothing is to be said."""
        hint = HINTS[moment]
        told = text(hint, self.keymap)
        if not looks.hints or not told or looks.hints_given.count(hint.name) >= HINT_TIMES:
            return None
        return told, (*looks.hints_given, hint.name)
