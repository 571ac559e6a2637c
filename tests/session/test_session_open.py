"""Opening: what becomes a session, what is refused, what is opened read-only; and copies."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from n8loom_tui.loom.odds import Odds
from n8loom_tui.session import load, schema
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.record import everything, snapshot
from n8loom_tui.session.store import (
    SessionStore,
    default_session_path,
    read_session,
    resolve_session_path,
    write_new,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_session_is_one_file_and_empty(tmp_path) -> None:
    store = SessionStore.open(tmp_path / "a.loom")
    loaded = store.load()
    assert (loaded.roots, loaded.current_id, loaded.problems, store.read_only) == ([], None, [], False)
    assert store.close()
    assert names(tmp_path) == ["a.loom"]


def test_an_empty_file_becomes_a_session(tmp_path) -> None:
    (tmp_path / "a.loom").touch()
    SessionStore.open(tmp_path / "a.loom").close()
    assert read_session(tmp_path / "a.loom").nodes == 0


@pytest.mark.parametrize("name", ["a b%20?#&.loom", "ünï 漢.loom", "quo'te\".loom", "new\nline.loom"])
def test_any_file_name_will_do(tmp_path, trees, name: str) -> None:
    write_new(tmp_path / name, everything([trees.loom()]))
    SessionStore.open(tmp_path / name).close()
    assert read_session(tmp_path / name).nodes == 1
    assert names(tmp_path) == [name]


def test_looking_at_a_session_changes_nothing_in_it(tmp_path, trees) -> None:
    path = tmp_path / "a.loom"
    write_new(path, everything([trees.loom()]))
    before = path.read_bytes()
    store = SessionStore.open(path)
    store.load()
    store.close()
    assert path.read_bytes() == before
    assert names(tmp_path) == ["a.loom"]


def other_database(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE nodes (id, text)")
        db.execute("INSERT INTO nodes VALUES (1, 'precious')")
        db.commit()


@pytest.mark.parametrize(
    "content",
    [
        b"x",
        b"precious words\n" * 9,
        bytes(5000),
        b"SQLite format 3\0",
        b"SQLite format 3\0" + bytes(600),
        other_database,
    ],
)
def test_what_is_no_session_is_refused_and_left_as_it_is(
    tmp_path, content: bytes | Callable[[Path], None]
) -> None:
    path = tmp_path / "notes.txt"
    content(path) if callable(content) else path.write_bytes(content)
    before = path.read_bytes()
    for opening in (SessionStore.open, read_session):
        with pytest.raises(SessionError, match="not a session") as error:
            opening(path)
        assert str(error.value).isprintable()
    assert path.read_bytes() == before
    assert names(tmp_path) == ["notes.txt"]


def test_a_folder_and_a_socket_are_refused(tmp_path) -> None:
    with pytest.raises(SessionError, match="is a folder"):
        SessionStore.open(tmp_path)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener, contextlib.chdir(tmp_path):
        listener.bind("s.loom")
        with pytest.raises(SessionError, match="not a file"):
            SessionStore.open(Path("s.loom"))


def test_a_missing_folder_and_impossible_names_are_refused(tmp_path) -> None:
    for path in (tmp_path / "no" / "a.loom", tmp_path / "a\0.loom", tmp_path / ("a" * 300)):
        with pytest.raises(SessionError) as error:
            SessionStore.open(path)
        assert str(error.value).isprintable()
    assert names(tmp_path) == []


def test_a_missing_session_is_not_made_by_reading(tmp_path) -> None:
    with pytest.raises(SessionError, match="no session at"):
        read_session(tmp_path / "a.loom")
    assert names(tmp_path) == []


def changed(path: Path, *statements: str) -> None:
    """Do something to a session behind its back."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def test_a_newer_versions_session_is_refused_untouched(tmp_path) -> None:
    path = tmp_path / "a.loom"
    SessionStore.open(path).close()
    changed(path, f"PRAGMA user_version = {schema.VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(SessionError, match="newer"):
        SessionStore.open(path)
    assert path.read_bytes() == before
    assert names(tmp_path) == ["a.loom"]


def test_an_older_versions_session_is_brought_up_to_date(tmp_path, trees, monkeypatch) -> None:
    path = tmp_path / "a.loom"
    root = trees.loom()
    write_new(path, everything([root]))
    monkeypatch.setattr(
        schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE operations (id INTEGER) STRICT;")
    )
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    store = SessionStore.open(path)
    assert trees.facts(store.load().roots) == trees.facts([root])
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
        assert db.execute("SELECT count(*) FROM operations").fetchone() == (0,)


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TRIGGER t AFTER INSERT ON nodes BEGIN DELETE FROM nodes; END"],
        ["CREATE VIEW v AS SELECT 1"],
        ["DROP TABLE nodes"],
        [
            "DROP TABLE meta",
            "CREATE VIEW meta AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT x FROM c",
        ],
        ["ALTER TABLE nodes DROP COLUMN text"],
        ["PRAGMA user_version = 0"],
        ["PRAGMA user_version = -5"],
    ],
)
def test_a_session_with_other_tables_than_ours_is_refused(tmp_path, trees, statements: list[str]) -> None:
    path = tmp_path / "a.loom"
    write_new(path, everything([trees.loom()]))
    changed(path, *statements)
    with pytest.raises(SessionError):
        SessionStore.open(path).load()


