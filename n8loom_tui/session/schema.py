"""The session file: an SQLite database, its marks and its tables, and connections to it.

`application_id` says that a file is ours, `user_version` which of the migrations below it has seen.
Migrations are never edited once released; what is needed later is appended.

    nodes       one row a node, in the order they came (`seq`). Nothing is ever removed here: `deleted` is
                when a node was put into the trash, with all that hangs below it. Texts are UTF-8 with lone
                surrogates let through, as BLOBs, since SQLite's TEXT holds neither those nor, for its
                functions, NUL. `framing` stands for roots only: 'chat' or 'raw'. `provenance` is what a node
                has for itself. For `tokens` and `ends` see `packing.py`.
                The index on `parent` is what a first look at a large session goes by (`glimpse.py`).
    origins     the part of a provenance that many nodes share (model, sampling values), as JSON.
    models      what the token ids of a node belong to.
    marks       bookmark, tags (a JSON list), note and unread: a row for each node that has any of them.
    odds        what is known of a node's tokens, as `loom/odds.py` packs it: a row for each node of which
                anything is. (Before version 3 only the logprobs were kept, in the provenance.)
    steps       the history: what was done, step by step (`id` rises). `state` is a `record.StepState`,
                `operations` as `history_ops.py` packs them; they name nodes, and what they took away is kept
                as nodes of the trash.
    drafts      words that were written and not entered: a row for each editor that holds any, on a node or on none.
    meta        values of the whole session, as JSON.
"""

from __future__ import annotations

import sqlite3
from enum import Enum
from pathlib import Path

from .errors import UNREADABLE, SessionError, explain

APPLICATION_ID = 0x6E384C4D
"""'n8LM'."""
OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables."""
LARGEST_VALUE = 32 * 1024 * 1024
"""Bytes; a damaged file may claim any size."""
BUSY_SECONDS = 5.0

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE models (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        vocabulary TEXT NOT NULL,
        UNIQUE (name, fingerprint, vocabulary)
    ) STRICT;
    CREATE TABLE origins (id INTEGER PRIMARY KEY, value TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE nodes (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        parent TEXT,
        position INTEGER NOT NULL DEFAULT 0,
        kind TEXT NOT NULL,
        text BLOB NOT NULL,
        tokens BLOB NOT NULL,
        ends BLOB NOT NULL,
        encoded INTEGER NOT NULL,
        framing TEXT,
        user_prompt BLOB,
        terminal INTEGER NOT NULL,
        finish TEXT,
        created REAL NOT NULL,
        origin INTEGER,
        provenance TEXT NOT NULL,
        model INTEGER,
        folded INTEGER NOT NULL DEFAULT 0,
        deleted REAL
    ) STRICT;
    CREATE INDEX nodes_folded ON nodes (id) WHERE folded;
    """,
    """
    CREATE TABLE marks (
        node TEXT PRIMARY KEY,
        bookmark INTEGER NOT NULL,
        tags TEXT NOT NULL,
        note BLOB NOT NULL,
        unread INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE steps (
        id INTEGER PRIMARY KEY,
        label TEXT NOT NULL,
        at REAL NOT NULL,
        state INTEGER NOT NULL,
        operations BLOB NOT NULL
    ) STRICT;
    """,
    """
    CREATE TABLE odds (node TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;
    """,
    """
    CREATE INDEX nodes_parent ON nodes (parent);
    """,
    """
    CREATE TABLE drafts (
        editor TEXT NOT NULL,
        node TEXT NOT NULL,
        text BLOB NOT NULL,
        chosen INTEGER NOT NULL,
        system BLOB NOT NULL,
        folder TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (editor, node)
    ) STRICT;
    """,
)
VERSION = len(MIGRATIONS)
WITH_HISTORY = 2
"""The first version with `marks` and `steps`."""
WITH_ODDS = 3
"""The first version with `odds`."""
WITH_PARENTS = 4
"""The first version that finds the children of a node without going through all nodes."""
WITH_DRAFTS = 5
"""The first version with `drafts`."""

TABLES: tuple[frozenset[str], ...] = (
    frozenset({"meta", "models", "nodes", "origins"}),
    frozenset({"marks", "steps"}),
    frozenset({"odds"}),
    frozenset(),
    frozenset({"drafts"}),
)
"""The tables that each migration adds."""


