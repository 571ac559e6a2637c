"""Every architecture of mlx-lm that runs here is exact, or refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from support.architectures import ARCHITECTURES, LEFT_OUT, build
from support.breadth import Breadth, weave
from support.readme import README, Row, rows_of, table, told, write_row

from n8loom_tui.loom import trial
from n8loom_tui.loom.layers import Layout
from n8loom_tui.loom.support import UnsupportedModel
from n8loom_tui.loom.trial import Mode

SERVED = {
    Mode.SHARED: "in one batch, prefixes shared",
    Mode.WHOLE: "in one batch, each path copied",
    Mode.SINGLE: "one by one",
}


def kinds(layout: Layout) -> str:
    """What a model's layers keep, in words."""
    leaves = layout.leaves
    found = {
        "keys and values": any(leaves[i].window is None for i in layout.kv),
        "sliding windows": any(leaves[i].window is not None for i in layout.kv),
        "states": bool(layout.state),
        ", ".join(layout.unknown): layout.opaque,
    }
    return ", ".join(name for name, there in found.items() if there)


def tried(name: str, drawn_from: Any, monkeypatch: pytest.MonkeyPatch) -> Row:
    """How an architecture is served, which is exact; or why it is refused."""
    model = build(name)
    try:
        tree = Breadth(model, drawn_from)
    except UnsupportedModel as error:
        assert name in str(error) or str(ARCHITECTURES[name]["model_type"]) in str(error)
        return Row(name, "", refused=str(error))
    if tree.engine.network is not None:
        weave(tree)
        assert tree.checked > 40
        monkeypatch.setattr(trial, "network_for", lambda *_: None)  # as on a GPU
        tree = Breadth(model, drawn_from)
    weave(tree)
    assert tree.checked > 40
    mode = tree.engine.serving.mode
    copied = mode is not Mode.WHOLE or tree.engine.layout.kv  # where there is anything to copy
    return Row(name, kinds(tree.engine.layout), SERVED[mode] if copied else "in one batch")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_exact_or_refused_as_the_readme_says(
    name: str, drawn_from: Any, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    row = tried(name, drawn_from, monkeypatch)
    if pytestconfig.getoption("--write-table"):
        write_row(row, ARCHITECTURES, LEFT_OUT)
        return
    assert row == rows_of(told(README.read_text("utf-8"))).get(name), "run this file with --write-table"


def test_the_readme_counts_these_architectures_and_no_others(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--write-table"):
        pytest.skip("the rows are being written")
    text = told(README.read_text("utf-8"))
    rows = rows_of(text)
    assert set(rows) == set(ARCHITECTURES), "run this file with --write-table"
    assert text == table(rows.values(), LEFT_OUT), "run this file with --write-table"
