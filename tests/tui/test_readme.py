"""The README's tables of keys say what the default keymap does."""

from __future__ import annotations

import re
from pathlib import Path

from n8loom_tui.tui.actions import ACTIONS
from n8loom_tui.tui.keymap import load_keymaps, shipped_keymaps_path

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
KEYMAP, _ = load_keymaps("default", shipped_keymaps_path(), None)


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, the cells of each."""
    lines = README.split(heading, 1)[1].splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def coded(cell: str) -> list[str]:
    return [word.replace("\\|", "|") for word in re.findall(r"`([^`]+)`", cell)]


def test_each_thing_that_looms_do_has_its_key() -> None:
    rows = table("### What looms do")
    assert len(rows) > 20
    for _, keys, actions in rows:
        named = coded(actions)
        assert named and set(named) <= set(ACTIONS)
        labels = {label for name in named for label in KEYMAP.labels(name)}
        assert set(coded(keys)) <= labels
        assert all(set(KEYMAP.labels(name)) & set(coded(keys)) for name in named)


def test_every_key_of_the_default_keymap_is_in_the_readme() -> None:
    keys = {key for _, cell in table("## Keys") for key in coded(cell)}
    for name in ACTIONS:
        assert set(KEYMAP.labels(name)) & keys, f"{name} is missing"