class Mode(Enum):
    """How a database is opened."""

    READ = "ro"
    WRITE = "rw"
    CREATE = "rwc"


def connect(path: Path, mode: Mode, *, immutable: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode that trusts nothing in the file. `immutable`: take no locks, see no
    journal.
    """
    _check_sqlite()
    uri = f"{path.absolute().as_uri()}?mode={mode.value}" + ("&immutable=1" if immutable else "")
    # The writer's thread is the only user of its connection, but another one may have to close it.
    db = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA cell_size_check = ON")
    except BaseException:
        db.close()
        raise
    return db


def in_memory() -> sqlite3.Connection:
    """A session that no file has, as long as the connection is open."""
    _check_sqlite()
    db = sqlite3.connect(":memory:", isolation_level=None)
    initialise(db)
    return db


def _check_sqlite() -> None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        need = ".".join(map(str, OLDEST_SQLITE))
        raise SessionError(
            f"Sessions need SQLite {need}; this Python brings {sqlite3.sqlite_version}. Use a newer Python."
        )


def make_durable(db: sqlite3.Connection) -> None:
    """Have every commit survive a power cut, and readers go on beside the writer."""
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA fullfsync = ON")
    db.execute("PRAGMA journal_size_limit = 8388608")


def initialise(db: sqlite3.Connection) -> None:
    """Make an empty database a session.

    Raises:
        SessionError: it is not empty.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] or _pragma(db, "application_id"):
            raise SessionError("The file is no longer empty; nothing was changed in it.")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        _migrate_from(db, 0)
        db.execute("COMMIT")
    except BaseException:
        roll_back(db)
        raise


def migrate(db: sqlite3.Connection) -> None:
    """Bring a session up to `VERSION`, in one transaction."""
    if _pragma(db, "user_version") == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        _migrate_from(db, _pragma(db, "user_version"))
        db.execute("COMMIT")
    except BaseException:
        roll_back(db)
        raise


def _migrate_from(db: sqlite3.Connection, version: int) -> None:
    for migration in MIGRATIONS[version:]:
        for statement in migration.split(";"):
            if statement.strip():
                db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")


def try_writing(db: sqlite3.Connection) -> None:
    """See that the file takes a change, and take it back.

    Raises:
        sqlite3.Error: it doesn't.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute(f"PRAGMA user_version = {VERSION}")
    finally:
        roll_back(db)


def roll_back(db: sqlite3.Connection) -> None:
    """End a transaction that failed. Some failures have ended it already."""
    if db.in_transaction:
        db.execute("ROLLBACK")


def check_ours(path: Path) -> None:
    """See that a file is a session, without locking it, and leaving nothing beside it.

    Raises:
        SessionError: it is something else, or too damaged to tell.
    """
    try:
        db = connect(path, Mode.READ, immutable=True)
        try:
            found = _pragma(db, "application_id")
        finally:
            db.close()
    except UNREADABLE as error:
        raise SessionError(explain(error, path)) from None
    if found != APPLICATION_ID:
        raise SessionError(f"{path} is not a session file; nothing was changed in it.")


def check_schema(db: sqlite3.Connection, path: Path) -> None:
    """See that a session was made by this version or an older one, and holds our tables and nothing that
    acts.

    Raises:
        SessionError: it does not.
        UNREADABLE: it is damaged.
    """
    version = _pragma(db, "user_version")
    if version > VERSION:
        raise SessionError(
            f"{path} was made by a newer n8loom-tui (file version {version}, this one reads {VERSION}); "
            "update n8loom-tui."
        )
    if version < 1:
        raise SessionError(f"{path} is damaged (file version {version}).")
    kinds = {(str(kind), str(name)) for kind, name in db.execute("SELECT type, name FROM sqlite_master")}
    wanted = frozenset[str]().union(*TABLES[:version])
    missing = sorted(wanted - {name for kind, name in kinds if kind == "table"})
    if missing:
        raise SessionError(f"{path} is damaged (the table {missing[0]} is missing).")
    strange = sorted(name for kind, name in kinds if kind not in {"table", "index"})
    if strange:
        raise SessionError(f"{path} holds {strange[0]!r}, which no session has; it is not opened.")


def version(db: sqlite3.Connection) -> int:
    """Which of the migrations a session has seen. One that can only be read may be an older version's."""
    return _pragma(db, "user_version")


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])
