"""Changes into the tables of a session file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import replace

from n8loom_tui.loom.marks import NO_MARKS, Marks

from . import drafts
from .packing import pack, pack_ends, pack_text
from .record import Changes, ModelRef, NodeRecord, to_json

# What a node already stored keeps here: its place (`parent`, `position`), `folded` and `deleted`.
_UPSERT = """
    INSERT INTO nodes (id, parent, kind, text, tokens, ends, encoded, framing, user_prompt, terminal, finish,
                       created, origin, provenance, model, deleted)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET
        kind = excluded.kind, text = excluded.text, tokens = excluded.tokens, ends = excluded.ends,
        encoded = excluded.encoded, framing = excluded.framing, user_prompt = excluded.user_prompt,
        terminal = excluded.terminal, finish = excluded.finish, created = excluded.created,
        origin = excluded.origin, provenance = excluded.provenance, model = coalesce(excluded.model, model)
"""
MOMENT = 1e-6
"""Seconds between nodes that go into the trash together."""
_PLACE = """
    UPDATE nodes SET parent = ?, position = ?, deleted = NULL
    WHERE id = ? AND (parent IS NOT ? OR position IS NOT ? OR deleted IS NOT NULL)
"""


def apply(db: sqlite3.Connection, changes: Changes) -> None:
    """Enter one operation. The caller holds the transaction.

    Raises:
        sqlite3.Error: the file refuses.
        UnicodeEncodeError: an id that is no text.
    """
    if changes.purged is not None:
        _purge(db, changes.purged)
    refs = {model: _model_id(db, model) for model in {record.model for record in changes.records}}
    origins = {origin: _origin_id(db, origin) for origin in {record.origin for record in changes.records}}
    db.executemany(
        _UPSERT,
        (_row(record, refs[record.model], origins[record.origin], changes.at) for record in changes.records),
    )
    _know(db, changes.records)
    for parent, children in changes.orders.items():
        db.executemany(
            _PLACE, ((parent, place, child, parent, place) for place, child in enumerate(children))
        )
    db.executemany(
        "UPDATE nodes SET deleted = ? WHERE id = ? AND (deleted IS NULL OR deleted = ?)",
        (
            (changes.at + place * MOMENT, node, changes.at)  # what came last into the trash stays the last
            for place, node in enumerate(changes.deleted)
        ),
    )
    if changes.folded is not None:
        _fold(db, changes.folded)
    _mark(db, changes.marks)
    _enter_steps(db, changes)
    drafts.enter(db, changes.drafts)
    db.executemany(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        changes.meta.items(),
    )


def _row(record: NodeRecord, model: int | None, origin: int | None, at: float) -> tuple[object, ...]:
    # A node without a parent that is no loom was taken out before it was ever stored: it is born in the
    # trash. If it is a root all the same, the order of the roots names it and takes it out again.
    detached = record.parent is None and record.framing is None
    encoded, tokens, ends = record.encoded, b"", b""
    try:
        tokens, ends = pack(record.tokens), pack_ends(record.ends)
    except (OverflowError, TypeError):
        encoded = False  # these are no token ids; the text is worth more, and can be encoded again
    return (
        record.id,
        record.parent,
        record.kind,
        pack_text(record.text),
        tokens,
        ends,
        encoded,
        record.framing,
        None if record.user_prompt is None else pack_text(record.user_prompt),
        record.terminal,
        record.finish,
        record.created,
        origin,
        record.provenance,
        model,
        at if detached else None,
    )


def _origin_id(db: sqlite3.Connection, origin: str | None) -> int | None:
    if origin is None:
        return None
    db.execute("INSERT OR IGNORE INTO origins (value) VALUES (?)", (origin,))
    return int(db.execute("SELECT id FROM origins WHERE value = ?", (origin,)).fetchone()[0])


def _model_id(db: sqlite3.Connection, model: ModelRef | None) -> int | None:
    if model is None:
        return None
    values = (model.name, model.fingerprint, model.vocabulary)
    db.execute("INSERT OR IGNORE INTO models (name, fingerprint, vocabulary) VALUES (?, ?, ?)", values)
    query = "SELECT id FROM models WHERE name = ? AND fingerprint = ? AND vocabulary = ?"
    return int(db.execute(query, values).fetchone()[0])


def _fold(db: sqlite3.Connection, folded: frozenset[str]) -> None:
    stored = {row[0] for row in db.execute("SELECT id FROM nodes WHERE folded")}
    _set_folded(db, 0, stored - folded)
    _set_folded(db, 1, folded - stored)


def _set_folded(db: sqlite3.Connection, value: int, nodes: Iterable[str]) -> None:
    db.executemany("UPDATE nodes SET folded = ? WHERE id = ?", ((value, node) for node in nodes))


def _know(db: sqlite3.Connection, records: Iterable[NodeRecord]) -> None:
    """Enter what is known of the nodes' tokens; of most written ones nothing is, and they have no row for it."""
    db.executemany(
        "DELETE FROM odds WHERE node = ?", ((record.id,) for record in records if record.odds is None)
    )
    db.executemany(
        "INSERT OR REPLACE INTO odds (node, data) VALUES (?, ?)",
        ((record.id, record.odds) for record in records if record.odds is not None),
    )


