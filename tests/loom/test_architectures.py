"""Every architecture of mlx-lm that runs here is exact, or refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from support.architectures import ARCHITECTURES, LEFT_OUT, build
from support.breadth import Breadth, weave
from support.readme import README, Row, table, write_table

from n8loom_tui.loom import trial
from n8loom_tui.loom.layers import Layout
from n8loom_tui.loom.support import UnsupportedModel
from n8loom_tui.loom.trial import Mode

pytestmark = pytest.mark.xdist_group("architectures")  # in one process: the last test is about all before it

ROWS: dict[str, Row] = {}
"""What this run has found."""

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


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_exact_or_refused(name: str, drawn_from: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(name)
    try:
        tree = Breadth(model, drawn_from)
    except UnsupportedModel as error:
        assert name in str(error) or str(ARCHITECTURES[name]["model_type"]) in str(error)
        ROWS[name] = Row(name, "", refused=str(error))
        return
    if tree.engine.network is not None:
        weave(tree)
        assert tree.checked > 40
        monkeypatch.setattr(trial, "network_for", lambda *_: None)  # as on a GPU
        tree = Breadth(model, drawn_from)
    weave(tree)
    assert tree.checked > 40
    mode = tree.engine.serving.mode
    copied = mode is not Mode.WHOLE or tree.engine.layout.kv  # where there is anything to copy
    ROWS[name] = Row(name, kinds(tree.engine.layout), SERVED[mode] if copied else "in one batch")


def test_the_table_in_the_readme_is_what_was_found(pytestconfig: pytest.Config) -> None:
    if set(ROWS) != set(ARCHITECTURES):
        pytest.skip("not all architectures were tried in this run")
    found = table(ROWS.values(), LEFT_OUT)
    if pytestconfig.getoption("--write-table"):
        write_table(found)
    assert found in README.read_text("utf-8"), "run this file with --write-table"
