"""Paths as people type them: every slip is one clear line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from n8loom_tui.loom.heddle import Loom
from n8loom_tui.session import library
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.formats import export_session, import_file
from n8loom_tui.session.record import everything
from n8loom_tui.session.store import resolve_session_path, write_new
from n8loom_tui.session.typed import typed_path

LONG = "x" * 300
CLOSED = "/closed/inside"


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that nobody may look into."""
    ordinary = os.stat

    def stat(path: Any, *args: Any, **options: Any) -> os.stat_result:
        if str(path).startswith("/closed/"):
            raise PermissionError(13, "Permission denied", str(path))
        return ordinary(path, *args, **options)

    monkeypatch.setattr(os, "stat", stat)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("N8LOOM_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "a.loom"
    write_new(path, everything([Loom(None, None, "Once")]))
    return path


TAKES: dict[str, Callable[[str], object]] = {
    "typed": typed_path,
    "named": library.named,
    "import": import_file,
}


@pytest.mark.parametrize("take", TAKES.values(), ids=TAKES)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("~nosuchuser/x", "no home folder ~nosuchuser"),
        (LONG, "too long"),
        (f"/tmp/{LONG}", "too long"),
        (CLOSED, "permission is missing"),
        ("/tmp/a\0b", "cannot be the name of a file"),
    ],
)
@pytest.mark.usefixtures("closed", "session")
def test_a_slip_is_told_in_a_line(take: Callable[[str], object], text: str, said: str) -> None:
    with pytest.raises(SessionError, match=said) as told:
        take(text)
    assert str(told.value).isprintable()


def test_the_command_line_is_told_too(session: Path) -> None:
    with pytest.raises(SessionError, match="no home folder ~nosuchuser"):
        resolve_session_path("~nosuchuser/x")
    with pytest.raises(SessionError, match="no home folder ~nosuchuser"):
        export_session(session, "text", "~nosuchuser/x")


def test_a_home_folder_is_no_session(session: Path) -> None:
    assert session.exists()
    with pytest.raises(SessionError, match="not a folder"):
        library.named("~")


def test_what_is_there_is_told(tmp_path: Path) -> None:
    assert typed_path(tmp_path / "none") == (tmp_path / "none", None)
    (tmp_path / "file").touch()
    assert typed_path(tmp_path / "file" / "below")[1] is None
    assert typed_path(str(tmp_path / "file"))[1] is not None


def test_an_import_of_a_file_with_a_very_long_name_finds_a_shorter_one(tmp_path: Path, session: Path) -> None:
    source = tmp_path / ("世" * 80 + ".json")
    source.write_text('{"text": "Once", "children": []}')
    assert session.exists()
    made, _ = import_file(source)
    assert made.stem.startswith("世" * 60)


def test_a_session_that_vanishes_while_sessions_are_listed_is_left_out(
    session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = session.with_name("b.loom")
    write_new(twin, everything([]))
    ordinary = library.changed

    def changed(path: Path) -> float:
        if path == session:
            path.unlink(missing_ok=True)
        return ordinary(path)

    monkeypatch.setattr(library, "changed", changed)
    assert [path for _, path in library.dated(session.parent)] == [twin]
