"""A session file into trees. Believes nothing: a row becomes a node, or a line among the problems."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from n8loom_tui.garbage import no_collector
from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.marks import UNREAD, Marks

from . import schema
from .drafts import COLUMNS as DRAFT_COLUMNS
from .drafts import Draft, Place, drafts_of
from .errors import UNREADABLE, one_line
from .history import Step
from .packing import read_json, unpack_text
from .provenance import sound
from .record import CURRENT, SHARED, ModelRef, StepState
from .rows import COLUMNS, NOT_IN_ORDER, Origins, Row, mended_node, node_of

MOST_PROBLEMS = 50
LONGEST_GAP = 5_000
"""Rows that are looked for in vain before the rest is given up."""

_ID, _PARENT, _POSITION, _MODEL, _FOLDED, _DELETED = map(
    Row._fields.index, ("id", "parent", "position", "model", "folded", "deleted")
)


@dataclass(slots=True)
class LoadedSession:
    """What a session holds.

    Attributes:
        by_id: the nodes of the trees by id.
        roots: the trees, without what is in the trash. Nodes have no model yet.
        current_id: the node that the person stood on; None if that is not among them.
        folded_ids: nodes that are folded.
        trash: what was taken out of the trees, and what was cut off nodes or replaced in them; the latest last.
        where: by id of what is in the trash, the node that it hung below or was a part of.
        models: by node id, the model that the node's token ids belong to, where that is known; the trash's too.
        done, undone: the steps of the history, in the order in which they were done.
        last_step: the largest id that a step ever had.
        drafts: words that were written and not entered, the oldest first.
        meta: further values of the session.
        problems: what was not in order and what was made of it, a line each.
        damaged: the file could not be read to its end. What could be read is here; it must not be written to.
        nodes, trashed: how many nodes there are in the trees and in the trash.
    """

    roots: list[Heddle] = field(default_factory=list)
    by_id: dict[str, Heddle] = field(default_factory=dict)
    trash: list[Heddle] = field(default_factory=list)
    where: dict[str, str] = field(default_factory=dict)
    done: list[Step] = field(default_factory=list)
    undone: list[Step] = field(default_factory=list)
    last_step: int = 0
    current_id: str | None = None
    folded_ids: set[str] = field(default_factory=set)
    models: dict[str, ModelRef] = field(default_factory=dict)
    drafts: dict[Place, Draft] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    damaged: bool = False
    nodes: int = 0
    trashed: int = 0

    def let_go(self) -> None:
        """Have its memory free once nobody holds it: parents and children hold each other, and the cycle collector is
        kept from them. The trees are of no use afterwards."""
        for node in [node for top in (*self.roots, *self.trash) for node in top.walk()]:
            node.parent, node.children = None, []

    def note(self, problem: str) -> None:
        """Add a problem. Behind the first `MOST_PROBLEMS` a last line only says that there are more."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(one_line(problem))
        elif len(self.problems) == MOST_PROBLEMS:
            self.problems.append("There are more problems than these.")


def load_session(db: sqlite3.Connection, rows: list[tuple[Any, ...]] | None = None) -> LoadedSession:
    """Read a session, or what a few of its nodes, whose `rows` are given, are without the others and without a
    history. The connection is the caller's, its tables are checked.

    Raises:
        UNREADABLE: not one row can be read.
    """
    loaded = LoadedSession()
    part = None if rows is None else [row[_ID] for row in rows]
    with no_collector():
        rows = _read_nodes(db, loaded) if rows is None else rows
        db.text_factory = _lenient_text
        nodes = _Nodes(loaded, _models(db, loaded), _origins(db, loaded))
        nodes.enter(rows)
        nodes.hang()
        if schema.version(db) >= schema.WITH_HISTORY:
            nodes.mark(_read_table(db, loaded, "node, bookmark, tags, note, unread", "marks", part))
        if schema.version(db) >= schema.WITH_HISTORY and part is None:
            _take_steps(db, loaded)
        if schema.version(db) >= schema.WITH_ODDS:
            nodes.know(_read_table(db, loaded, "node, data", "odds", part))
    if schema.version(db) >= schema.WITH_DRAFTS and part is None:
        _take_drafts(db, loaded)
    _take_meta(db, loaded, nodes.live)
    return loaded


# ------------------------------------------------------------------- reading


