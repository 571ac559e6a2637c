"""What was written and not entered is there afterwards, whatever ended the app: with real processes on terminals."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.in_terminal import PATIENCE, Terminal

from n8loom_tui.session.drafts import Draft, Editor, Place
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.load import LoadedSession
from n8loom_tui.session.store import read_session

WORDS = "words of mine, two"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "DATA"):
        monkeypatch.setenv(f"N8LOOM_{name}_DIR", str(tmp_path / "folders" / name.lower()))
    monkeypatch.delenv("VISUAL", raising=False)


def kept(path: Path) -> Draft:
    """The one draft that a session holds, on its root."""
    loaded = read_session(path)
    assert loaded.problems == []
    ((place, draft),) = loaded.drafts.items()
    assert place.node in ("", loaded.roots[0].id)
    return draft


def until(path: Path, true: Callable[[LoadedSession], bool]) -> None:
    """Wait until a session holds something."""
    end = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(SessionError):  # it is being made
            if true(read_session(path)):
                return
        assert time.monotonic() < end
        time.sleep(0.02)


def writing(path: Path, *arguments: str) -> Terminal:
    """An app with words in the editor for a child of the root."""
    terminal = Terminal(path, *arguments)
    terminal.until(b"Once")
    terminal.type(b"i")
    terminal.until(b"Write what comes next")
    terminal.type(WORDS.encode())
    terminal.until(b"two")
    return terminal


def opened_again(path: Path) -> Terminal:
    """The app on the same session, once it has told of the words."""
    terminal = Terminal(path, "again")
    terminal.until(b"kept:")
    return terminal


def enter_what_was_kept(path: Path, text: str = WORDS) -> None:
    """Go on with the words, and enter them: they are in the tree, and no draft any more."""
    terminal = opened_again(path)
    terminal.type(b"w")
    terminal.until(b"did not enter it")
    terminal.type(b" more\r")
    until(path, lambda found: not found.drafts)
    terminal.type(b"q")
    assert terminal.ended() == 0
    assert [child.text for child in read_session(path).roots[0].children] == [f"{text} more"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_takes_no_words_along(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "a.loom"
    terminal = writing(path)
    terminal.kill(number)
    assert terminal.ended() == 128 + number
    assert kept(path).text == WORDS
    enter_what_was_kept(path)


def test_a_window_that_is_closed_takes_no_words_along(tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    terminal = writing(path)
    terminal.close()
    terminal.ended()
    assert kept(path).text == WORDS


def test_a_kill_takes_no_words_along_that_were_there_a_moment_before(tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    terminal = writing(path)
    until(path, lambda found: [draft.text for draft in found.drafts.values()] == [WORDS])
    terminal.type(b", three")
    until(path, lambda found: [draft.text for draft in found.drafts.values()] == [f"{WORDS}, three"])
    terminal.kill(signal.SIGKILL)
    assert terminal.ended() == -signal.SIGKILL
    enter_what_was_kept(path, f"{WORDS}, three")


def test_a_field_that_breaks_takes_no_words_along(tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    terminal = writing(path, "cut")
    terminal.type(b" cut")
    assert terminal.ended() == 1
    assert terminal.restored and b"What was written is stored" in b" ".join(terminal.said.split())
    assert kept(path).text == f"{WORDS} cut"


def test_the_first_words_of_all_are_kept_where_nobody_named_a_session(tmp_path: Path) -> None:
    terminal = Terminal(None, "again")
    terminal.until(b"A new loom")
    terminal.type(WORDS.encode())
    sessions = tmp_path / "folders" / "data" / "sessions"
    end = time.monotonic() + PATIENCE
    while not list(sessions.glob("*.loom")):
        assert time.monotonic() < end
        time.sleep(0.02)
    (path,) = sessions.glob("*.loom")
    until(path, lambda found: [draft.text for draft in found.drafts.values()] == [WORDS])
    terminal.kill(signal.SIGKILL)
    terminal.ended()
    assert read_session(path).drafts.keys() == {Place(Editor.LOOM)}
    terminal = Terminal(None, "again")
    terminal.until(b"Sessions")
    terminal.until(WORDS.encode())
    terminal.type(b"\r")
    terminal.until(b"did not enter it")
    terminal.type(b"\r")
    until(path, lambda found: bool(found.roots) and not found.drafts)
    terminal.type(b"q")
    assert terminal.ended() == 0
    assert read_session(path).roots[0].source_text() == WORDS


# ------------------------------------------------------------------- $EDITOR

EDITOR = """
import os, signal, sys, time
path, command = sys.argv[2], sys.argv[1]
print("EDITOR HAS", repr(open(path).read()), flush=True)
if command == "leave":
    sys.exit()
