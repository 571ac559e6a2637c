"""Ends that nobody asked the app for: the terminal is restored, and all that was on the screen is in the file."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.in_terminal import Terminal
from support.killable import check
from support.large import plant

from n8loom_tui.session.store import read_session


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """An app in whose tree three branches stream."""
    made = Terminal(tmp_path / "a.loom")
    made.until(b"Once")
    made.type(b" ")
    made.until(b"flood")
    yield made


def words(path: Path) -> int:
    """How many words of branches the file holds, which is sound."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    loaded = read_session(path)
    assert loaded.problems == []
    return sum(len(node.tokens) for root in loaded.roots for node in root.walk() if node is not root)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(terminal: Terminal, tmp_path: Path, number: signal.Signals) -> None:
    terminal.kill(number)
    terminal.kill(number)
    assert terminal.ended() == 128 + number
    assert terminal.restored
    assert b"Traceback" not in terminal.said
    assert words(tmp_path / "a.loom") > 3
    assert {child.finish for child in read_session(tmp_path / "a.loom").roots[0].children} == {"cancelled"}
    assert [file.name for file in tmp_path.iterdir()] == ["a.loom"], "nothing is left beside it"


def test_one_that_was_stopped_and_let_go_on_ends_when_it_is_told_to(terminal: Terminal) -> None:
    terminal.kill(signal.SIGSTOP)
    terminal.kill(signal.SIGCONT)
    drawn = len(terminal.said)
    terminal.until(b"\x1b[?1049h", drawn)
    terminal.type(b"q")
    assert terminal.ended() == 0
    assert terminal.restored


def test_a_window_that_is_closed_takes_nothing_along(terminal: Terminal, tmp_path: Path) -> None:
    terminal.close()
    terminal.ended()
    assert words(tmp_path / "a.loom") > 3
    assert [file.name for file in tmp_path.iterdir()] == ["a.loom"]


def test_a_window_that_froze_before_it_was_closed_keeps_nothing_open(
    terminal: Terminal, tmp_path: Path
) -> None:
    """The app waits for the terminal to take what it draws; the end of the terminal is the end of the wait."""
    stored, before = words(tmp_path / "a.loom"), -1
    while stored != before:  # until nothing is done any more
        time.sleep(1.5)
        stored, before = words(tmp_path / "a.loom"), stored
    terminal.close()
    terminal.ended()
    assert words(tmp_path / "a.loom") >= stored
    assert [file.name for file in tmp_path.iterdir()] == ["a.loom"], "the session is free"


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP, "the window is closed"])
def test_words_that_wait_for_a_large_session_are_not_lost_to_the_end(
    tmp_path: Path, end: signal.Signals | str
) -> None:
    there = plant(tmp_path / "a.loom")
    terminal = Terminal(tmp_path / "a.loom", "late")
    terminal.until(b"opening")
    terminal.type(b"iwords of mine\rb")
    terminal.until(b"waits a moment")
    if isinstance(end, signal.Signals):
        terminal.kill(end)
        assert terminal.ended() == 128 + end
        assert terminal.restored and b"Traceback" not in terminal.said
    else:
        terminal.close()
        terminal.ended()
    kept = read_session(tmp_path / "a.loom")
    assert len(kept.by_id) == len(there) + 1
    (mine,) = (node for node in kept.by_id.values() if node.text == "words of mine")
    assert mine.marks.bookmark, "keys behind the words count, too"


def test_a_widget_that_breaks_costs_no_words(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "a.loom", "break")
    terminal.until(b"Once")
    terminal.type(b" ")
    assert terminal.ended() == 1
    assert terminal.restored
    last = terminal.said[terminal.said.rfind(b"\x1b[?1049l") :]
    assert b"the screen broke (a widget [/b] broke" in last and b"\x1b[31m" not in last
    assert b"Traceback" not in last and b"What was written is stored" in b" ".join(last.split())
    assert words(tmp_path / "a.loom") > 3


def test_a_killed_app_holds_what_was_there_a_second_ago(tmp_path: Path) -> None:
    """The suite's share of two hundred kills."""
    search = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    for seed in range(3):
        path = tmp_path / f"{seed}.loom"
        with subprocess.Popen(
            [sys.executable, "-m", "support.killable", str(path), str(seed)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": search},
        ) as program:
            assert program.stdout is not None
            lines = [program.stdout.readline()]
            reading = threading.Thread(target=lines.extend, args=(program.stdout,))
            reading.start()
            time.sleep(random.Random(seed).uniform(1.5, 3.0))
            program.kill()
            killed = time.monotonic()
            reading.join()
        check(path, [line for line in lines if line.endswith("\n")], killed)
