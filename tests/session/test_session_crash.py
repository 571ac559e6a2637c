"""A program killed in the middle of writing: the file is sound, and what was acknowledged is in it."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from n8loom_tui.session.store import SessionStore

WRITER = """
import random, sys
from pathlib import Path
from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.session.record import snapshot
from n8loom_tui.session.store import SessionStore

draw = random.Random(int(sys.argv[2]))
store = SessionStore.open(Path(sys.argv[1]))
root = Loom(None, None, "prompt")
root.set_span([1], "prompt", [6])
writer = store.writer()
writer.put(snapshot("new loom", [root], roots=[root]))
nodes = [root]
for number in range(100_000):
    parent = draw.choice(nodes)
    branches = [parent.add_child(Heddle.from_span([], "", [])) for _ in range(8)]
    for step in range(draw.randrange(1, 6)):
        for branch in branches:
            branch.append_token(step, f"{number}.{step} ")
        writer.put(snapshot("stream", branches))
    nodes += branches
    if draw.random() < 0.2:
        gone = nodes.pop(draw.randrange(1, len(nodes)))
        if gone.parent is not None:
            gone.parent.remove_child(gone)
            writer.put(snapshot("delete", deleted=[gone.id]))
            nodes = list(root.walk())
    if draw.random() < 0.5:
        assert writer.flush(60)
        print(number, root.count_children(), sum(len(node.tokens) for node in root.walk()), flush=True)
"""


@pytest.mark.parametrize("seed", range(6))
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "a.loom"
    wait_for = random.Random(seed).randrange(1, 40)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(seed)], stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        for _ in range(wait_for):
            last = program.stdout.readline()
        program.kill()
        last = [last, *program.stdout.readlines()][-1]
    _, nodes, tokens = map(int, last.split())
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    store = SessionStore.open(path)
    assert not store.read_only
    loaded = store.load()
    assert (loaded.problems, loaded.damaged) == ([], False)
    # Later operations than the last acknowledged one may be in the file, and deletions among them.
    everywhere = loaded.nodes + loaded.trashed
    assert everywhere >= nodes
    with contextlib.closing(sqlite3.connect(path)) as db:
        stored = db.execute("SELECT sum(length(tokens) - 1) FROM nodes").fetchone()[0]
    assert stored >= tokens
    assert all(node.text[: node.ends[-1]] == node.text for root in loaded.roots for node in root.walk())
    assert store.close(60)
    assert [file.name for file in tmp_path.iterdir()] == ["a.loom"]
