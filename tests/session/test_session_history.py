"""The history and the marks in the file: stored with the change, there after reopening, in older files from then on."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.marks import Marks
from n8loom_tui.session import history_edits as edits
from n8loom_tui.session import schema
from n8loom_tui.session.apply import apply, compact
from n8loom_tui.session.change import Change
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.history import History
from n8loom_tui.session.history_ops import HistoryError, Operation
from n8loom_tui.session.history_trees import Trees
from n8loom_tui.session.record import Changes, everything
from n8loom_tui.session.store import SessionStore, read_session, write_new
from n8loom_tui.session.whole import Whole

LONG = 30.0


class Session:
    """Trees with their history in a file, one transaction for each change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = SessionStore.open(path)
        loaded = self.store.load()
        self.problems = loaded.problems
        self.trees = Trees(loaded.roots, loaded.trash)
        self.history = History(self.trees, loaded.done, loaded.undone, loaded.last_step)

    def do(self, operations: list[Operation], label: str = "edit") -> None:
        self.history.perform(label, operations, Change())
        self.save()

    def undo(self) -> bool:
        done = self.history.undo(Change()) is not None
        self.save()
        return done

    def redo(self) -> bool:
        done = self.history.redo(Change()) is not None
        self.save()
        return done

    def save(self) -> None:
        if self.trees.pending:
            changes = self.trees.pending.changes("change", self.trees.roots, lambda _nodes: {})
            self.store.writer().put(changes)

    def again(self) -> Session:
        """Close it, and open it anew."""
        assert self.store.close(LONG)
        return Session(self.path)


def grown(path: Path, trees) -> Session:
    """A session in which several things were done."""
    session = Session(path)
    root, a, b = trees.loom(), trees.node("one two"), trees.node("bcd")
    session.do([edits.enter(session.trees, None, [root])])
    session.do([edits.enter(session.trees, root, [a, b])])
    session.do([edits.enter(session.trees, b, [trees.node("d"), trees.node("e")])])
    session.do(edits.clip(session.trees, a, 3))
    session.do(edits.split(session.trees, b, 1))
    session.do(edits.edit(session.trees, a, "\ud800 else", sibling=False))
    session.do(edits.bookmark([a, b], True))
    session.do(edits.tag([b], ("x", "\udfff")))
    session.do(edits.note(b, "a\0note"))
    session.do(edits.delete(session.trees, b))
    return session


def facts(session: Session, trees) -> list[object]:
    nodes = [node for root in session.trees.roots for node in root.walk()]
    return [trees.facts(session.trees.roots), [node.marks for node in nodes]]


def test_undo_and_redo_go_on_after_each_reopening(tmp_path, trees) -> None:
    session = grown(tmp_path / "a.loom", trees)
    seen = [facts(session, trees)]
    session = session.again()
    assert facts(session, trees) == seen[0]
    while session.undo():
        seen.append(facts(session, trees))
        session = session.again()
        assert session.problems == []
        assert facts(session, trees) == seen[-1]
    assert session.trees.roots == []
    for wanted in seen[-2::-1]:
        assert session.redo()
        session = session.again()
        assert facts(session, trees) == wanted
    assert not session.redo()
    assert session.store.close(LONG)


def test_what_was_undone_and_left_behind_stays_in_the_file(tmp_path, trees) -> None:
    session = grown(tmp_path / "a.loom", trees)
    for _ in range(3):
        session.undo()
    b = session.trees.roots[0].children[1].children[0]
    session.do(edits.note(b, "another note"))
    session = session.again()
    assert not session.history.redoable
    assert session.trees.roots[0].children[1].children[0].marks.note == "another note"
    assert session.store.close(LONG)
    with contextlib.closing(sqlite3.connect(tmp_path / "a.loom")) as db:
        left = db.execute("SELECT operations FROM steps WHERE state = 2 ORDER BY id").fetchall()
    assert len(left) == 3
    assert b"a\\u0000note" in left[1][0]


