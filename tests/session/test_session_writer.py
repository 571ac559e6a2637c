"""The writer: order, promptness, and what it does when the file refuses."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.disk import SmallDisk

from n8loom_tui.session import schema
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.record import Changes, everything, snapshot
from n8loom_tui.session.store import SessionStore, read_session, write_new

Heard = tuple[list[str], Callable[[str], None]]
LONG = 60.0


def meta(**values: object) -> Changes:
    return snapshot("meta", meta=values)


class Gate:
    """Holds back the writer's thread, before it connects, until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        self._connect = schema.connect
        monkeypatch.setattr(schema, "connect", self)

    def __call__(self, path: Path, mode: schema.Mode, *, immutable: bool = False) -> sqlite3.Connection:
        if threading.current_thread().name == "session-writer":
            self.reached.set()
            assert self.opened.wait(LONG)
        return self._connect(path, mode, immutable=immutable)


def test_what_is_put_first_is_stored_first(tmp_path) -> None:
    store = SessionStore.open(tmp_path / "a.loom")
    writer = store.writer()
    for index in range(200):
        writer.put(meta(last=index, **{f"k{index}": index}))
    assert store.close(LONG)
    found = read_session(tmp_path / "a.loom").meta
    assert found == {"last": 199, **{f"k{index}": index for index in range(200)}}


def test_put_returns_while_the_disk_hangs_and_all_enters_one_commit(tmp_path, trees, monkeypatch) -> None:
    store = SessionStore.open(tmp_path / "a.loom")
    gate = Gate(monkeypatch)
    saved: list[int] = []
    writer = store.writer(on_saved=lambda: saved.append(1))
    root = trees.loom()
    writer.put(snapshot("new loom", [root], roots=[root]))
    assert gate.reached.wait(LONG)
    node = trees.node("", root)
    for index in range(50):
        node.append_token(index, "x")
        writer.put(snapshot("stream", [node]))
    assert writer.waiting == 51
    assert not writer.flush(0)
    gate.opened.set()
    assert writer.flush(LONG)
    assert store.close(LONG)
    assert len(saved) == 2
    assert trees.facts(read_session(tmp_path / "a.loom").roots) == trees.facts([root])


def test_operations_that_share_a_commit_end_as_one_by_one(tmp_path, trees, monkeypatch) -> None:
    root = trees.loom()
    a, b = trees.node("a", root), trees.node("b", root)
    operations = [snapshot("new loom", [root, a, b], roots=[root], folded=[a.id])]
    operations.append(snapshot("stream", [a]))
    root.remove_child(a)
    operations.append(snapshot("delete", deleted=[a.id]))
    operations.append(snapshot("stream", [a], folded=[a.id, b.id]))
    c = trees.node("c", root)
    operations.append(snapshot("ramify", [c]))
    root.add_child(a)
    operations.append(snapshot("undelete", [a]))
    root.remove_child(c)
    b.add_child(c)
    operations.append(snapshot("move", [a, c]))
    root.remove_child(b)
    operations.append(snapshot("delete", deleted=[b.id]))

    for name, together in (("one.loom", False), ("many.loom", True)):
        store = SessionStore.open(tmp_path / name)
        with monkeypatch.context() as patch:
            gate = Gate(patch)
            writer = store.writer()
            writer.put(meta(first=1))
            assert gate.reached.wait(LONG)
            if not together:
                gate.opened.set()
            for changes in operations:
                writer.put(changes)
                assert together or writer.flush(LONG)
            gate.opened.set()
            assert store.close(LONG)
    one, many = read_session(tmp_path / "one.loom"), read_session(tmp_path / "many.loom")
    assert trees.facts(one.roots) == trees.facts(many.roots) == trees.facts([root])
    assert one.folded_ids == many.folded_ids == {a.id}
    assert (one.nodes, one.trashed) == (many.nodes, many.trashed) == (2, 2)


def test_a_full_disk_is_told_once_and_nothing_is_lost(tmp_path, trees, monkeypatch, heard: Heard) -> None:
    store = SessionStore.open(tmp_path / "a.loom")
    disk = SmallDisk(monkeypatch)
    messages, on_error = heard
    writer = store.writer(on_error=on_error)
    root = trees.loom()
    writer.put(everything([root]))
    assert writer.flush(LONG)
    nodes = [trees.node("long " * 500, root) for _ in range(60)]
    writer.put(snapshot("ramify", nodes))
    assert not writer.flush(LONG)
    writer.put(meta(more=1))
    assert not writer.flush(LONG)
    assert len(messages) == 1
    assert "disk is full" in messages[0]
    assert writer.error == messages[0]
    assert writer.waiting == 2
    assert read_session(tmp_path / "a.loom").nodes == 1
    write_new_elsewhere = tmp_path / "elsewhere.loom"
    disk.pages = 100_000
    write_new(write_new_elsewhere, everything([root]))
    assert trees.facts(read_session(write_new_elsewhere).roots) == trees.facts([root])
    assert writer.flush(LONG)
    assert writer.error is None
    assert store.close(LONG)
    loaded = read_session(tmp_path / "a.loom")
    assert trees.facts(loaded.roots) == trees.facts([root])
    assert loaded.meta == {"more": 1}


