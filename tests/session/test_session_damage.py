"""Files that are not in order: as much as can be had of them, in words, and never another exception."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from pathlib import Path

import pytest
from support.session_mutations import bent

from n8loom_tui.session import load, schema
from n8loom_tui.session.errors import SessionError, one_line
from n8loom_tui.session.formats import export_session
from n8loom_tui.session.record import everything, snapshot
from n8loom_tui.session.store import SessionStore, read_session, write_new


@pytest.fixture
def session(tmp_path, trees) -> Path:
    """root (a: b (c), d) and a second loom."""
    root = trees.loom()
    a = trees.node("a", root)
    c = trees.node("c", trees.node("b", a))
    trees.node("d", root)
    for node in root.walk():
        node.id = node.text if len(node.text) == 1 else "root"
    assert c.id == "c"
    other = trees.loom("other")
    other.id = "other"
    write_new(tmp_path / "a.loom", everything([root, other], current="c"))
    return tmp_path / "a.loom"


def meddle(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def shape(roots) -> list[str]:
    return [" ".join(f"{len(node.path()) - 1}{node.id}" for node in root.walk()) for root in roots]


def test_a_missing_parent(session) -> None:
    meddle(session, "DELETE FROM nodes WHERE id = 'b'")
    loaded = read_session(session)
    assert shape(loaded.roots) == ["0root 1a 1d", "0other", "0c"]
    assert len(loaded.problems) == 1
    assert "c" in loaded.problems[0]
    assert loaded.current_id == "c"


def test_a_circle(session) -> None:
    meddle(
        session,
        "UPDATE nodes SET parent = 'c' WHERE id = 'a'",
        "UPDATE nodes SET parent = 'd' WHERE id = 'd'",
    )
    loaded = read_session(session)
    assert sorted(shape(loaded.roots)) == ["0a 1b 2c", "0d", "0other", "0root"]
    assert len(loaded.problems) == 2


def test_no_root_at_all(session) -> None:
    meddle(session, "UPDATE nodes SET parent = 'nobody' WHERE parent IS NULL")
    loaded = read_session(session)
    assert loaded.nodes == 6
    assert len(loaded.problems) == 2


@pytest.mark.parametrize(
    "data",
    ["x'00'", "'text'", "x''", "zeroblob(2)", "x'ff02'", "x'0002' || zeroblob(16)", "zeroblob(100000)"],
)
def test_probabilities_that_are_none(session, data) -> None:
    """The node is there without them."""
    meddle(session, f"INSERT INTO odds SELECT id, CAST({data} AS BLOB) FROM nodes WHERE id = 'c'")
    loaded = read_session(session)
    assert shape(loaded.roots) == ["0root 1a 2b 3c 1d", "0other"]
    (c,) = (node for node in loaded.roots[0].walk() if node.id == "c")
    assert c.odds is None
    assert c.alternatives == [()]
    assert loaded.problems == ["Node c: the probabilities of its tokens could not be read."]


def test_probabilities_of_no_node(session) -> None:
    meddle(session, "INSERT INTO odds VALUES ('nobody', x'0002')")
    assert read_session(session).problems == []


def test_a_trash_with_a_circle(session) -> None:
    meddle(session, "UPDATE nodes SET parent = 'c', deleted = 1.0 WHERE id = 'a'")
    loaded = read_session(session)
    assert shape(loaded.roots) == ["0root 1d", "0other"]
    assert (loaded.trashed, loaded.current_id) == (3, None)


@pytest.mark.parametrize(
    ("change", "text", "encoded"),
    [
        ("kind = 'nonsense'", "b", True),
        ("kind = ''", "b", True),
        ("text = x'ff6200'", "\ufffdb\0", True),
        ("text = x''", "", False),
        ("tokens = x'09ffff'", "b", False),
        ("tokens = x'0102030405'", "b", False),
        ("ends = x''", "b", False),
        ("ends = x'01ff'", "b", False),
        ("ends = x'08ffffffffffffffff'", "b", False),
        ("tokens = x'', ends = x''", "b", False),
        ("provenance = '{'", "b", True),
        ("provenance = '[1]'", "b", True),
        ("provenance = '0'", "b", True),
        ("""provenance = '{"params": 7}'""", "b", True),
        ("""provenance = '{"seed": "x", "time": 1.5}'""", "b", True),
        ("""provenance = '{"seed": 1, "first_step": []}'""", "b", True),
        (f"""provenance = '{{"a": {"[" * 60}{"]" * 60}}}'""", "b", True),
        ("tokens = x'04ffffff7f'", "b", True),
        ("provenance = '{} {}'", "b", True),
        ("origin = 77", "b", True),
        ("provenance = replace(hex(zeroblob(50000)), '0', '[')", "b", True),
        ("created = 9e999", "b", True),
        ("framing = 'odd'", "b", True),
        ("terminal = 99, encoded = -1", "b", True),
        ("position = -9223372036854775808", "b", True),
        ("model = 12345, folded = 77", "b", True),
        ("user_prompt = x'ff'", "b", True),
        ("finish = ''", "b", True),
    ],
)
def test_a_bad_value_costs_itself_alone(session, change: str, text: str, encoded: bool) -> None:
    meddle(session, f"UPDATE nodes SET {change} WHERE id = 'b'")
    loaded = read_session(session)
    assert shape(loaded.roots) == ["0root 1a 2b 3c 1d", "0other"]
    node = loaded.roots[0].children[0].children[0]
    assert (node.text, node.encoded, bool(node.tokens)) == (text, encoded, encoded)
    assert len(loaded.problems) <= 1
    assert all(problem.isprintable() and "b" in problem for problem in loaded.problems)
    assert not loaded.damaged


def test_bad_values_of_the_session_and_of_roots(session) -> None:
    meddle(
        session,
        "UPDATE meta SET value = '{'",
        "INSERT INTO meta VALUES ('x', '[1')",
        "UPDATE nodes SET framing = 'odd', user_prompt = x'ff' WHERE id = 'root'",
        "UPDATE origins SET value = '7'",
    )
    loaded = read_session(session)
    assert shape(loaded.roots) == ["0root 1a 2b 3c 1d", "0other"]
    assert (loaded.current_id, loaded.meta) == (None, {})
    assert all(problem.isprintable() for problem in loaded.problems)


COLUMNS = [
    "id",
    "parent",
    "position",
    "kind",
    "text",
    "tokens",
    "ends",
    "encoded",
    "framing",
    "user_prompt",
    "terminal",
    "finish",
    "created",
    "origin",
    "provenance",
    "model",
    "folded",
    "deleted",
]


@pytest.mark.parametrize("column", COLUMNS)
def test_values_of_other_types_than_the_tables(session, column: str) -> None:
    """As a flipped bit makes them: the tables' own checks are not asked when a row is read."""
    lax = "replace(replace(sql, 'STRICT', ''), 'NOT NULL', '')"
    meddle(
        session, "PRAGMA writable_schema = ON", f"UPDATE sqlite_master SET sql = {lax} WHERE name = 'nodes'"
    )
    touched = "('b')" if column == "id" else "('b', 'root')"
    for value in ("NULL", "1", "-1.5", "'text'", "x'00ff'", "''", "CAST(x'ff' AS TEXT)"):
        with contextlib.closing(sqlite3.connect(session, isolation_level=None)) as db:
            db.execute("BEGIN")
            db.execute(f"UPDATE nodes SET {column} = {value} WHERE id IN {touched}")
            loaded = load.load_session(db)
            assert loaded.nodes + loaded.trashed >= 5
            assert all(problem.isprintable() for problem in loaded.problems)


