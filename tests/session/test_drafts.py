"""Words that were not entered, in the session's file: there and back, older files, and rows that are not in order."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from n8loom_tui.session import schema
from n8loom_tui.session.apply import compact
from n8loom_tui.session.drafts import Draft, Editor, Place
from n8loom_tui.session.library import summary
from n8loom_tui.session.record import Changes, everything
from n8loom_tui.session.store import SessionStore, read_session, write_new

HERE, THERE = Place(Editor.CHILD, "n1"), Place(Editor.LOOM)
WORDS = Draft("lone \ud800, NUL \0, \r\n", True, "be \udfff kind", "0123456789abcdef", 1700000000.5)


def meddle(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def test_they_are_stored_exactly_and_go_when_they_are_entered(tmp_path, trees) -> None:
    path = tmp_path / "a.loom"
    write_new(
        path, everything([trees.loom()]), Changes("draft", drafts={HERE: WORDS, THERE: Draft("x", at=1.0)})
    )
    loaded = read_session(path)
    assert loaded.drafts == {HERE: WORDS, THERE: Draft("x")}
    assert list(loaded.drafts) == [THERE, HERE], "the oldest first"
    assert loaded.drafts[HERE].at == WORDS.at
    store = SessionStore.open(path)
    store.writer().put(Changes("draft", drafts={HERE: None, THERE: Draft("y")}))
    assert store.close(30)
    assert read_session(path).drafts == {THERE: Draft("y")}


def test_of_many_that_wait_for_a_disk_only_the_last_is_held() -> None:
    queue = [Changes("draft", drafts={HERE: Draft(str(number))}) for number in range(5)]
    queue.append(Changes("draft", drafts={THERE: None}))
    assert [dict(changes.drafts) for changes in compact(queue)] == [{}] * 4 + [
        {HERE: Draft("4")},
        {THERE: None},
    ]


def test_a_copy_has_them_too(tmp_path, trees) -> None:
    write_new(tmp_path / "a.loom", everything([trees.loom()]), Changes("draft", drafts={HERE: WORDS}))
    store = SessionStore.open(tmp_path / "a.loom")
    store.copy_to(tmp_path / "b.loom")
    assert store.close()
    assert read_session(tmp_path / "b.loom").drafts == {HERE: WORDS}


def test_a_session_of_a_version_without_them_is_read_and_brought_up_to_date(tmp_path, trees) -> None:
    path = tmp_path / "a.loom"
    root = trees.loom()
    write_new(path, everything([root]))
    meddle(path, "DROP TABLE drafts", f"PRAGMA user_version = {schema.WITH_PARENTS}")
    assert read_session(path).drafts == {} and summary(path).problem == ""
    store = SessionStore.open(path)
    store.writer().put(Changes("draft", drafts={HERE: WORDS}))
    assert store.close(30)
    loaded = read_session(path)
    assert loaded.drafts == {HERE: WORDS} and trees.facts(loaded.roots) == trees.facts([root])


@pytest.mark.parametrize(
    "change",
    ["editor = 'nonsense'", "text = x'ff'", "system = x'ff'", "editor = CAST(x'ff' AS TEXT)"],
)
def test_one_that_is_not_in_order_costs_itself_alone(tmp_path, trees, change: str) -> None:
    path = tmp_path / "a.loom"
    write_new(path, everything([trees.loom()]), Changes("draft", drafts={HERE: WORDS, THERE: WORDS}))
    meddle(path, f"UPDATE drafts SET {change} WHERE editor = 'child'")
    loaded = read_session(path)
    assert (loaded.nodes, loaded.drafts, loaded.damaged) == (1, {THERE: WORDS}, False)
    assert loaded.problems == ["Words that were not entered could not be read."]


@pytest.mark.parametrize("folder", ["../../etc", "/etc/passwd", "0123456789abcde", "0123456789ABCDEF"])
def test_a_folder_that_is_none_of_ours_leads_nowhere(tmp_path, trees, folder: str) -> None:
    path = tmp_path / "a.loom"
    write_new(path, everything([trees.loom()]), Changes("draft", drafts={HERE: WORDS}))
    meddle(path, f"UPDATE drafts SET folder = '{folder}'")
    assert read_session(path).drafts[HERE].folder == ""


COLUMNS = ["editor", "node", "text", "chosen", "system", "folder", "at"]


@pytest.mark.parametrize("column", COLUMNS)
def test_values_of_other_types_than_the_table_s(tmp_path, trees, column: str) -> None:
    path = tmp_path / "a.loom"
    write_new(path, everything([trees.loom()]), Changes("draft", drafts={HERE: WORDS}))
    lax = "replace(replace(sql, 'STRICT', ''), 'NOT NULL', '')"
    meddle(path, "PRAGMA writable_schema = ON", f"UPDATE sqlite_master SET sql = {lax} WHERE name = 'drafts'")
    for value in ("NULL", "1", "-1.5", "'text'", "x'00ff'", "''", "CAST(x'ff' AS TEXT)", "9e999"):
        meddle(path, f"UPDATE drafts SET {column} = {value}")
        loaded = read_session(path)
        assert loaded.nodes == 1 and len(loaded.drafts) + len(loaded.problems) == 1
        assert all(problem.isprintable() for problem in loaded.problems)


def test_of_a_session_without_a_tree_the_words_are_told(tmp_path) -> None:
    write_new(tmp_path / "a.loom", Changes("draft", drafts={THERE: Draft("First line\nand more")}))
    found = summary(tmp_path / "a.loom")
    assert (found.title, found.preview, found.nodes) == ("First line", "First line\nand more", 0)