def test_a_change_and_its_step_are_stored_together_or_not_at_all(tmp_path, trees) -> None:
    session = grown(tmp_path / "a.loom", trees)
    before = facts(session, trees)
    session = session.again()
    session.history.undo(Change())
    changes = session.trees.pending.changes("undo", session.trees.roots, lambda _nodes: {})
    with contextlib.closing(sqlite3.connect(tmp_path / "a.loom", isolation_level=None)) as db:
        db.execute("CREATE TRIGGER fail BEFORE UPDATE ON steps BEGIN SELECT RAISE(ABORT, 'no'); END")
    session.store.writer().put(changes)
    assert not session.store.close(LONG)
    with contextlib.closing(sqlite3.connect(tmp_path / "a.loom", isolation_level=None)) as db:
        db.execute("DROP TRIGGER fail")
    session = Session(tmp_path / "a.loom")
    assert facts(session, trees) == before
    assert session.undo()
    assert session.store.close(LONG)


def test_many_changes_in_one_transaction_end_as_one_by_one(tmp_path, trees, monkeypatch) -> None:
    queue: list[Changes] = []
    session = Session(tmp_path / "all.loom")
    monkeypatch.setattr(session, "save", lambda: None)

    def put() -> None:
        if session.trees.pending:
            queue.append(session.trees.pending.changes("x", session.trees.roots, lambda _nodes: {}))

    root, a = trees.loom(), trees.node("one two three")
    session.do([edits.enter(session.trees, None, [root])])
    put()
    session.do([edits.enter(session.trees, root, [a])])
    put()
    for _ in range(3):
        session.do(edits.split(session.trees, a, 3))
        put()
        session.do(edits.clip(session.trees, a, -1))
        put()
        session.undo()
        put()
        session.undo()
        put()
        session.redo()
        put()
    session.do(edits.delete(session.trees, a))
    put()
    session.undo()
    put()
    before = facts(session, trees)
    with contextlib.closing(schema.connect(tmp_path / "all.loom", schema.Mode.WRITE)) as db:
        db.execute("BEGIN")
        for changes in compact(queue):
            apply(db, changes)
        db.execute("COMMIT")
    assert session.store.close(LONG)
    again = Session(tmp_path / "all.loom")
    assert facts(again, trees) == before
    while again.undo():
        pass
    assert again.trees.roots == []
    while again.redo():
        pass
    assert again.store.close(LONG)


def test_what_came_out_of_the_trash_just_before_it_was_emptied_stays(tmp_path, trees) -> None:
    session = Session(tmp_path / "a.loom")
    root, kept, gone = trees.loom(), trees.node("kept"), trees.node("gone")
    session.do([edits.enter(session.trees, None, [root])])
    session.do([edits.enter(session.trees, root, [kept, gone])])
    session.do(edits.delete(session.trees, kept))
    session.do(edits.delete(session.trees, gone))
    session = session.again()
    (root,) = session.trees.roots
    queue: list[Changes] = []

    def put() -> None:
        queue.append(session.trees.pending.changes("x", session.trees.roots, lambda _nodes: {}))

    back = edits.restore(session.trees, session.trees.trash[kept.id], root)
    session.history.perform("restore", back, Change())
    put()
    session.history.clear()
    assert session.trees.empty_trash() == 1
    put()
    session.history.perform("write", [edits.enter(session.trees, root, [trees.node("new")])], Change())
    put()
    assert session.store.close(LONG)
    with contextlib.closing(schema.connect(tmp_path / "a.loom", schema.Mode.WRITE)) as db:
        db.execute("BEGIN")
        for changes in compact(queue):
            apply(db, changes)
        db.execute("COMMIT")
    loaded = read_session(tmp_path / "a.loom")
    assert [child.text for child in loaded.roots[0].children] == ["kept", "new"]
    assert (loaded.trashed, len(loaded.done)) == (0, 1)


def test_a_rescued_session_keeps_its_trash_its_marks_and_its_history(tmp_path, trees) -> None:
    session = grown(tmp_path / "a.loom", trees)
    session.undo()
    whole = Whole(session.trees, session.history, lambda _nodes: {})
    assert list(whole.recording())
    write_new(tmp_path / "b.loom", whole.changes(None, (), {}, {}))
    before = facts(session, trees)
    assert session.store.close(LONG)
    rescued = Session(tmp_path / "b.loom")
    assert facts(rescued, trees) == before
    assert rescued.redo()
    while rescued.undo():
        pass
    assert rescued.trees.roots == []
    assert rescued.store.close(LONG)


