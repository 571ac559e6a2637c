"""Keeping house among sessions: what is told of them is true, and nothing is ever lost or replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from n8loom_tui.loom.heddle import Heddle, Kind, Loom
from n8loom_tui.session import library
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.record import ModelRef, everything, snapshot
from n8loom_tui.session.store import SessionStore, read_session, write_new


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("N8LOOM_DATA_DIR", str(tmp_path))
    folder = library.sessions_dir()
    folder.mkdir(parents=True)
    return folder


def grown() -> tuple[Loom, Heddle, Heddle]:
    """A prompt, a branch below it, and a branch that was thrown away with a child."""
    root = Loom(None, None, "What does the flood mean?\nTo him.")
    kept = Heddle.from_span([1, 2], " a warning", [2, 10], kind=Kind.GENERATED)
    gone = Heddle.from_span([3], " nothing", [8], kind=Kind.GENERATED)
    root.add_child(kept)
    gone.add_child(Heddle.from_text(" at all, with many words in it"))
    return root, kept, gone


def store(path: Path) -> Heddle:
    root, kept, gone = grown()
    changes = everything([root], models={kept.id: ModelRef("smollm2")}, current=kept.id)
    write_new(path, changes, snapshot("delete", gone.walk(), deleted=[gone.id]))
    return kept


def test_a_summary_counts_what_is_not_in_the_trash(data: Path) -> None:
    store(data / "a.loom")
    found = library.summary(data / "a.loom")
    assert (found.name, found.title, found.nodes, found.words) == ("a", "What does the flood mean?", 2, 9)
    assert found.model == "smollm2"
    assert found.preview == "What does the flood mean?\nTo him. a warning"
    assert not found.problem


def test_what_cannot_be_read_is_listed_with_the_reason(data: Path) -> None:
    (data / "b.loom").write_bytes(b"not a session at all")
    (data / "notes.txt").write_text("no session")
    assert [path.name for path in library.listed()] == ["b.loom"]
    assert "not a session" in library.summary(data / "b.loom").problem
    assert library.summary(data / "gone.loom").problem


def test_a_session_that_is_open_is_summed_with_what_is_in_its_journal(data: Path) -> None:
    root, kept, _ = grown()
    opened = SessionStore.open(data / "a.loom")
    writer = opened.writer()
    writer.put(everything([root], current=kept.id))
    assert writer.flush(60)
    assert library.summary(data / "a.loom").nodes == 2
    with pytest.raises(SessionError, match="open in another program"):
        library.discard(data / "a.loom")
    assert opened.close(60)


def test_the_last_written_comes_first(data: Path) -> None:
    import os

    for age, name in enumerate(("new", "old")):
        store(data / f"{name}.loom")
        os.utime(data / f"{name}.loom", (1000 - age, 1000 - age))
    assert [path.stem for path in library.listed()] == ["new", "old"]


def test_renaming_replaces_nothing(data: Path) -> None:
    kept = store(data / "a.loom")
    store(data / "b.loom")
    with pytest.raises(SessionError, match="exists already"):
        library.rename(data / "a.loom", data / "b.loom")
    library.rename(data / "a.loom", data / "c.loom")
    assert {path.stem for path in library.listed()} == {"b", "c"}
    assert read_session(data / "c.loom").current_id == kept.id


def test_what_is_thrown_away_comes_back(data: Path) -> None:
    store(data / "a.loom")
    gone = library.discard(data / "a.loom")
    assert library.listed() == []
    assert library.listed(library.trash_dir()) == [gone]
    store(data / "a.loom")
    assert library.discard(data / "a.loom").stem == "a-2"
    assert library.restore(gone) == data / "a.loom"
    assert read_session(data / "a.loom").nodes == 2


def test_a_name_stays_in_the_folder_and_a_path_goes_where_it_says(data: Path, tmp_path: Path) -> None:
    assert library.named("flood") == data / "flood.loom"
    assert library.named(f"{tmp_path}/x") == tmp_path / "x.loom"
    assert library.named(f"{tmp_path}/x.db") == tmp_path / "x.db.loom"
    for bad in ("", " ", ".hidden", "folder/"):
        with pytest.raises(SessionError):
            library.named(bad)


def test_parents_in_a_circle_end(data: Path) -> None:
    import sqlite3

    kept = store(data / "a.loom")
    db = sqlite3.connect(data / "a.loom")
    db.execute("UPDATE nodes SET parent = ? WHERE id = ?", (kept.id, kept.id))
    db.commit()
    db.close()
    found = library.summary(data / "a.loom")
    assert found.nodes == 2 and found.preview == " a warning"