def test_the_second_to_open_reads_and_says_why(tmp_path, trees) -> None:
    first = SessionStore.open(tmp_path / "a.loom")
    root = trees.loom()
    writer = first.writer()
    writer.put(snapshot("new loom", [root], roots=[root]))
    assert writer.flush(30)
    second = SessionStore.open(tmp_path / "a.loom")
    assert second.read_only
    assert "open in another program" in (second.read_only_reason or "")
    assert str(os.getpid()) in (second.read_only_reason or "")
    assert trees.facts(second.load().roots) == trees.facts([root])
    with pytest.raises(SessionError, match="another program"):
        second.writer()
    second.close()
    assert not first.read_only
    assert first.close(30)
    third = SessionStore.open(tmp_path / "a.loom")
    assert not third.read_only
    third.close()
    assert names(tmp_path) == ["a.loom"]


def test_another_way_to_the_same_file_is_the_same_session(tmp_path) -> None:
    first = SessionStore.open(tmp_path / "a.loom")
    (tmp_path / "link.loom").symlink_to("a.loom")
    assert SessionStore.open(tmp_path / "link.loom").read_only
    first.close()


HOLDER = """
import sys
from pathlib import Path
from n8loom_tui.session.store import SessionStore
store = SessionStore.open(Path(sys.argv[1]))
print(store.read_only, flush=True)
sys.stdin.read()
"""


