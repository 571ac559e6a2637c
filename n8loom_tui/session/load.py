"""A session file into trees. Believes nothing: whatever a row holds, it becomes a node or a line among the problems."""

from __future__ import annotations

import gc
import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from n8loom_tui.loom.heddle import Heddle, Kind, Loom

from .errors import one_line
from .packing import unpack, unpack_ends, unpack_text
from .record import CURRENT, ModelRef

MOST_PROBLEMS = 50

_COLUMNS = """id, parent, kind, text, tokens, ends, encoded, framing, user_prompt, terminal, finish, created,
    provenance, model, folded, deleted, position, seq"""
_KINDS = {str(kind): kind for kind in Kind}

Row = tuple[Any, ...]


@dataclass(slots=True)
class LoadedSession:
    """What a session holds.

    Attributes:
        roots: the trees, without what is in the trash. Nodes have no model yet.
        current_id: the node that the person stood on; None if that is not among them.
        folded_ids: nodes that are folded.
        models: by node id, the model that the node's token ids belong to, where that is known.
        meta: further values of the session.
        problems: what was not in order and what was made of it, a line each.
        damaged: the file could not be read to its end; what could be read is here, and it must not be written to.
        nodes, trashed: how many nodes there are in the trees and in the trash.
    """

    roots: list[Heddle] = field(default_factory=list)
    current_id: str | None = None
    folded_ids: set[str] = field(default_factory=set)
    models: dict[str, ModelRef] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    damaged: bool = False
    nodes: int = 0
    trashed: int = 0

    def note(self, problem: str) -> None:
        """Add a problem; behind the first `MOST_PROBLEMS` they are only counted in a last line."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(one_line(problem))
        elif len(self.problems) == MOST_PROBLEMS:
            self.problems.append("There are more problems than these.")


def load_session(db: sqlite3.Connection) -> LoadedSession:
    """Read a session. The connection is the caller's, its tables are checked.

    Raises:
        sqlite3.Error: not one row can be read.
    """
    loaded = LoadedSession()
    with _no_collector():
        nodes = _Nodes(_read(db, loaded), _models(db, loaded), loaded)
        nodes.hang()
    _take_meta(db, loaded, nodes.live)
    return loaded


@contextmanager
def _no_collector() -> Iterator[None]:
    """Keep the cycle collector from walking over 100,000 new nodes again and again: half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


# ------------------------------------------------------------------- reading


def _read(db: sqlite3.Connection, loaded: LoadedSession) -> list[Row]:
    """All rows; of a damaged file those that can be reached from either end."""
    try:
        return db.execute(f"SELECT {_COLUMNS} FROM nodes ORDER BY seq").fetchall()
    except (sqlite3.Error, MemoryError) as error:
        first = error
    db.text_factory = _lenient_text
    rows: dict[Any, Row] = {}
    for direction in ("ASC", "DESC"):
        try:
            for row in db.execute(f"SELECT {_COLUMNS} FROM nodes ORDER BY seq {direction}"):
                rows.setdefault(row[-1], row)
        except (sqlite3.Error, MemoryError):
            loaded.damaged = True
    if not rows:
        raise first if isinstance(first, sqlite3.Error) else sqlite3.DatabaseError("out of memory")
    if loaded.damaged:
        loaded.note(f"The file is damaged ({first}); {len(rows)} of its nodes could be read.")
    return [rows[seq] for seq in sorted(rows)]


def _lenient_text(blob: bytes) -> str:
    return blob.decode("utf-8", "replace")


def _models(db: sqlite3.Connection, loaded: LoadedSession) -> dict[Any, ModelRef]:
    try:
        return {
            key: ModelRef(str(name), str(fingerprint), str(vocabulary))
            for key, name, fingerprint, vocabulary in db.execute("SELECT id, name, fingerprint, vocabulary FROM models")
        }
    except sqlite3.Error as error:
        loaded.damaged = True
        loaded.note(f"The names of the models could not be read ({error}).")
        return {}


def _take_meta(db: sqlite3.Connection, loaded: LoadedSession, live: set[str]) -> None:
    try:
        rows = db.execute("SELECT key, value FROM meta").fetchall()
    except sqlite3.Error as error:
        loaded.damaged = True
        loaded.note(f"The session's view could not be read ({error}).")
        return
    for key, value in rows:
        try:
            loaded.meta[str(key)] = json.loads(value)
        except (ValueError, TypeError, RecursionError):
            loaded.note(f"The session's value {str(key)!r} could not be read.")
    current = loaded.meta.pop(CURRENT, None)
    loaded.current_id = current if isinstance(current, str) and current in live else None


# ------------------------------------------------------------------ building


