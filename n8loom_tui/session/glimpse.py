"""A first look at a large session: the nodes around the one that the person stood on, in a few milliseconds.

It holds what a screenful of the tree shows there, the path, and the children, exactly as they are once all is loaded;
further off, nodes are missing. Whatever is not in order leads to no glimpse at all: then the session is loaded first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

from . import schema
from .errors import UNREADABLE
from .load import LoadedSession, load_session
from .packing import read_json
from .record import CURRENT, HOISTED
from .rows import COLUMNS, NOT_IN_ORDER

LARGE = 5_000
"""With fewer nodes a session is loaded as quickly as looked at."""
DEEPEST = 20_000
"""Nodes above the one that the person stood on; with more there is no glimpse."""
MOST_CHILDREN = 2_000
"""Children of a node near by; with more there is no glimpse."""
MOST_COUNTED = 20_000
"""Nodes below folded ones that are counted, in all."""
MOST_ASKED = 20_000
"""Nodes whose children are asked for: above a node may hang a branch of any depth, of which the last row is seen."""
STEP, MOST_STEPS = 10_000, 500
"""SQLite's steps between two looks at its work, and how many looks it gets: without its indexes each question would
go through all nodes."""
UNCOUNTED = -1

_CHILDREN = "SELECT id, folded FROM nodes WHERE parent IS ? AND deleted IS NULL ORDER BY position, seq"
_PLACE = "SELECT parent, deleted, folded FROM nodes WHERE id = ?"
_BELOW = """
    WITH RECURSIVE below (id) AS (
        SELECT id FROM nodes WHERE parent = ?1 AND deleted IS NULL
        UNION ALL
        SELECT nodes.id FROM nodes JOIN below ON nodes.parent = below.id WHERE nodes.deleted IS NULL
        LIMIT ?2
    )
    SELECT count(*) FROM below
