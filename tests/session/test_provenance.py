"""What a file says of where nodes come from: whoever reads it later may rely on its types."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from n8loom_tui.session.provenance import sound
from n8loom_tui.session.record import everything
from n8loom_tui.session.store import read_session, write_new

DEEP: Any = json.loads("[" * 60 + "]" * 60)


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        ({"params": 7, "seed": 3, "more": [1]}, {"seed": 3, "more": [1]}),
        ({"params": {"max_tokens": "many", "temp": 0.5, "x": ["a"]}}, {"params": {"temp": 0.5, "x": ["a"]}}),
        ({"params": {"max_tokens": None, "top_k": 1e9, "min_p": 10**400}}, {"params": {}}),
        ({"seed": True, "time": 1.0}, {"time": 1.0}),
        ({"seed": 2**64, "time": float("nan")}, {}),
        ({"seed": 1, "time": "now", "first_step": {}, "given": -1}, {"seed": 1}),
        ({"model": 7, "fingerprint": [], "imported": "x"}, {}),
        ({"deep": DEEP, "imported": {"deep": DEEP}, "fine": {"a": [[1]]}}, {"fine": {"a": [[1]]}}),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_left_out(found: dict[str, Any], kept: dict[str, Any]) -> None:
    assert sound(found) == kept


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"seed": 2**64 - 1, "time": 1.5},
        {
            "seed": 0,
            "time": 1.5,
            "first_step": -3,
            "given": 2,
            "model": None,
            "fingerprint": "f",
            "anything": None,
        },
        {"params": {"max_tokens": 40, "temp": 1, "top_p": float("inf"), "until": [{"condition": "x"}]}},
    ],
)
def test_what_is_in_order_is_the_same_object(found: dict[str, Any]) -> None:
    assert sound(found) is found


def test_what_many_nodes_share_is_checked_and_told(tmp_path: Path, trees: Any) -> None:
    root = trees.loom()
    trees.node("a", root)
    write_new(tmp_path / "a.loom", everything([root]))
    with contextlib.closing(sqlite3.connect(tmp_path / "a.loom", isolation_level=None)) as db:
        db.execute("UPDATE origins SET value = ?", (json.dumps({"model": "m", "params": [1], "deep": DEEP}),))
    loaded = read_session(tmp_path / "a.loom")
    assert loaded.roots[0].children[0].provenance["model"] == "m"
    assert "params" not in loaded.roots[0].children[0].provenance
    assert len(loaded.problems) == 1