def test_thousands_of_problems_are_not_listed_one_by_one(tmp_path, trees) -> None:
    root = trees.loom()
    for _ in range(500):
        trees.node("x", root)
    write_new(tmp_path / "a.loom", everything([root]))
    meddle(tmp_path / "a.loom", "UPDATE nodes SET tokens = x'ff'")
    loaded = read_session(tmp_path / "a.loom")
    assert loaded.nodes == 501
    assert len(loaded.problems) == load.MOST_PROBLEMS + 1


def test_a_file_damaged_in_the_middle_gives_both_ends_and_is_not_written_to(tmp_path, trees) -> None:
    path = tmp_path / "a.loom"
    root = trees.loom()
    for _ in range(400):
        trees.node("some words " * 20, root)
    write_new(path, everything([root]))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = bytes(8192)
    path.write_bytes(content)
    store = SessionStore.open(path)
    loaded = store.load()
    assert loaded.damaged
    assert 100 < loaded.nodes < 401
    assert "damaged" in loaded.problems[0]
    with pytest.raises(SessionError, match="damaged"):
        store.writer()
    store.close()
    assert path.read_bytes() == bytes(content)
    write_new(tmp_path / "saved.loom", everything(loaded.roots))
    assert read_session(tmp_path / "saved.loom").nodes == loaded.nodes


