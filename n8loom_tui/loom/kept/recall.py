"""Brings paths back from disk, one file at a time, so that branches that stream hardly notice."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from n8loom_tui.loom.fragments import Fragment
from n8loom_tui.loom.store import FragmentStore

from .index import Entry, chosen, reach
from .names import Chain

if TYPE_CHECKING:
    from .keeper import Kept

LOOKING = 0.01
"""Seconds that one step may look for files without having found any."""


class Recall:
    """Some paths that are wanted in memory."""

    def __init__(self, kept: Kept, store: FragmentStore, paths: Iterable[Sequence[int]]) -> None:
        self._kept = kept
        self._store = store
        self._steps = self._all(paths)

    def step(self) -> list[int] | None:
        """Bring back one file, or look for it a while.

        Returns the path that has come to be held by that; an empty one for none yet; None when there is no more.
        """
        until = time.monotonic() + LOOKING
        for path in self._steps:
            if path or time.monotonic() > until:
                return path
        return None

    def _all(self, paths: Iterable[Sequence[int]]) -> Iterator[list[int]]:
        for path in paths:
            if self._store.match_length(path) < len(path):
                try:
                    chain = Chain(path)
                except OverflowError:
                    continue
                yield from self._one(list(path), chain)
            yield []

    def _one(self, path: list[int], chain: Chain) -> Iterator[list[int]]:
        """What is on disk of a path. A file that is no good is left out of the next attempt."""
        while True:
            held = self._held(path)
            found = self._kept.along(path, chain)
            stop = reach(found, held)
            state = self._state(path, chain, stop)
            if self._store.states:
                stop = state.name.stop if state is not None else held
            wanted = [(each.entry, min(stop, each.stop)) for each in chosen(found, held, stop)]
            if state is not None:
                wanted.append((state, stop))
            bad = None
            for entry, end in wanted:
                if not self._load(entry, path[:end]):
                    bad = entry
                    break
                self._kept.used([str(entry.name)])  # now: once the path is whole nobody goes on here
                yield path[:end]
            if bad is None or not self._kept.forgot(bad):
                return  # all is there, or the memory has no room for it
            # Nothing leads to what is behind it any more, and that may be no better: it is written anew.
            self._kept.forget(each.entry for each in found if each.start > bad.name.start)

    def _held(self, path: Sequence[int]) -> int:
        """Up to where the path's keys and values are in memory."""
        return self._store.held(path, 0, len(path)).tokens

    def _state(self, path: Sequence[int], chain: Chain, limit: int) -> Entry | None:
        """The state that the path would go on from, if it is deeper than those in memory."""
        if not self._store.states:
            return None
        entry = self._kept.index.state_along(chain, limit)
        return entry if entry is not None and entry.name.stop > self._store.match_length(path) else None

    def _load(self, entry: Entry, path: list[int]) -> bool:
        """Put a file's part of a path into the store. Whether it is held there now."""
        if entry.name.is_state:
            state = self._kept.load_state(entry, path)
            if state is None:
                return False
            with self._kept.unnoted():
                self._store.put(path, len(path), Fragment(0, (), (), ()), {len(path): state})
            return self._store.match_length(path) == len(path)
        fragment = self._kept.load_keys(entry, path)
        if fragment is None:
            return False
        start, before = entry.name.start, self._held(path)
        with self._kept.unnoted():
            self._store.put(path, start, fragment.part(0, len(path) - start))
        held = self._held(path)
        self._kept.restored += held - before
        return held == len(path)