def _read_nodes(db: sqlite3.Connection, loaded: LoadedSession) -> list[tuple[Any, ...]]:
    """All rows, in the order of their coming; of a damaged file those that can be reached from either end."""
    try:
        return db.execute(f"SELECT {COLUMNS} FROM nodes ORDER BY seq").fetchall()
    except UNREADABLE as error:
        first: Exception = error
    db.text_factory = _lenient_text
    rows: dict[Any, tuple[Any, ...]] = {}
    ends = []
    for direction in ("ASC", "DESC"):
        last = 0
        try:
            for row in db.execute(f"SELECT {COLUMNS} FROM nodes ORDER BY seq {direction}"):
                last = row[0]
                rows.setdefault(last, row)
        except UNREADABLE:
            loaded.damaged = True
        ends.append(last)
    if loaded.damaged:
        rows |= _between(db, *ends)
    if not rows:
        raise first
    if loaded.damaged:
        loaded.note(f"The file is damaged ({first}); {len(rows)} of its nodes could be read.")
    return [rows[seq] for seq in sorted(rows)]


def _between(db: sqlite3.Connection, first: int, last: int) -> dict[Any, tuple[Any, ...]]:
    """Rows between two places where reading on failed, looked for one by one: what lies between two damaged pages."""
    found = {}
    missed = 0
    for seq in range(first + 1, max(last, first + LONGEST_GAP)):
        row = None
        with suppress(*UNREADABLE):
            row = db.execute(f"SELECT {COLUMNS} FROM nodes WHERE seq = ?", (seq,)).fetchone()
        if row is not None:
            found[seq] = row
        missed = 0 if row is not None else missed + 1
        if missed > LONGEST_GAP:
            break
    return found


def _lenient_text(blob: bytes) -> str:
    return blob.decode("utf-8", "replace")


def _read_table(
    db: sqlite3.Connection, loaded: LoadedSession, columns: str, table: str, part: list[str] | None = None
) -> list[tuple[Any, ...]]:
    """A small table, or as much of it as can be read; only what it tells of the nodes in `part`, if given."""
    if part is not None:
        read = f"SELECT {columns} FROM {table} WHERE node = ?"
        return [row for name in part for row in db.execute(read, (name,))]
    rows = []
    try:
        for row in db.execute(f"SELECT {columns} FROM {table}"):
            rows.append(row)  # noqa: PERF402 - what came before an error counts
    except UNREADABLE as error:
        loaded.damaged = True
        what = table.partition(" ")[0]
        loaded.note(f"The file is damaged: not all of its {what} could be read ({error}).")
    return rows


def _models(db: sqlite3.Connection, loaded: LoadedSession) -> dict[Any, ModelRef]:
    rows = _read_table(db, loaded, "id, name, fingerprint, vocabulary", "models")
    return {key: ModelRef(*(str(value) for value in values)) for key, *values in rows}


def _origins(db: sqlite3.Connection, loaded: LoadedSession) -> Origins:
    found = {}
    for key, value in _read_table(db, loaded, "id, value", "origins"):
        try:
            told = dict(read_json(value))
            # Many nodes share it, so what it holds must be small.
            found[key] = sound({name: told[name] for name in SHARED if name in told})
            if found[key] != told:
                loaded.note(f"Origin {key} of the session is not in order; what makes sense of it is kept.")
        except (ValueError, TypeError, RecursionError):
            loaded.note(f"Origin {key} of the session could not be read.")
    return found


def _take_steps(db: sqlite3.Connection, loaded: LoadedSession) -> None:
    """The history. The operations are only read when they are needed."""
    for key, label, at, state, operations in _read_table(
        db, loaded, "id, label, at, state, operations", "steps ORDER BY id"
    ):
        if not isinstance(key, int):
            continue
        loaded.last_step = max(loaded.last_step, key)
        known = isinstance(operations, bytes) and isinstance(at, float)
        step = Step(key, one_line(str(label)), at if known else 0.0, operations if known else b"")
        if state == StepState.DONE:
            loaded.done.append(step)
        elif state == StepState.UNDONE:
            loaded.undone.append(step)


def _take_drafts(db: sqlite3.Connection, loaded: LoadedSession) -> None:
    problems: list[str] = []
    loaded.drafts = drafts_of(_read_table(db, loaded, DRAFT_COLUMNS, "drafts"), problems)
    for problem in problems:
        loaded.note(problem)


def _take_meta(db: sqlite3.Connection, loaded: LoadedSession, live: dict[str, Heddle]) -> None:
    for key, value in _read_table(db, loaded, "key, value", "meta"):
        try:
            loaded.meta[str(key)] = read_json(value)
        except (ValueError, TypeError, RecursionError):
            loaded.note(f"The session's value {str(key)!r} could not be read.")
    current = loaded.meta.pop(CURRENT, None)
    loaded.current_id = current if isinstance(current, str) and current in live else None


# ------------------------------------------------------------------ building