def test_what_lies_between_two_damaged_places_is_read_too(tmp_path, trees) -> None:
    path = tmp_path / "a.loom"
    root = trees.loom()
    for index in range(600):
        trees.node(f"{index} " * 60, root)
    write_new(path, everything([root]))
    content = bytearray(path.read_bytes())
    for third in (1, 2):
        place = content.find(f"{200 * third} ".encode() * 60) // 4096 * 4096
        content[place : place + 4096] = bytes(4096)
    path.write_bytes(content)
    loaded = read_session(path)
    kept = {node.text.split()[0] for top in loaded.roots for node in top.walk() if node.text[:1].isdigit()}
    assert loaded.damaged and {"0", "100", "300", "500", "599"} <= kept
    assert len(kept) > 550


@pytest.mark.parametrize("seed", range(8))
def test_any_damage_opens_or_is_told_in_one_line(tmp_path, trees, seed: int) -> None:
    whole = tmp_path / "whole.loom"
    write_new(whole, everything(trees.forest(60, seed)))
    content = whole.read_bytes()
    draw = random.Random(seed)
    path = tmp_path / "a.loom"
    for _ in range(40):
        for file in tmp_path.iterdir():
            file.unlink()
        path.write_bytes(bent(content, draw))
        try:
            store = SessionStore.open(path)
            try:
                loaded = store.load()
                assert len({node.id for root in loaded.roots for node in root.walk()}) == loaded.nodes
                root = trees.loom()
                if not store.read_only:
                    store.writer().put(snapshot("new loom", [root], roots=[*loaded.roots, root]))
            finally:
                store.close(30)
            export_session(path, "n8loom", tmp_path / "out.json")
        except SessionError as error:
            assert str(error).isprintable()


def test_what_is_said_of_an_id_of_megabytes_is_short() -> None:
    line = one_line("x\n" * 5_000_000)
    assert len(line) == 400 and line.isprintable() and line.endswith("…")
    assert one_line("a  b\n") == "a b"
    assert one_line(" " * 10_000 + "a").endswith("…")


def of_an_older_version(path: Path) -> bytearray:
    """Make a session one that the next migration has not seen. Returns what is in its file then."""
    meddle(path, "DROP INDEX nodes_parent", f"PRAGMA user_version = {schema.WITH_ODDS}", "VACUUM")
    return bytearray(path.read_bytes())


def test_a_damaged_session_of_an_older_version_is_opened_as_far_as_it_goes(tmp_path, trees) -> None:
    path = tmp_path / "a.loom"
    root = trees.loom()
    for _ in range(400):
        trees.node("some words " * 20, root)
    write_new(path, everything([root]))
    content = of_an_older_version(path)
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = bytes(8192)
    path.write_bytes(content)
    store = SessionStore.open(path)
    loaded = store.load()
    assert store.read_only and store.damaged and loaded.damaged
    assert 100 < loaded.nodes < 401
    assert store.close()
    assert path.read_bytes() == bytes(content)


def test_what_cannot_be_brought_up_to_date_for_damage_counts_as_damaged_though_all_is_read(session) -> None:
    content = of_an_older_version(session)
    content[32:40] = (9999).to_bytes(4, "big") + (5).to_bytes(4, "big")  # free pages that are not there
    session.write_bytes(content)
    store = SessionStore.open(session)
    loaded = store.load()
    assert store.read_only and loaded.damaged and loaded.nodes == 6
    assert any("damaged" in problem for problem in loaded.problems)
    assert store.close()
    assert session.read_bytes() == bytes(content)