OLD = """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE models (id INTEGER PRIMARY KEY, name TEXT NOT NULL, fingerprint TEXT NOT NULL,
        vocabulary TEXT NOT NULL, UNIQUE (name, fingerprint, vocabulary)) STRICT;
    CREATE TABLE origins (id INTEGER PRIMARY KEY, value TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE nodes (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, parent TEXT,
        position INTEGER NOT NULL DEFAULT 0, kind TEXT NOT NULL, text BLOB NOT NULL, tokens BLOB NOT NULL,
        ends BLOB NOT NULL, encoded INTEGER NOT NULL, framing TEXT, user_prompt BLOB,
        terminal INTEGER NOT NULL, finish TEXT, created REAL NOT NULL, origin INTEGER,
        provenance TEXT NOT NULL, model INTEGER, folded INTEGER NOT NULL DEFAULT 0, deleted REAL) STRICT;
    CREATE INDEX nodes_folded ON nodes (id) WHERE folded;
    INSERT INTO models VALUES (1, 'm', 'f', '');
    INSERT INTO nodes VALUES (1, 'root', NULL, 0, 'prompt', x'6869', x'010102', x'010101', 1, 'chat', x'6869',
        0, NULL, 1.5, NULL, '{}', 1, 0, NULL);
    INSERT INTO nodes VALUES (2, 'a', 'root', 0, 'generated', x'616263', x'01616263', x'01010101', 1, NULL,
        NULL, 0, 'length', 1.5, NULL, '{"seed":7,"logprobs":[-1.0,-2.0,-3.0]}', 1, 1, NULL);
    INSERT INTO nodes VALUES (3, 'gone', 'root', 1, 'written', x'78', x'0178', x'0101', 1, NULL,
        NULL, 0, NULL, 1.5, NULL, '{}', 1, 0, 2.5);
    PRAGMA application_id = 1849183309;
    PRAGMA user_version = 1;
"""
"""A session as the first version made it."""


@pytest.fixture
def old(tmp_path) -> Path:
    with contextlib.closing(sqlite3.connect(tmp_path / "old.loom", isolation_level=None)) as db:
        db.executescript(OLD)
    return tmp_path / "old.loom"


def test_the_first_versions_file_is_upgraded_in_its_place(old) -> None:
    session = Session(old)
    (root,) = session.trees.roots
    (a,) = root.children
    assert (root.text, a.text, a.tokens, a.provenance["seed"]) == ("hi", "abc", [97, 98, 99], 7)
    assert a.logprobs == [-1.0, -2.0, -3.0]
    assert "logprobs" not in a.provenance
    assert list(session.trees.trash) == ["gone"]
    assert not session.undo()
    session.do(edits.clip(session.trees, a, 1))
    session.do(edits.restore(session.trees, session.trees.trash["gone"], root))
    session = session.again()
    assert [child.text for child in session.trees.roots[0].children] == ["a", "x"]
    assert session.undo()
    assert session.undo()
    assert [child.text for child in session.trees.roots[0].children] == ["abc"]
    assert session.trees.roots[0].children[0].logprobs == [-1.0, -2.0, -3.0]
    assert session.store.close(LONG)
    with contextlib.closing(sqlite3.connect(old)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_first_versions_file_can_be_read_without_being_upgraded(old) -> None:
    before = old.read_bytes()
    loaded = read_session(old)
    assert (loaded.nodes, loaded.trashed, loaded.problems, loaded.done) == (2, 1, [], [])
    assert old.read_bytes() == before


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(old, monkeypatch) -> None:
    before = old.read_bytes()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS[:-1], schema.MIGRATIONS[-1] + "nonsense;"))
    with pytest.raises(SessionError):
        SessionStore.open(old)
    monkeypatch.undo()
    assert old.read_bytes() == before
    session = Session(old)
    assert len(session.trees.nodes) == 2
    assert session.store.close(LONG)


