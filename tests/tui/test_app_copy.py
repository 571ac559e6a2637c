"""Selecting with the mouse, and copying, through the keys."""

from __future__ import annotations

import pytest
from support.keys import KEYMAPS, free, key
from support.rig import Launcher, Rig

from n8loom_tui.tui import clipboard


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    texts: list[str] = []
    monkeypatch.setattr(clipboard, "copy", lambda text, _terminal: texts.append(text))
    return texts


async def with_a_branch(rig: Rig) -> None:
    await rig.ready()
    await key(rig, "continue_one")
    await rig.grown()
    await key(rig, "row_down")


@KEYMAPS
async def test_the_nodes_own_text_is_copied(launch: Launcher, keymap: str, copied: list[str]) -> None:
    async with launch(free(), keymap=keymap) as rig:
        await with_a_branch(rig)
        await key(rig, "copy_node")
        assert copied == [" the flood came and"]


async def test_text_selected_with_the_mouse_is_copied(launch: Launcher, copied: list[str]) -> None:
    async with launch(free(), prompt="Once") as rig:
        await with_a_branch(rig)
        await rig.press("ctrl+c")
        assert copied == [], "nothing is selected yet"
        reader = rig.app.view.reader
        lines = [reader.render_line(y).text for y in range(3)]
        row = next(y for y, line in enumerate(lines) if "the flood" in line)
        start = lines[row].index("flood") + 1  # and the padding
        await rig.pilot.mouse_down(reader, offset=(start, row))
        await rig.pilot.hover(reader, offset=(start + 9, row))
        await rig.pilot.mouse_up(reader, offset=(start + 9, row))
        await rig.pilot.pause()
        assert rig.app.view.get_selected_text() == "flood came"
        chosen = rig.app.view.get_component_rich_style("screen--selection").bgcolor
        drawn = [s.text for s in reader.render_line(row) if s.style and s.style.bgcolor == chosen]
        assert "".join(drawn) == "flood came"
        await rig.press("ctrl+c")
        assert copied == ["flood came"]
        await key(rig, "row_up")
        assert not rig.app.view.get_selected_text(), "it was of another text"
        assert rig.app.is_running