with open(path, "a") as file:
    file.write(" and saved")
if command == "done":
    sys.exit()
if command == "fail":
    sys.exit(3)
open(os.path.join(os.path.dirname(path), ".swap"), "w").close()
print("EDITOR HAS SAVED", flush=True)
time.sleep(600)
"""


def editing(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str) -> Terminal:
    """An app whose root's text is in an editor that has saved more."""
    script = tmp_path / "editor.py"
    script.write_text(EDITOR)
    monkeypatch.setenv("EDITOR", f"'{sys.executable}' '{script}' {command}")
    terminal = Terminal(path, *(["again"] if path.exists() else []))
    terminal.until(b"Once")
    return terminal


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_what_an_editor_has_saved_is_kept_when_the_app_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    path = tmp_path / "a.loom"
    terminal = editing(path, monkeypatch, tmp_path, "wait")
    terminal.type(b"E")
    terminal.until(b"EDITOR HAS SAVED")
    if number == signal.SIGKILL:
        until(path, lambda found: [draft.text for draft in found.drafts.values()] == ["Once and saved"])
    terminal.kill(number)
    assert terminal.ended() == (-number if number == signal.SIGKILL else 128 + number)
    draft = kept(path)
    assert draft.text == "Once and saved" and draft.folder
    folder = tmp_path / "folders" / "data" / "editing" / draft.folder
    assert {file.name for file in folder.iterdir()} == {"text.txt", ".swap"}
    (folder / "text.txt").write_text("Once, saved later still")  # by an editor that outlived the app
    os.utime(folder / "text.txt", (draft.at + 5, draft.at + 5))
    terminal = editing(path, monkeypatch, tmp_path, "done")
    terminal.until(b"kept:")
    terminal.type(b"w")
    terminal.until(b"EDITOR HAS 'Once, saved later still'")
    until(path, lambda found: found.roots[0].source_text() == "Once, saved later still and saved")
    assert not read_session(path).drafts and not folder.exists()
    terminal.type(b"q")
    assert terminal.ended() == 0


def test_a_window_that_is_closed_over_an_editor_takes_nothing_along_that_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.loom"
    terminal = editing(path, monkeypatch, tmp_path, "wait")
    terminal.type(b"E")
    terminal.until(b"EDITOR HAS SAVED")
    terminal.close()
    terminal.ended()
    assert kept(path).text == "Once and saved"


def test_an_editor_that_fails_or_saves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.loom"
    terminal = editing(path, monkeypatch, tmp_path, "leave")
    terminal.type(b"E")
    terminal.until(b"EDITOR HAS 'Once'")
    until(path, lambda found: not found.drafts)
    terminal.type(b"q")
    terminal.ended()
    assert not list((tmp_path / "folders" / "data" / "editing").iterdir())
    terminal = editing(path, monkeypatch, tmp_path, "fail")
    terminal.type(b"E")
    terminal.until(b"kept:")
    terminal.type(b"q")
    terminal.ended()
    assert kept(path).text == "Once and saved"
    terminal = editing(path, monkeypatch, tmp_path, "leave")
    terminal.type(b"w")
    terminal.until(b"EDITOR HAS 'Once and saved'")
    terminal.type(b"q")
    assert terminal.ended() == 0
    assert kept(path).text == "Once and saved", "nothing was saved this time: it is kept as it was"