def _purge(db: sqlite3.Connection, nodes: tuple[str, ...]) -> None:
    """Empty the trash, and the history, which is about what is in it. By name: what came out of the trash in this very
    transaction may still look as if it were there (`compact`)."""
    db.executemany("DELETE FROM nodes WHERE id = ?", ((node,) for node in nodes))
    db.executemany("DELETE FROM marks WHERE node = ?", ((node,) for node in nodes))
    db.executemany("DELETE FROM odds WHERE node = ?", ((node,) for node in nodes))
    db.execute("DELETE FROM steps")


def _mark(db: sqlite3.Connection, marks: Mapping[str, Marks]) -> None:
    """Most nodes have no marks, and no row for them."""
    db.executemany(
        "DELETE FROM marks WHERE node = ?", ((node,) for node, found in marks.items() if found == NO_MARKS)
    )
    db.executemany(
        "INSERT OR REPLACE INTO marks (node, bookmark, tags, note, unread) VALUES (?, ?, ?, ?, ?)",
        (
            (node, found.bookmark, to_json(found.tags), pack_text(found.note), found.unread)
            for node, found in marks.items()
            if found != NO_MARKS
        ),
    )


def _enter_steps(db: sqlite3.Connection, changes: Changes) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO steps (id, label, at, state, operations) VALUES (?, ?, ?, ?, ?)",
        ((step.id, step.label, step.at, int(step.state), step.operations) for step in changes.steps),
    )
    db.executemany(
        "UPDATE steps SET state = ? WHERE id = ?",
        ((int(state), step) for step, state in changes.states.items()),
    )


def compact(queue: list[Changes]) -> list[Changes]:
    """The same operations without snapshots, orders and drafts that a later one of them replaces.

    For operations that enter one transaction together: a branch that streamed through ten of them is written
    once, where it came first and as it was last.
    """
    latest = {record.id: record for changes in queue for record in changes.records}
    result: list[Changes] = []
    for changes in queue:
        firsts = {record.id: record.parent for record in changes.records if record.id in latest}
        records = tuple(replace(latest.pop(node), parent=parent) for node, parent in firsts.items())
        result.append(replace(changes, records=records))
    parents: set[str | None] = set()
    places: set[drafts.Place] = set()
    folded: frozenset[str] | None = None
    for index in range(len(result) - 1, -1, -1):
        changes = result[index]
        orders = {parent: ids for parent, ids in changes.orders.items() if parent not in parents}
        parents.update(orders)
        drafted = {place: draft for place, draft in changes.drafts.items() if place not in places}
        places.update(drafted)
        left = changes.folded if folded is None else None
        result[index] = replace(changes, orders=orders, drafts=drafted, folded=left)
        folded = changes.folded if folded is None else folded
    return result