def test_a_disk_that_stays_full_is_said_at_closing(tmp_path, trees, monkeypatch, heard: Heard) -> None:
    store = SessionStore.open(tmp_path / "a.loom")
    SmallDisk(monkeypatch)
    writer = store.writer(on_error=heard[1])
    root = trees.loom()
    writer.put(everything([root]))
    assert writer.flush(LONG)
    trees.node("long " * 50_000, root)
    writer.put(everything([root]))
    assert not store.close(LONG)
    assert writer.waiting == 1
    assert read_session(tmp_path / "a.loom").nodes == 1


def test_a_full_disk_says_so_when_a_copy_is_made(tmp_path, trees, monkeypatch) -> None:
    SmallDisk(monkeypatch)
    root = trees.loom()
    trees.node("long " * 50_000, root)
    with pytest.raises(SessionError, match="disk is full"):
        write_new(tmp_path / "b.loom", everything([root]))
    assert list(tmp_path.iterdir()) == []


def test_a_file_put_in_its_place_is_left_alone(tmp_path, trees, heard: Heard) -> None:
    path = tmp_path / "a.loom"
    store = SessionStore.open(path)
    messages, on_error = heard
    writer = store.writer(on_error=on_error)
    root = trees.loom()
    writer.put(everything([root]))
    assert writer.flush(LONG)
    other = tmp_path / "other"
    with contextlib.closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE precious (words)")
    other_bytes = other.read_bytes()
    other.replace(path)
    writer.put(meta(more=1))
    assert not writer.flush(LONG)
    assert "Another file" in messages[0]
    with pytest.raises(SessionError, match="Another file"):
        store.copy_to(tmp_path / "copy.loom")
    assert not store.close(LONG)
    assert path.read_bytes() == other_bytes
    assert [file.name for file in tmp_path.iterdir()] == ["a.loom"]
    write_new(tmp_path / "b.loom", everything([root]))
    assert read_session(tmp_path / "b.loom").nodes == 1


def test_a_file_that_was_taken_away_and_comes_back(tmp_path, trees, heard: Heard) -> None:
    path = tmp_path / "a.loom"
    store = SessionStore.open(path)
    messages, on_error = heard
    writer = store.writer(on_error=on_error)
    root = trees.loom()
    writer.put(everything([root]))
    assert writer.flush(LONG)
    path.rename(tmp_path / "away.loom")
    writer.put(meta(more=1))
    assert not writer.flush(LONG)
    assert "deleted or moved" in messages[0]
    assert not path.exists()
    assert trees.facts(read_session(tmp_path / "away.loom").roots) == trees.facts([root])
    (tmp_path / "away.loom").rename(path)
    assert writer.flush(LONG)
    assert store.close(LONG)
    assert read_session(path).meta == {"more": 1}


def test_a_change_that_no_file_could_hold_does_not_stop_the_others(tmp_path, trees, heard: Heard) -> None:
    store = SessionStore.open(tmp_path / "a.loom")
    messages, on_error = heard
    writer = store.writer(on_error=on_error)
    root = trees.loom()
    bad = trees.loom("bad")
    bad.tokens = [-1, *bad.tokens[1:]]
    odd = trees.loom("odd")
    odd.id = "\ud800"
    for name, node in (("good", root), ("odd", odd), ("bad", bad)):
        writer.put(snapshot(name, [node]))
    writer.put(meta(more=1))
    assert writer.flush(LONG)
    assert not store.close(LONG)
    assert [message.split("'")[1] for message in messages] == ["odd"]
    loaded = read_session(tmp_path / "a.loom")
    assert loaded.meta == {"more": 1}
    # Of what are no token ids, the text is kept.
    assert [(node.id, node.encoded) for node in loaded.roots] == [(root.id, True), (bad.id, False)]
    assert loaded.roots[1].text == bad.text


def test_a_listener_that_fails_stops_nothing(tmp_path) -> None:
    store = SessionStore.open(tmp_path / "a.loom")

    def fail(*_: str) -> None:
        raise RuntimeError

    writer = store.writer(on_error=fail, on_saved=fail)
    for index in range(3):
        writer.put(meta(last=index))
        assert writer.flush(LONG)
    assert store.close(LONG)
    assert read_session(tmp_path / "a.loom").meta == {"last": 2}


def test_nothing_is_taken_after_closing(tmp_path) -> None:
    store = SessionStore.open(tmp_path / "a.loom")
    writer = store.writer()
    assert store.close(LONG)
    with pytest.raises(SessionError, match="closed"):
        writer.put(meta(more=1))
    assert store.close(LONG)


def test_closing_while_the_disk_hangs_keeps_the_lock(tmp_path, monkeypatch) -> None:
    store = SessionStore.open(tmp_path / "a.loom")
    gate = Gate(monkeypatch)
    writer = store.writer()
    writer.put(meta(more=1))
    assert gate.reached.wait(LONG)
    assert not store.close(0)
    assert SessionStore.open(tmp_path / "a.loom").read_only
    gate.opened.set()
    assert store.close(LONG)
    assert read_session(tmp_path / "a.loom").meta == {"more": 1}


def test_what_is_stored_is_in_the_file_itself(tmp_path, trees) -> None:
    store = SessionStore.open(tmp_path / "a.loom")
    root = trees.loom()
    store.writer().put(everything([root]))
    assert store.writer().flush(LONG)
    (tmp_path / "copied.loom").write_bytes((tmp_path / "a.loom").read_bytes())
    assert store.close(LONG)
    assert trees.facts(read_session(tmp_path / "copied.loom").roots) == trees.facts([root])