"""


class _Strange(Exception):
    """The session is not such that a part of it can be looked at by itself."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A part of a session.

    Attributes:
        loaded: that part, as if there were no more. A node of which not all children are here has its first and its
            last one.
        below: by the ids of folded nodes in sight, how many nodes stand below each; `UNCOUNTED` for very many.
        near: the nodes that the cursor can go to with all around it as it will be once everything is loaded.
        rows: how many nodes the session holds, its trash included.
    """

    loaded: LoadedSession
    below: dict[str, int]
    near: frozenset[str]
    rows: int


def take_glimpse(db: sqlite3.Connection, page: int) -> Glimpse | None:
    """Look at a session, for a screen of `page` rows. None: it is to be loaded as a whole."""
    looks = count(1)
    db.set_progress_handler(lambda: next(looks) > MOST_STEPS, STEP)
    try:
        with suppress(*UNREADABLE, *NOT_IN_ORDER, _Strange):
            if schema.version(db) < schema.WITH_PARENTS:
                return None
            (rows,) = db.execute("SELECT coalesce(max(seq), 0) FROM nodes").fetchone()
            if rows >= LARGE:
                return _Around(db).glimpse(page, rows)
    finally:
        db.set_progress_handler(None, 0)
    return None


class _Around:
    """The rows of the tree around one node, read as they are asked for."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[str | None, list[str]] = {}
        self._parents: dict[str, str | None] = {}
        self._folded: set[str] = set()
        self._path: list[str] = []
        self._top: str | None = None

    def glimpse(self, page: int, rows: int) -> Glimpse:
        """That."""
        self._stand()
        here = self._path[-1]
        above = self._rows(self._upward(), 2 * page)
        below = self._rows(self._downward(), 2 * page)
        wanted = self._with_ancestors([*above, *below])
        for name in [None, *wanted]:
            children = self._children(name)
            wanted |= dict.fromkeys([*children[:1], *children[-1:]])
        wanted |= dict.fromkeys(self._children(here))
        near = [here, *above[:page], *below[:page]]
        loaded = load_session(self._db, self._whole(list(wanted)))
        if loaded.problems or loaded.damaged or loaded.nodes != len(wanted):
            raise _Strange
        whole = (name for name in near if all(child in wanted for child in self._children(name)))
        return Glimpse(loaded, self._counts([here, *above, *below]), frozenset(whole), rows)

    def _stand(self) -> None:
        """Find the node that the person stood on, the way down to it, and what of the trees was shown."""
        here = self._meta(CURRENT)
        if not isinstance(here, str):
            here = next(iter(self._children(None)), None)
        seen: dict[str, None] = {}
        while here is not None:
            row = self._db.execute(_PLACE, (here,)).fetchone()
            if row is None or row[1] is not None or here in seen or len(seen) > DEEPEST:
                raise _Strange
            seen[here] = None
            self._folded.update([here] if row[2] else ())
            here = row[0]
        self._path = list(seen)[::-1]
        if not self._path:
            raise _Strange
        hoisted = self._meta(HOISTED)
        depth = -1
        for name in hoisted if isinstance(hoisted, list) else ():
            if name not in seen or self._path.index(name) <= depth:
                break
            depth, self._top = self._path.index(name), name

    def _meta(self, key: str) -> Any:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else read_json(row[0])

    def _children(self, name: str | None) -> list[str]:
        known = self._known.get(name)
        if known is None:
            if len(self._known) > MOST_ASKED:
                raise _Strange
            found = self._db.execute(_CHILDREN, (name,)).fetchall()
            self._folded.update(child for child, folded in found if folded)
            self._parents.update((child, name) for child, _ in found)
            known = self._known[name] = [child for child, _ in found]
        return known

    def _is_folded(self, name: str) -> bool:
        """Whether what is below a node is hidden: never what leads to where the person stands."""
        return name in self._folded and name not in self._path[:-1]

    def _shown_below(self, name: str) -> list[str]:
        return [] if self._is_folded(name) else self._children(name)

    def _siblings(self, depth: int) -> list[str]:
        """The node at a depth of the path among those beside it in the tree as it is shown."""
        name = self._path[depth]
        return [name] if name == self._top else self._children(self._path[depth - 1] if depth else None)

    @property
    def _depths(self) -> range:
        """The depths of what is shown of the path, the deepest first."""
        return range(len(self._path) - 1, self._path.index(self._top) - 1 if self._top else -1, -1)

    def _downward(self) -> Iterator[str]:
        """The rows below the last node of the path, one after the other."""
        yield from self._preorder(self._shown_below(self._path[-1]))
        for depth in self._depths:
            siblings = self._siblings(depth)
            yield from self._preorder(siblings[siblings.index(self._path[depth]) + 1 :])

    def _upward(self) -> Iterator[str]:
        """The rows above the last node of the path, from the nearest on."""
        for depth in self._depths:
            siblings = self._siblings(depth)
            yield from self._backwards(siblings[: siblings.index(self._path[depth])])
            if depth and self._path[depth] != self._top:
                yield self._path[depth - 1]

    def _preorder(self, tops: list[str]) -> Iterator[str]:
        stack = tops[::-1]
        while stack:
            name = stack.pop()
            yield name
            stack += self._shown_below(name)[::-1]

    def _backwards(self, tops: list[str]) -> Iterator[str]:
        """These nodes and what shows below them, the last row first."""
        stack = [(name, False) for name in tops]
        while stack:
            name, opened = stack.pop()
            below = () if opened else self._shown_below(name)
            if below:
                stack.append((name, True))
                stack += [(child, False) for child in below]
            else:
                yield name

    def _rows(self, names: Iterator[str], most: int) -> list[str]:
        found: dict[str, None] = {}
        for name in names:
            if name in found or len(self._known.get(name, ())) > MOST_CHILDREN:
                raise _Strange
            found[name] = None
            if len(found) == most:
                break
        return list(found)

    def _with_ancestors(self, names: list[str]) -> dict[str, None]:
        """The path and these nodes, with all that they hang below."""
        found = dict.fromkeys(self._path)
        for name in names:
            above: str | None = name
            while above is not None and above not in found:
                found[above] = None
                above = self._parents[above]
            if len(found) > DEEPEST:
                raise _Strange
        return found

    def _counts(self, names: list[str]) -> dict[str, int]:
        """How many nodes stand below those that are folded."""
        counts: dict[str, int] = {}
        left = MOST_COUNTED
        for name in names:
            if self._is_folded(name) and self._children(name):
                (found,) = self._db.execute(_BELOW, (name, left + 1)).fetchone() if left > 0 else (1,)
                counts[name] = found if found <= left else UNCOUNTED
                left -= found
        return counts

    def _whole(self, names: list[str]) -> list[tuple[Any, ...]]:
        """All that the nodes' rows hold, in the order of their coming."""
        read = f"SELECT {COLUMNS} FROM nodes WHERE id = ?"
        return sorted(self._db.execute(read, (name,)).fetchone() for name in names)
