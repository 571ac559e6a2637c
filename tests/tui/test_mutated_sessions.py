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

from n8loom_tui.loom.protocol import SamplingParams
from n8loom_tui.session.errors import SessionError
from n8loom_tui.tui.glimpsed import begin_opening
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


def test_a_folded_branch_that_had_said_nothing_does_not_keep_a_session_from_opening(tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    saving = Saving.open(path)
    document = saving.document
    root = document.new_loom("Once", False).focus
    assert root is not None
    document.ramify([root], 2, SamplingParams(max_tokens=3))
    saving.save("ramify")
    saving.place(root, frozenset(node.id for node in root.children))
    assert saving.close()
    again = Saving.open(path)
    assert [node.text for node in again.document.in_order()] == ["Once"] and not again.folded_ids
    assert again.close()


def test_a_file_of_which_nothing_can_be_read_is_left_without_anything_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    saving = Saving.open(path)
    saving.document.new_loom("Once", False)
    saving.save("new loom")
    assert saving.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'nodes'").fetchone()
    content = bytearray(path.read_bytes())
    content[4096 * (page - 1) : 4096 * page] = bytes(4096)
    path.write_bytes(content)
    for opened in (Saving.open, lambda path: begin_opening(path, 40)):
        with pytest.raises(SessionError, match="is damaged"):
            opened(path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.loom"]
    assert path.read_bytes() == content


@pytest.mark.parametrize("digit", ["0", "٣"])
def test_a_digit_that_was_turned_into_another_costs_no_more_than_that(tmp_path: Path, digit: str) -> None:
    path = tmp_path / "a.loom"
    saving = Saving.open(path)
    hand = Hand(saving.document, FakeBackend(), 0)
    hand.take(saving.document.new_loom("Once", False))
    hand.take(saving.document.ramify(saving.document.roots, 2, SamplingParams(max_tokens=3, seed=41)))
    hand.finish()
    saving.save("ramify")
    assert saving.close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        place = "CASE substr(provenance, 1, 8) WHEN '{\"seed\":' THEN"
        turned = f"'{{\"seed\":{digit}' || substr(provenance, 9)"
        db.execute(
            f"UPDATE nodes SET provenance = {place} {turned} ELSE provenance END WHERE kind = 'generated'"
        )
    again = Saving.open(path)
    assert [node.text for node in again.document.in_order()][1:] == [" the flood came"] * 2
    assert all("seed" not in node.provenance for node in again.document.roots[0].children)
    assert again.close()
