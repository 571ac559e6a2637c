"""Sessions changed at random, bytes and values: each opens as far as it goes and can be used, or gives one line."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
from pathlib import Path

import pytest
from support.fake_backend import FakeBackend
from support.hand import Hand
from support.session_mutations import bent, meddle, use

from n8loom_tui.tui.saving import Saving


@pytest.mark.parametrize("seed", range(2))
def test_mutated_sessions(tmp_path: Path, seed: int) -> None:
    whole = tmp_path / "whole.loom"
    saving = Saving.open(whole)
    hand = Hand(saving.document, FakeBackend(), seed)
    for number in range(60 + 60 * seed):
        hand.act()
        if number % 10 == 0:
            saving.save("act")
    hand.finish()
    saving.save("act")
    assert saving.close()
    content = whole.read_bytes()
    opened = 0
    for number in range(40):
        draw = random.Random(1000 * seed + number)
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / "a.loom"
        if number % 2:
            path.write_bytes(bent(content, draw))
        else:
            path.write_bytes(content)
            meddle(path, draw)
        opened += use(path, draw)
    assert opened > 12


def test_a_huge_table_that_all_nodes_share_is_not_copied_for_each(tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    saving = Saving.open(path)
    hand = Hand(saving.document, FakeBackend(), 0)
    hand.take(saving.document.new_loom("Once", False))
    for _ in range(40):
        hand.act()
    hand.finish()
    saving.save("x")
    assert saving.close()
    shared = {"model": "m", "more": [0] * 5000, "params": {f"k{index}": 1 for index in range(5000)}}
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("INSERT INTO origins VALUES (999, ?)", (json.dumps(shared),))
        db.execute("UPDATE nodes SET origin = 999")
    again = Saving.open(path)
    for node in again.document.nodes.values():
        assert len(node.provenance["params"]) <= 200 and "more" not in node.provenance
    assert any("Origin 999" in notice for notice in again.notices)
    assert again.close()
