"""Changing keys while the app runs: what a key is taken by, giving it to another action, and back again.

Each change is a line in the person's own keymaps file, whose other lines stay as they are. Pure: no Textual.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from n8loom_tui.tui.actions import ACTIONS
from n8loom_tui.tui.keymap import Keymap, load_keymaps
from n8loom_tui.tui.keymap_file import OVERRIDE, Problems, read_keymap_file
from n8loom_tui.tui.keymap_write import change_keys, text_of
from n8loom_tui.tui.keys import BadKey, Sequence, format_keys, parse_keys
from n8loom_tui.tui.toml_file import FileProblem, replace_file


@dataclass(frozen=True, slots=True)
class Taken:
    """An action whose keys are in the way of others, and what it would keep without them."""

    action: str
    keys: tuple[Sequence, ...]
    kept: tuple[Sequence, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    before: str | None
    after: str | None


class KeyEditor:
    """A keymap, and the file in which it is changed.

    Attributes:
        keymap: what is in force.
        own: the actions that have a line of their own in the file.
    """

    def __init__(self, keymap: Keymap, path: Path, shipped: Path) -> None:
        self.keymap = keymap
        self.path = path
        self._shipped = shipped
        self._done: list[_Step] = []
        self._undone: list[_Step] = []
        self._look()

    def _look(self) -> None:
        """Read what the file says now."""
        self.keymap, _ = load_keymaps(self.keymap.name, self._shipped, self.path)
        table = read_keymap_file(self.path, Problems()).get(OVERRIDE) if self.path.exists() else None
        self.own = frozenset(table.entries if table is not None else ())

    def objection(self, keys: Sequence) -> str:
        """What is wrong with keys that were pressed, if anything is."""
        try:
            parse_keys(format_keys(keys, ascii_only=True))
        except BadKey as bad:
            return f"{bad.message}; {bad.fix}"
        return ""

    def taken(self, action: str, keys: Sequence) -> list[Taken]:
        """Which other actions have these keys, begin with them, or are the beginning of them."""
        found = []
        for other, sequences in self.keymap.bindings.items():
            clashing = tuple(one for one in sequences if _alike(one, keys))
            if clashing and other != action:
                kept = tuple(one for one in sequences if one not in clashing)
                found.append(Taken(other, clashing, kept))
        return found

    def bind(self, action: str, keys: Sequence, *, beside: bool = False) -> None:
        """Give an action keys, in place of those that it has or beside them. What others lose by it is taken from them.

        Raises:
            FileProblem: that can't be; nothing was changed.
        """
        if objection := self.objection(keys):
            raise FileProblem(objection)
        here = [one for one in self.keymap.keys_of(action) if beside and one != keys]
        changes: dict[str, list[str] | None] = {action: _written([*here, keys])}
        for taken in self.taken(action, keys):
            self._see_kept(taken.action, taken.kept)
            changes[taken.action] = _written(taken.kept)
        self._change(changes)
        if keys not in self.keymap.keys_of(action):
            self.undo()
            self._undone.pop()
            raise FileProblem(
                f"{self.path} has mistakes of its own: mend them first (n8loom-tui keys --check)"
            )

    def unbind(self, action: str) -> None:
        """Leave an action without a key.

        Raises:
            FileProblem: it has to have one, or the file can't be written.
        """
        self._see_kept(action, ())
        self._change({action: []})

    def reset(self, action: str) -> None:
        """Give an action the keys that it has without a line of its own.

        Raises:
            FileProblem: others have them by lines of theirs, or the file can't be written.
        """
        if action in self.own:
            self._change({action: None})

    def _see_kept(self, action: str, kept: tuple[Sequence, ...]) -> None:
        if ACTIONS[action].essential and not kept:
            raise FileProblem(f"{ACTIONS[action].title} always has a key: give it another one first")

    def _change(self, changes: dict[str, list[str] | None]) -> None:
        before, after = change_keys(self.path, self._shipped, changes, self.keymap.name)
        self._done.append(_Step(before, after))
        self._undone.clear()
        self._look()

    # --------------------------------------------------------------- undo, redo

    def undo(self) -> bool:
        """Take the last change back; tells whether there was one.

        Raises:
            FileProblem: the file was changed by somebody else since, or can't be written.
        """
        if not self._done:
            return False
        step = self._done[-1]
        self._put(step.after, step.before)
        self._undone.append(self._done.pop())
        return True

    def redo(self) -> bool:
        """Make the change again that was taken back last; tells whether there was one.

        Raises:
            FileProblem: as for `undo`.
        """
        if not self._undone:
            return False
        step = self._undone[-1]
        self._put(step.before, step.after)
        self._done.append(self._undone.pop())
        return True

    def _put(self, there: str | None, wanted: str | None) -> None:
        if text_of(self.path) != there:
            raise FileProblem(f"{self.path} was changed meanwhile and stays as it is")
        if wanted is None:
            self.path.unlink(missing_ok=True)
        else:
            replace_file(self.path, wanted)
        self._look()


def _alike(one: Sequence, other: Sequence) -> bool:
    """Whether one begins with the other, so that only one of them can be had."""
    size = min(len(one), len(other))
    return one[:size] == other[:size]


def _written(sequences: list[Sequence] | tuple[Sequence, ...]) -> list[str]:
    return [format_keys(sequence, ascii_only=True) for sequence in sequences]