class _Nodes:
    """Rows on their way to trees."""

    def __init__(self, loaded: LoadedSession, models: dict[Any, ModelRef], origins: Origins) -> None:
        self.live: dict[str, Heddle] = {}
        self._loaded = loaded
        self._known_models = models
        self._origins = origins
        self._nodes: dict[str, Heddle] = {}
        self._parents: dict[str, Any] = {}
        self._trash: dict[str, float] = {}
        self._folded: set[str] = set()
        self._models: dict[str, ModelRef] = {}

    def enter(self, rows: list[tuple[Any, ...]]) -> None:
        """Make a node of every row."""
        nodes, parents, origins = self._nodes, self._parents, self._origins
        models, known = self._models, self._known_models
        for row in _in_order(rows):
            name, model, deleted = row[_ID], row[_MODEL], row[_DELETED]
            if not isinstance(name, str) or not name or name in nodes:
                what = "comes twice" if isinstance(name, str) and name else "has no name"
                self._loaded.note(f"Row {row[0]} of the session {what} and was left out.")
                continue
            try:
                nodes[name] = node_of(row, origins)
            except NOT_IN_ORDER:
                nodes[name], problem = mended_node(row, origins)
                self._loaded.note(problem)
            parents[name] = row[_PARENT]
            if deleted is not None:
                self._trash[name] = deleted if isinstance(deleted, float) else 0.0
            if row[_FOLDED]:
                self._folded.add(name)
            if model in known:
                models[name] = known[model]

    def hang(self) -> None:
        """Put each node below its parent, and those that have none, or have lost it, among the roots."""
        loaded, nodes = self._loaded, self._nodes
        dropped: list[Heddle] = []
        orphans: list[Heddle] = []
        parents, trash = self._parents, self._trash
        for name, node in nodes.items():
            parent = parents[name]
            if name in trash:
                dropped.append(node)
            elif parent is None:
                loaded.roots.append(node)
            elif isinstance(parent, str) and (above := nodes.get(parent)) is not None:
                node.parent = above
                above.children.append(node)
            else:
                loaded.note(f"Node {name}: what stood above it is missing; it is a tree of its own now.")
                orphans.append(node)
        loaded.roots += orphans
        trashed = _reach(dropped)
        self.live = _reach(loaded.roots)
        if len(trashed) + len(self.live) < len(nodes):
            self._open_circles(trashed)
        loaded.trash = sorted(dropped, key=lambda node: self._trash[node.id])
        loaded.where = {name: parents[name] for name in trash if isinstance(parents[name], str)}
        loaded.by_id, loaded.nodes, loaded.trashed = self.live, len(self.live), len(trashed)
        loaded.folded_ids = self._folded & self.live.keys()
        loaded.models = self._models

    def mark(self, rows: list[tuple[Any, ...]]) -> None:
        """Give nodes their marks."""
        for name, bookmark, tags, note, unread in rows:
            node = self._nodes.get(name) if isinstance(name, str) else None
            if node is None:
                continue
            if unread == 1 and not bookmark and tags == "[]" and note == b"":
                node.marks = UNREAD  # as most are that have any marks
                continue
            try:
                words = read_json(tags)
                if not all(isinstance(word, str) for word in words):
                    raise ValueError("not a list of words")
                node.marks = Marks(bool(bookmark), tuple(words), unpack_text(note), bool(unread))
            except NOT_IN_ORDER:
                self._loaded.note(f"Node {name}: its marks could not be read.")

    def know(self, rows: list[tuple[Any, ...]]) -> None:
        """Give nodes what is known of their tokens. It is not looked into before it is asked for."""
        for name, data in rows:
            node = self._nodes.get(name) if isinstance(name, str) else None
            if node is None or not node.encoded:
                continue
            try:
                node.packed_odds = data
            except NOT_IN_ORDER:
                self._loaded.note(f"Node {name}: the probabilities of its tokens could not be read.")

    def _open_circles(self, trashed: dict[str, Heddle]) -> None:
        """What is reached from no root hangs in a circle: the first node of each becomes a root."""
        for name, node in self._nodes.items():
            if name in self.live or name in trashed:
                continue
            if node.parent is not None:
                node.parent.remove_child(node)
            self._loaded.roots.append(node)
            self._loaded.note(f"Node {name} stood below itself; it is a tree of its own now.")
            self.live |= _reach([node])


def _in_order(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows by their position among their siblings; where that is the same, as they came."""
    try:
        return sorted(rows, key=itemgetter(_POSITION))
    except TypeError:
        return sorted(rows, key=lambda row: row[_POSITION] if isinstance(row[_POSITION], int) else 0)


def _reach(tops: list[Heddle]) -> dict[str, Heddle]:
    """These nodes and all below them by id, from top to bottom."""
    stack = tops[::-1]
    found = {}
    while stack:
        node = stack.pop()
        found[node.id] = node
        if node.children:
            stack += node.children[::-1]
    return found