def meddle(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE steps SET operations = x'ff'",
        """UPDATE steps SET operations = CAST('[["hang", "b", 0, ["a"]]]' AS BLOB)""",
        """UPDATE steps SET operations = CAST('[["take", null, 0, ["nobody"]]]' AS BLOB)""",
        "DELETE FROM nodes WHERE deleted IS NOT NULL",
    ],
)
def test_a_damaged_history_is_told_and_harms_nothing(tmp_path, trees, statement: str) -> None:
    assert grown(tmp_path / "a.loom", trees).store.close(LONG)
    meddle(tmp_path / "a.loom", statement)
    session = Session(tmp_path / "a.loom")
    before = facts(session, trees)
    with pytest.raises(HistoryError) as error:
        session.undo()
    assert str(error.value).isprintable()
    assert facts(session, trees) == before
    session.do(edits.bookmark(session.trees.roots, True))
    assert session.undo()
    assert session.store.close(LONG)


@pytest.mark.parametrize(
    ("statement", "marks"),
    [
        ("UPDATE marks SET tags = '{'", Marks()),
        ("UPDATE marks SET tags = '[1]'", Marks()),
        ("UPDATE marks SET note = x'ff'", Marks()),
        ("UPDATE marks SET bookmark = 77, unread = -1", Marks(True, ("x",), "note", True)),
        ("UPDATE marks SET node = 'nobody' WHERE node = 'a'", Marks()),
    ],
)
def test_bad_marks_cost_themselves_alone(tmp_path, trees, statement: str, marks: Marks) -> None:
    root = trees.loom()
    node = trees.node("abc", root)
    node.id = "a"
    node.marks = Marks(True, ("x",), "note")
    write_new(tmp_path / "a.loom", everything([root]))
    meddle(tmp_path / "a.loom", statement)
    loaded = read_session(tmp_path / "a.loom")
    assert loaded.roots[0].children[0].text == "abc"
    assert loaded.roots[0].children[0].marks == marks
    assert all(problem.isprintable() for problem in loaded.problems)


def test_marks_come_back_and_their_rows_go_with_them(tmp_path, trees) -> None:
    session = Session(tmp_path / "a.loom")
    root, a, b = trees.loom(), trees.node("a"), trees.node("b")
    session.do([edits.enter(session.trees, None, [root])])
    session.do([edits.enter(session.trees, root, [a, b])])
    session.trees.mark(a, Marks(True, ("one", "漢"), "lone \ud800\0\n", True))
    session.trees.mark(b, Marks(unread=True))
    session.save()
    session = session.again()
    a, b = session.trees.roots[0].children
    assert a.marks == Marks(True, ("one", "漢"), "lone \ud800\0\n", True)
    assert b.marks == Marks(unread=True)
    session.trees.mark(b, Marks())
    session.save()
    assert session.store.close(LONG)
    with contextlib.closing(sqlite3.connect(tmp_path / "a.loom")) as db:
        assert db.execute("SELECT node FROM marks").fetchall() == [(a.id,)]


def test_an_operation_writes_what_it_touches_and_not_what_the_tree_holds(tmp_path, trees) -> None:
    session = Session(tmp_path / "a.loom")
    root = trees.loom()
    session.do([edits.enter(session.trees, None, [root])])
    top = trees.node("top")
    session.do([edits.enter(session.trees, root, [top])])
    below = [trees.node("x", top) for _ in range(2000)]
    session.trees.nodes.update((node.id, node) for node in below)
    for node in below:
        session.trees.pending.content(node)
    session.trees.pending.children(top)
    session.save()

    def written(action: Callable[[], object]) -> tuple[int, int]:
        action()
        changes = session.trees.pending.changes("x", session.trees.roots, lambda _nodes: {})
        session.store.writer().put(changes)
        return len(changes.records), len(changes.deleted) + sum(map(len, changes.orders.values()))

    def perform(operations: list[Operation]) -> None:
        session.history.perform("x", operations, Change())

    history = session.history
    assert written(lambda: perform(edits.delete(session.trees, top))) == (0, 1)
    assert written(lambda: history.undo(Change())) == (0, 1)
    assert written(lambda: perform(edits.split(session.trees, top, 1))) == (2, 2)
    assert written(lambda: history.undo(Change())) == (1, 2)
    assert written(lambda: perform(edits.bookmark([top], True))) == (0, 0)
    leaf: Heddle = trees.node("leaf text", below[0])
    session.trees.nodes[leaf.id] = leaf
    assert written(lambda: perform(edits.clip(session.trees, leaf, 2)))[0] == 2
    assert session.store.close(LONG)
