"""Undo and redo over everything that can happen to a document, its file included."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from support.fake_backend import FakeBackend
from support.hand import Hand, facts

from n8loom_tui.tui.saving import Saving


@pytest.mark.parametrize("seed", range(12))
def test_any_number_of_things_is_undone_to_the_start_and_done_again_to_the_end(
    tmp_path: Path, seed: int
) -> None:
    saving = Saving.open(tmp_path / "a.loom")
    hand = Hand(saving.document, FakeBackend(eos_after=seed % 3 * 2), seed)
    for number in range(300):
        hand.act()
        if number % 7 == 0:
            saving.document.growth.note_growing()
            saving.save("now and then")
        if number % 100 == 99:
            saving.save("leave")
            assert saving.close()
            saving = Saving.open(tmp_path / "a.loom")
            assert not saving.notices
            hand = Hand(saving.document, FakeBackend(), seed + number)
    hand.finish()
    hand.travel(saving.document.redo)
    end = facts(saving.document)
    hand.travel(saving.document.undo)
    assert facts(saving.document) == []
    hand.travel(saving.document.redo)
    assert facts(saving.document) == end
    saving.save("end")
    assert saving.close()

    again = Saving.open(tmp_path / "a.loom")
    hand = Hand(again.document, FakeBackend(), seed)
    hand.finish()
    assert facts(again.document) == end
    hand.travel(again.document.undo)
    assert facts(again.document) == []
    again.save("all undone")
    assert again.close()

    third = Saving.open(tmp_path / "a.loom")
    assert facts(third.document) == []
    hand = Hand(third.document, FakeBackend(), seed)
    hand.travel(third.document.redo)
    assert facts(third.document) == end
    assert third.close()


@pytest.mark.parametrize("seed", range(4))
def test_after_the_trash_is_emptied_history_begins_anew(tmp_path: Path, seed: int) -> None:
    saving = Saving.open(tmp_path / "a.loom")
    hand = Hand(saving.document, FakeBackend(), seed)
    for _ in range(120):
        hand.act()
    if seed % 2:
        saving.save("use")
    hand.finish()
    bottom = facts(saving.document)
    live = set(saving.document.nodes)
    saving.document.empty_trash()
    saving.save("empty the trash")
    hand.seen.clear()
    for _ in range(120):
        hand.act()
    hand.finish()
    hand.travel(saving.document.redo)
    end = facts(saving.document)
    saving.save("use")
    assert saving.close()
    again = Saving.open(tmp_path / "a.loom")
    assert not again.notices
    assert facts(again.document) == end
    Hand(again.document, FakeBackend(), seed).travel(again.document.undo)
    assert facts(again.document) == bottom
    assert set(again.document.nodes) == live
    assert again.close()


USE = """
import sys
from pathlib import Path
from support.fake_backend import FakeBackend
from support.hand import Hand
from n8loom_tui.tui.saving import Saving

saving = Saving.open(Path(sys.argv[1]))
hand = Hand(saving.document, FakeBackend(), int(sys.argv[2]))
for number in range(100_000):
    hand.act()
    hand.document.growth.note_growing()
    saving.save("act")
    if number % 10 == 0:
        assert saving._writer.flush(60)
        print(len(saving.document.history.undoable), flush=True)
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_program_killed_in_the_middle_leaves_a_history_that_goes_all_the_way(
    tmp_path: Path, seed: int
) -> None:
    path = tmp_path / "a.loom"
    search = os.pathsep.join(str(folder) for folder in (Path(__file__).parents[1], *sys.path))
    with subprocess.Popen(
        [sys.executable, "-c", USE, str(path), str(seed)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": search},
    ) as program:
        assert program.stdout is not None
        for _ in range(random.Random(seed).randrange(10, 30)):
            assert program.stdout.readline()
        program.kill()
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    saving = Saving.open(path)
    assert not saving.notices
    hand = Hand(saving.document, FakeBackend(), seed)
    hand.finish()
    hand.travel(saving.document.redo)
    end = facts(saving.document)
    hand.travel(saving.document.undo)
    assert facts(saving.document) == []
    hand.travel(saving.document.redo)
    assert facts(saving.document) == end
    assert saving.close()
