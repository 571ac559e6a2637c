"""Session files changed at random: cut off, bits turned, pages swapped, and single values replaced by what no session
has; and all that a person might do with one, which must open or give a line."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from pathlib import Path

from support.fake_backend import FakeBackend

from n8loom_tui.loom.protocol import SamplingParams
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.formats import export_session
from n8loom_tui.session.known import known_of
from n8loom_tui.tui.document import Document, EditError
from n8loom_tui.tui.saving import Saving

PAGE = 4096
TABLES = ("nodes", "nodes", "nodes", "marks", "odds", "steps", "steps", "origins", "models", "meta")
ODD = (
    "NULL", "0", "-1", "1.5", "9e999", "9223372036854775807", "''", "'text'", "x'ff'", "x'04ffffff7f'",
    "zeroblob(5000)", "'{}'", "'[[[]]]'", "'{\"params\": 3}'", "'{\"seed\": [], \"time\": {}, \"first_step\": \"x\"}'",
    "'{\"params\": {\"max_tokens\": {}}}'", "replace(hex(zeroblob(900)), '0', '[')", "CAST(x'ff' AS TEXT)",
    "'{\"imported\": {\"texts\": [1], \"title\": {}}}'", "'[[\"hang\", null, 0, [\"x\"]]]'", "(SELECT id FROM nodes)",
    "CAST('[[\"take\",null,0,[\"x\"]]]' AS BLOB)", "CAST('[[\"set\",\"x\",\"tags\",[],[1]]]' AS BLOB)",
)  # fmt: skip


def bent(content: bytes, draw: random.Random) -> bytes:
    """The bytes of a session with some of them changed."""
    changed = bytearray(content)
    match draw.randrange(5):
        case 0:
            del changed[draw.randrange(len(changed)) :]
        case 1:
            for _ in range(draw.choice((1, 4, 64))):
                changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
        case 2:
            for _ in range(draw.choice((1, 3))):  # where pages, cells and the schema have their heads
                page = draw.randrange(len(changed) // PAGE) * PAGE
                changed[page + draw.randrange(120)] = draw.randrange(256)
        case 3:
            at = draw.randrange(len(changed))
            changed[at : at + 300] = draw.randbytes(300)
        case 4:
            pages = len(changed) // PAGE
            a, b = draw.randrange(pages) * PAGE, draw.randrange(pages) * PAGE
            changed[a : a + PAGE] = content[b : b + PAGE]
    return bytes(changed)


def meddle(path: Path, draw: random.Random) -> None:
    """Replace values of a session by others, of any type."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        lax = "replace(replace(replace(sql, 'STRICT', ''), 'NOT NULL', ''), ', WITHOUT ROWID', '')"
        db.execute("PRAGMA writable_schema = ON")
        db.execute(
            f"UPDATE sqlite_master SET sql = {lax} WHERE type = 'table' AND name NOT IN ('meta', 'marks')"
        )
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN")
        for _ in range(draw.choice((1, 2, 5, 20))):
            table = draw.choice(TABLES)
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            where = draw.choice(
                ("", f"WHERE rowid % {draw.randint(2, 9)} = 0", f"WHERE rowid = {draw.randint(1, 60)}")
            )
            if table in {"meta", "marks"}:
                where = ""
            with contextlib.suppress(sqlite3.Error):  # as a value that is not unique
                db.execute(f"UPDATE {table} SET {draw.choice(columns)} = {draw.choice(ODD)} {where}")
        db.execute("COMMIT")


def use(path: Path, draw: random.Random) -> bool:
    """Open a session and do with it what a person might, then export it. False if it is refused with a line."""
    try:
        saving = Saving.open(path)
    except SessionError as error:
        assert str(error).isprintable()
        return False
    try:
        assert all(notice.isprintable() for notice in saving.notices)
        assert saving.title and saving.document.model is None
        _touch(saving.document, draw)
        saving.save("use")
    finally:
        saving.close()
    try:
        for notice in export_session(
            path, draw.choice(("n8loom", "jsonl", "pyloom", "text")), path.with_suffix(".out")
        ):
            assert notice.isprintable()
    except SessionError as error:
        assert str(error).isprintable()
    return True


def _touch(document: Document, draw: random.Random) -> None:
    backend = FakeBackend()
    document.use_model(backend.load(lambda _progress: None))
    for node in document.in_order():
        known = known_of(node)
        if known is not None and len(known.ends):
            known.others(0)
        assert int(node.provenance.get("params", {}).get("max_tokens", 0)) >= 0
    for step in [document.undo] * 4 + [document.redo] * 2 + [document.undo] * 30 + [document.redo] * 30:
        with contextlib.suppress(EditError):
            step()
    nodes = list(document.nodes.values())
    for node in draw.sample(nodes, min(len(nodes), 5)):
        for edit in (
            lambda node=node: document.split(node, 1),
            lambda node=node: document.clip(node, 1),
            lambda node=node: document.merge(node),
            lambda node=node: document.edit(node, "x", sibling=True),
            lambda node=node: document.ramify([node], 2, SamplingParams(max_tokens=3)),
        ):
            if node.id in document.nodes:
                with contextlib.suppress(EditError):
                    edit()
    document.cancel_all()
