"""Which files of a model there are, and which of them lie along a path. It belongs to the engine's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from n8loom_tui.loom.radix import common_length

from .names import Chain, Name


@dataclass(slots=True, eq=False)
class Entry:
    """A file. `path`: the token ids down to its end, once they were looked at."""

    name: Name
    path: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A file that begins along a path, and up to where the two agree."""

    entry: Entry
    stop: int

    @property
    def start(self) -> int:
        """Where the file begins."""
        return self.entry.name.start


Peek = Callable[[Entry], list[int] | None]
"""Looks up a file's token ids; None if it is no good, or gone."""


class Index:
    """Files by where in a path they are."""

    def __init__(self, names: Iterable[Name] = ()) -> None:
        self._entries: dict[str, Entry] = {}
        self._keys: dict[tuple[int, int], dict[str, Entry]] = {}
        """By the position that they begin at, and the token there."""
        self._starts: dict[int, int] = {}
        """How many files begin at a position."""
        self._states: dict[int, dict[str, Entry]] = {}
        """By position and hash."""
        for name in names:
            self.add(name)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: Name) -> bool:
        return str(name) in self._entries

    def add(self, name: Name, path: list[int] | None = None) -> None:
        """A file is there. A second time it changes nothing."""
        text = str(name)
        if text in self._entries:
            return
        entry = self._entries[text] = Entry(name, path)
        if name.is_state:
            self._states.setdefault(name.stop, {})[name.whole] = entry
        else:
            self._keys.setdefault((name.start, name.first), {})[text] = entry
            self._starts[name.start] = self._starts.get(name.start, 0) + 1

    def remove(self, text: str) -> None:
        """A file is gone. Does nothing if it was not there."""
        entry = self._entries.pop(text, None)
        if entry is None:
            return
        name = entry.name
        if name.is_state:
            self._states[name.stop].pop(name.whole)
            if not self._states[name.stop]:
                del self._states[name.stop]
            return
        same = self._keys[name.start, name.first]
        del same[text]
        if not same:
            del self._keys[name.start, name.first]
        self._starts[name.start] -= 1
        if not self._starts[name.start]:
            del self._starts[name.start]

    def along(self, path: Sequence[int], chain: Chain, peek: Peek) -> list[Found]:
        """The files of keys and values that agree with a path from its root to beyond where they begin, in order."""
        found = []
        for start in sorted(self._starts):
            if start >= len(path):
                break
            for entry in list(self._keys.get((start, path[start]), {}).values()):
                name = entry.name
                if name.before != chain.at(start):
                    continue
                if name.stop <= len(path) and name.whole == chain.at(name.stop):
                    found.append(Found(entry, name.stop))
                    continue
                entry.path = entry.path or peek(entry)
                if entry.path is not None and (stop := common_length(path, entry.path)) > start:
                    found.append(Found(entry, stop))
        return found

    def state_along(self, chain: Chain, limit: int) -> Entry | None:
        """The deepest state along a path, behind up to `limit` of its tokens."""
        for position in sorted((at for at in self._states if at <= limit), reverse=True):
            entry = self._states[position].get(chain.at(position))
            if entry is not None:
                return entry
        return None


def reach(found: Sequence[Found], start: int) -> int:
    """Up to where files in the order of their beginnings cover a path that is known up to `start`."""
    for each in found:
        if each.start > start:
            break
        start = max(start, each.stop)
    return start


def chosen(found: Sequence[Found], start: int, stop: int) -> list[Found]:
    """As few of these files as possible that go on from `start` up to `stop`, as far as there are any."""
    picked: list[Found] = []
    while start < stop:
        best = max((each for each in found if each.start <= start), key=lambda each: each.stop, default=None)
        if best is None or best.stop <= start:
            break
        picked.append(best)
        start = best.stop
    return picked
