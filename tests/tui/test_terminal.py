"""What comes from the terminal is what was meant: whatever is pasted is text and presses no key."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from pathlib import Path

import pytest
from support.in_terminal import Terminal
from textual import events
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from n8loom_tui.session.store import read_session
from n8loom_tui.tui.terminal import BEGIN, END, PATIENCE, InputParser, TerminalDriver, terminal_driver

HOSTILE = [
    "\x1b",
    "d\x1bq\x1b\x1bd",
    "\x1b[31mred\x1b[0m",
    "\x1b[A\x1b[<0;3;4M\x1b[13;1u",
    "\x1b[99999999999999999999999999999999999999dq",
    "\x1b]0;title\x07\x1bP1$r\x1b\\",
    "\x1b[200~again",
    "half an end \x1b[201",
    "\x1b[20\x1b[20",
    "\x1b[Iq\x1b[Od\x1b[?2026;2$y\x1b[3;4R",
    "line\rline\nline\t\x03\x04\x1a\x7f",
    "日本語 \N{FAMILY} \x9b201~ é",
]


def read(told: Iterable[Message]) -> list[str]:
    """Keys by their names, pastes with a sign before them."""
    return [
        f"+{each.text}" if isinstance(each, events.Paste) else each.key
        for each in told
        if isinstance(each, events.Paste | events.Key)
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_pasted_comes_as_it_is_and_keys_go_on_behind_it(text: str) -> None:
    stream = f"a{BEGIN}{text}{END}b\x1b[A"
    wanted = ["a", f"+{text}", "b", "up"]
    assert read(InputParser().feed(stream)) == wanted
    one_by_one = InputParser()
    assert [made for character in stream for made in read(one_by_one.feed(character))] == wanted
    for cut in range(1, len(stream)):
        parser = InputParser()
        assert read(parser.feed(stream[:cut])) + read(parser.feed(stream[cut:])) == wanted, cut


def test_pastes_follow_each_other() -> None:
    parser = InputParser()
    assert read(parser.feed(f"{BEGIN}one{END}{BEGIN}{END}{BEGIN}two\0{END}q")) == ["+one", "+two", "q"]


def test_keys_that_only_look_like_a_paste_are_keys() -> None:
    parser = InputParser()
    assert read(parser.feed("\x1b[2~200~")) == ["insert", "2", "0", "0", "tilde"]
    assert read(parser.feed("\x1b\x1b[B")) == ["escape", "down"]


def test_a_lost_end_takes_the_keyboard_for_a_moment_only() -> None:
    now = [0.0]
    parser = InputParser(clock=lambda: now[0])
    assert read(parser.feed(f"{BEGIN}some \x1b[31mwords")) == []
    now[0] += PATIENCE - 1
    assert read(parser.tick()) == []
    assert read(parser.feed(" and q")) == []
    now[0] += PATIENCE - 1
    assert read(parser.tick()) == [], "it is over only when nothing has come for a while"
    now[0] += 2
    assert read(parser.tick()) == ["+some \x1b[31mwords and q"]
    assert read(parser.feed("d\x1b[A")) == ["d", "up"]
    assert read(parser.feed(f"{END}x{BEGIN}next{END}")) == ["x", "+next"]


def test_a_driver_that_was_asked_for_is_taken() -> None:
    assert terminal_driver(LinuxDriver) is TerminalDriver
    assert terminal_driver(Driver) is Driver


def test_a_paste_at_the_real_app(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "a.loom")
    terminal.until(b"Once")
    attack = "\x1b[31mdq\x1bq\x1b[999;999dd\ri words\r"
    terminal.type(f"{BEGIN}{attack}{END}".encode())  # upon the tree, where keys act
    terminal.type(b"i")
    terminal.type(f"{BEGIN}{attack}".encode())
    terminal.type(b"broken \xff\xfe byte\x1b[2")
    terminal.type(b"01~!\r")
    terminal.until(b"byte!")
    terminal.kill(signal.SIGTERM)
    terminal.ended()
    assert terminal.restored and b"Traceback" not in terminal.said
    (root,) = read_session(tmp_path / "a.loom").roots
    assert root.text == "Once"
    (child,) = root.children
    assert child.text.replace("\r", "\n") == f"{attack}broken \ufffd\ufffd byte!".replace("\r", "\n")
