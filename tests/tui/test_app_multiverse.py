"""The block multiverse, through its keys."""

from __future__ import annotations

from support.fake_backend import FakeBackend
from support.keys import KEYMAPS, free, key
from support.rig import Launcher, Rig

from n8loom_tui.loom.protocol import Ramify, Stop
from n8loom_tui.tui.screens.loom import LoomScreen
from n8loom_tui.tui.screens.multiverse import MultiverseScreen


def lines(rig: Rig) -> list[str]:
    screen = rig.app.screen
    assert isinstance(screen, MultiverseScreen)
    return [screen.blocks.render_line(y).text for y in range(screen.blocks.content_size.height)]


async def opened(rig: Rig) -> None:
    await rig.ready()
    await key(rig, "multiverse")
    await rig.until(lambda: lines(rig)[0].count("w201") == 3)


@KEYMAPS
async def test_a_way_is_taken_as_a_child(launch: Launcher, keymap: str) -> None:
    backend = free()
    async with launch(backend, keymap=keymap) as rig:
        await opened(rig)
        first = next(r for r in backend.submitted if isinstance(r, Ramify))
        assert first.sources[0].path[-1].tokens == tuple(rig.root.tokens), "from the node's own tokens"
        second = [r for r in backend.submitted if isinstance(r, Ramify)][1]
        assert len(second.sources) == 2, "the alternatives are looked behind in one batch"
        await key(rig, "row_down")
        await key(rig, "child")
        assert "w202 w201" in rig.app.screen.head.left  # type: ignore[attr-defined]
        await key(rig, "continue_one")
        assert isinstance(rig.app.screen, LoomScreen)
        await rig.grown()
        (child,) = rig.root.children
        assert (child.text, child.tokens) == (" w202 w201", [202, 201])
        assert rig.current is child
        await key(rig, "undo")
        assert rig.root.children == []
        await key(rig, "redo")
        assert rig.root.children[0].text == " w202 w201"


async def test_blocks_are_as_high_as_they_are_probable(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await opened(rig)
        drawn = lines(rig)
        height, width = len(drawn), len(drawn[0])
        column = [line[: width // 3] for line in drawn]
        begins = [y for y, line in enumerate(column) if "%" in line]
        assert "50 %" in column[0] and "30 %" in column[begins[1]]
        assert abs(begins[1] - 0.4966 * height) <= 1
        blank = [y for y, line in enumerate(column) if not line.strip()]
        assert abs(len(blank) - 0.2 * height) <= 2, "what is not shown leaves its share free"


async def test_one_can_go_deeper_than_is_shown(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await opened(rig)
        for depth in range(1, 6):
            await rig.until(lambda: rig.app.screen.blocks.cursor.below)  # type: ignore[attr-defined]
            await rig.press("right")
            assert len(rig.app.screen.blocks.cursor.way) == depth + 1  # type: ignore[attr-defined]
        assert any("▸" in line for line in lines(rig)), "the cursor stays in sight"
        await rig.press("left", "enter")
        await rig.grown()
        assert len(rig.root.children[0].tokens) == 5


async def test_leaving_asks_for_nothing_more_and_adds_nothing(launch: Launcher) -> None:
    backend = FakeBackend()
    async with launch(backend) as rig:
        await rig.ready()
        await rig.press("B")
        assert "looks ahead" in lines(rig)[0]
        await rig.press("right", "down", "enter")
        await rig.press("escape")
        assert isinstance(rig.app.screen, LoomScreen)
        await rig.until(lambda: any(isinstance(r, Stop) for r in backend.submitted))
        backend.free()
        await rig.until(lambda: not backend.busy)
        assert rig.root.children == []
        await rig.until(lambda: len([r for r in backend.submitted if isinstance(r, Ramify)]) == 1)