class _Nodes:
    """Rows on their way to trees."""

    def __init__(self, rows: list[Row], models: dict[Any, ModelRef], loaded: LoadedSession) -> None:
        self.live: set[str] = set()
        self._loaded = loaded
        self._nodes: dict[str, Heddle] = {}
        self._parents: dict[str, Any] = {}
        self._trash: set[str] = set()
        self._folded: set[str] = set()
        self._models: dict[str, ModelRef] = {}
        for row in _in_order(rows):
            self._enter(row, models)

    def _enter(self, row: Row, models: dict[Any, ModelRef]) -> None:
        name = row[0]
        if not isinstance(name, str) or not name or name in self._nodes:
            what = "comes twice" if isinstance(name, str) and name else "has no name"
            self._loaded.note(f"Row {row[17]} of the session {what} and was left out.")
            return
        try:
            self._nodes[name] = _node(row)
        except (ValueError, TypeError, OverflowError, RecursionError, MemoryError):
            self._nodes[name] = self._mended(row)
        self._parents[name] = row[1]
        if row[15] is not None:
            self._trash.add(name)
        if row[14]:
            self._folded.add(name)
        if row[13] in models:
            self._models[name] = models[row[13]]

    def _mended(self, row: Row) -> Heddle:
        """A node of a row that is not in order: its text as far as it can be read, and what else makes sense."""
        text = _some_text(row[3])
        prompt = None if row[8] is None else _some_text(row[8])
        kind = row[2] if row[2] in _KINDS else str(Kind.WRITTEN)
        created = row[11] if isinstance(row[11], float) and math.isfinite(row[11]) else 0.0
        finish = row[10] if isinstance(row[10], str) else None
        plain = [row[0], row[1], kind, text.encode(), b"", b"", 0, row[7]]
        plain += [None if prompt is None else prompt.encode(), bool(row[9]), finish, created, "{}"]
        node = _node((*plain, *row[13:]))
        try:
            node.set_span(*_span(row, text))
        except (ValueError, TypeError, OverflowError, MemoryError):
            self._loaded.note(f"Node {row[0]}: its token ids could not be read; its text will be encoded again.")
        else:
            node.encoded = bool(row[6])
            self._loaded.note(f"Node {row[0]}: something about it could not be read and was left out.")
        try:
            node.provenance = _provenance(row[12])
        except (ValueError, TypeError, RecursionError):
            pass
        return node

    def hang(self) -> None:
        """Put each node below its parent, and those that have none, or have lost it, among the roots."""
        loaded, nodes = self._loaded, self._nodes
        dropped = []
        for name, node in nodes.items():
            parent = self._parents[name]
            if name in self._trash:
                dropped.append(node)
            elif parent is None:
                loaded.roots.append(node)
            elif isinstance(parent, str) and parent in nodes:
                node.parent = nodes[parent]
                node.parent.children.append(node)
            else:
                loaded.note(f"Node {name}: what stood above it is missing; it is a tree of its own now.")
                loaded.roots.append(node)
        trashed = _reach(dropped)
        self.live = _reach(loaded.roots)
        if len(trashed) + len(self.live) < len(nodes):
            self._open_circles(trashed)
        loaded.nodes, loaded.trashed = len(self.live), len(trashed)
        loaded.folded_ids = self._folded & self.live
        loaded.models = {name: model for name, model in self._models.items() if name in self.live}

    def _open_circles(self, trashed: set[str]) -> None:
        """What is reached from no root hangs in a circle: the first node of each becomes a root."""
        for name, node in self._nodes.items():
            if name in self.live or name in trashed:
                continue
            if node.parent is not None:
                node.parent.remove_child(node)
            self._loaded.roots.append(node)
            self._loaded.note(f"Node {name} stood below itself; it is a tree of its own now.")
            self.live |= _reach([node])


def _in_order(rows: list[Row]) -> list[Row]:
    """Rows by their position among their siblings; rows are in the order of their coming before."""
    try:
        return sorted(rows, key=lambda row: row[16])
    except TypeError:
        return sorted(rows, key=lambda row: row[16] if isinstance(row[16], int) else 0)


def _reach(tops: list[Heddle]) -> set[str]:
    """The ids of these nodes and of all below them."""
    stack = list(tops)
    found = set()
    while stack:
        node = stack.pop()
        found.add(node.id)
        stack.extend(node.children)
    return found


def _node(row: Row) -> Heddle:
    """The node of a row that is in order, hung nowhere yet.

    Raises:
        ValueError, TypeError: the row is not in order.
    """
    text = unpack_text(row[3])
    node: Heddle
    if row[7] is not None and row[1] is None:
        prompt = text if row[8] is None else unpack_text(row[8])
        node = Loom(None, None, prompt, chat=_framing(row[7]))
        node.set_span([], text, [])
    else:
        node = Heddle.from_text(text)
    if row[6]:
        node.set_span(*_span(row, text))
    else:
        node.encoded = False
    node.id = row[0]
    node.kind = _KINDS[row[2]]
    node.terminal = bool(row[9])
    node.finish = row[10]
    node.created = row[11]
    node.provenance = _provenance(row[12])
    return node


def _framing(value: Any) -> bool:
    if value not in {"chat", "raw"}:
        raise ValueError(f"{value!r} is no framing")
    return bool(value == "chat")


def _span(row: Row, text: str) -> tuple[list[int], str, list[int]]:
    tokens, ends = unpack(row[4]), unpack_ends(row[5])
    if len(tokens) != len(ends) or (ends and not 0 <= ends[0] <= ends[-1] <= len(text)):
        raise ValueError("the ends do not match the text")
    return tokens, text, ends


def _provenance(value: str) -> dict[str, Any]:
    if value == "{}":
        return {}
    found = json.loads(value)
    if not isinstance(found, dict):
        raise ValueError("not a table")
    return found


def _some_text(value: Any) -> str:
    """As much of a text as can be read."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