def test_a_killed_program_leaves_no_lock(tmp_path) -> None:
    path = tmp_path / "a.loom"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "False\n"
        assert SessionStore.open(path).read_only
        holder.kill()
        holder.wait()
        store = SessionStore.open(path)
        assert not store.read_only
        store.close()
    assert names(tmp_path) == ["a.loom"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can reach, too."""
    folder = Path(tempfile.mkdtemp(prefix="n8loom-test-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def without_power(action: Callable[[], str]) -> str:
    """What `action` returns where permissions count, which they don't for root."""
    if os.geteuid() != 0:
        return action()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            answer = action()
        except BaseException as error:  # noqa: BLE001 - the parent is to see it
            answer = f"{type(error).__name__}: {error}"
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


def test_a_folder_that_cannot_be_written(open_folder, trees) -> None:
    path = open_folder / "a.loom"
    write_new(path, everything([trees.loom(), trees.loom()]))
    open_folder.chmod(0o555)

    def look() -> str:
        store = SessionStore.open(path)
        return f"{store.read_only_reason} | {len(store.load().roots)}"

    answer = without_power(look)
    assert "permission" in answer
    assert answer.endswith("| 2")
    answer = without_power(lambda: str(SessionStore.open(open_folder / "new.loom")))
    assert answer.startswith("SessionError:") or os.geteuid() != 0
    assert names(open_folder) == ["a.loom"]


def test_a_file_that_cannot_be_written(open_folder, trees) -> None:
    path = open_folder / "a.loom"
    write_new(path, everything([trees.loom()]))
    path.chmod(0o444)
    open_folder.chmod(0o777)

    def look() -> str:
        store = SessionStore.open(path)
        return f"{store.read_only_reason} | {len(store.load().roots)}"

    answer = without_power(look)
    assert "cannot be written" in answer
    assert answer.endswith("| 1")


def test_a_copy_holds_everything_and_is_a_session_of_its_own(tmp_path, trees) -> None:
    roots = trees.forest(50)
    store = SessionStore.open(tmp_path / "a.loom")
    store.writer().put(everything(roots))
    store.copy_to(tmp_path / "b.loom")
    store.close(30)
    assert names(tmp_path) == ["a.loom", "b.loom"]
    copy = SessionStore.open(tmp_path / "b.loom")
    assert not copy.read_only
    assert trees.facts(copy.load().roots) == trees.facts(roots)
    copy.close()


def test_nothing_is_overwritten_unasked(tmp_path, trees) -> None:
    store = SessionStore.open(tmp_path / "a.loom")
    (tmp_path / "b.loom").write_bytes(b"precious")
    for write in (
        lambda: store.copy_to(tmp_path / "b.loom"),
        lambda: write_new(tmp_path / "b.loom", everything([trees.loom()])),
    ):
        with pytest.raises(SessionError, match="exists already"):
            write()
        assert (tmp_path / "b.loom").read_bytes() == b"precious"
    store.copy_to(tmp_path / "b.loom", overwrite=True)
    store.close()
    assert read_session(tmp_path / "b.loom").nodes == 0
    assert names(tmp_path) == ["a.loom", "b.loom"]


def test_an_open_session_is_never_written_over(tmp_path, trees) -> None:
    store, other = SessionStore.open(tmp_path / "a.loom"), SessionStore.open(tmp_path / "b.loom")
    for target in ("a.loom", "b.loom"):
        with pytest.raises(SessionError, match="open in another program"):
            store.copy_to(tmp_path / target, overwrite=True)
        with pytest.raises(SessionError, match="open in another program"):
            write_new(tmp_path / target, everything([trees.loom()]), overwrite=True)
    store.close()
    other.close()
    assert names(tmp_path) == ["a.loom", "b.loom"]


def test_paths(tmp_path, monkeypatch) -> None:
    assert resolve_session_path("story") == Path("story.loom")
    assert resolve_session_path("here/story.loom") == Path("here/story.loom")
    assert resolve_session_path(Path("story.db")) == Path("story.db")
    assert resolve_session_path("~/x").is_absolute()
    monkeypatch.setenv("N8LOOM_DATA_DIR", str(tmp_path / "data"))
    assert default_session_path("story") == tmp_path / "data" / "sessions" / "story.loom"
    assert (tmp_path / "data" / "sessions").is_dir()
    for name in ("", "../x", ".hidden"):
        with pytest.raises(SessionError):
            default_session_path(name)


def test_sessions_load_nothing_heavy() -> None:
    code = (
        "import sys, n8loom_tui.session.store, n8loom_tui.session.formats;"
        "heavy = ('mlx', 'mlx.core', 'mlx_lm', 'transformers', 'numpy', 'textual', 'rich');"
        "print([name for name in heavy if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


def test_what_somebody_else_stores_meanwhile_is_read_wholly_or_not_at_all(
    tmp_path, trees, monkeypatch
) -> None:
    path = tmp_path / "a.loom"
    root = trees.loom()
    node = trees.node("a", root)
    store = SessionStore.open(path)
    writer = store.writer()
    writer.put(everything([root]))
    assert writer.flush(30)
    models = load._models

    def stored_meanwhile(db, loaded):
        node.set_span([1, 2], "ab", [1, 2])
        node.odds = Odds.of([-1.0, -2.0])
        writer.put(snapshot("growing", [node]))
        assert writer.flush(30)
        return models(db, loaded)

    monkeypatch.setattr(load, "_models", stored_meanwhile)
    loaded = read_session(path)
    assert loaded.problems == []
    assert (loaded.by_id[node.id].text, loaded.by_id[node.id].odds) == ("a", None)
    monkeypatch.undo()
    assert read_session(path).by_id[node.id].odds is not None
    assert store.close()


def test_a_file_put_in_its_place_while_it_is_opened_is_neither_shown_nor_written_to(tmp_path, trees) -> None:
    path, other = tmp_path / "a.loom", tmp_path / "other.loom"
    for there in (path, other):
        write_new(there, everything([trees.loom()]))
    store = SessionStore.open(path)
    other.replace(path)
    with pytest.raises(SessionError, match="Another file"):
        store.load()
    assert store.close()


def test_a_file_put_in_its_place_before_the_first_change_is_left_alone(tmp_path, trees) -> None:
    path, other = tmp_path / "a.loom", tmp_path / "other.loom"
    for there in (path, other):
        write_new(there, everything([trees.loom()]))
    store = SessionStore.open(path)
    store.load()
    content = other.read_bytes()
    other.replace(path)
    writer = store.writer()
    writer.put(everything([trees.loom("mine")]))
    assert not writer.flush(30)
    assert writer.error is not None and "Another file" in writer.error
    assert not store.close()
    assert path.read_bytes() == content
