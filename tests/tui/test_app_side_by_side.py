"""All children side by side, through the keys."""

from __future__ import annotations

from support.fake_backend import FakeBackend
from support.keys import KEYMAPS, free, key
from support.rig import Launcher, Rig

from n8loom_tui.tui.screens.loom import LoomScreen
from n8loom_tui.tui.screens.side_by_side import SideBySide


def lines(rig: Rig) -> list[str]:
    screen = rig.app.screen
    assert isinstance(screen, SideBySide)
    return [screen.columns.render_line(y).text.rstrip() for y in range(screen.columns.content_size.height)]


@KEYMAPS
async def test_they_stream_together_and_one_is_gone_to(launch: Launcher, keymap: str) -> None:
    backend = FakeBackend()
    async with launch(backend, keymap=keymap, n=3, max_tokens=30) as rig:
        await rig.ready()
        await key(rig, "ramify")
        await key(rig, "children_side_by_side")
        backend.grant(2)
        await rig.until(lambda: lines(rig)[1].count("the flood▌") == 3)
        backend.grant(1)
        await rig.until(lambda: lines(rig)[1].count("the flood came▌") == 3)
        assert lines(rig)[0].startswith("▸1")
        await key(rig, "child")
        assert "▸2" in lines(rig)[0]
        await rig.press("3")
        assert "▸3" in lines(rig)[0]
        await key(rig, "parent")
        await key(rig, "continue_one")
        assert isinstance(rig.app.screen, LoomScreen)
        assert rig.current is rig.root.children[1]
        await key(rig, "children_side_by_side")
        assert isinstance(rig.app.screen, LoomScreen), "there is nothing below"


async def test_more_can_be_grown_there_and_escape_leaves(launch: Launcher) -> None:
    async with launch(free(), n=2) as rig:
        await rig.ready()
        await rig.press("space")
        await rig.grown()
        await rig.press("C", "space")
        await rig.until(lambda: len(rig.root.children) == 4)
        assert "4" in lines(rig)[0]
        await rig.press("escape")
        assert isinstance(rig.app.screen, LoomScreen)
        assert rig.current is rig.root


async def test_on_a_narrow_screen_they_stand_one_under_the_other_and_scroll(launch: Launcher) -> None:
    async with launch(free(), n=4, max_tokens=200, size=(60, 15)) as rig:
        await rig.ready()
        await rig.press("space")
        await rig.grown()
        await rig.press("C")
        heads = [line for line in lines(rig) if "tokens" in line]
        assert [head.split(" ")[0] for head in heads] == ["▸1", "", ""][: len(heads)]
        before = lines(rig)[1]
        await rig.press("down", "down")
        assert lines(rig)[1] != before
        await rig.press("4")
        assert any(line.startswith("▸4") for line in lines(rig)), "the chosen one is in sight"
