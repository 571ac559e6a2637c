"""The mouse on the tree of the app: a click selects or folds, a double click goes on, the wheel scrolls."""

from __future__ import annotations

from support.keys import free, key
from support.rig import Launcher
from textual.events import MouseScrollDown


async def test_click_double_click_and_wheel(launch: Launcher) -> None:
    async with launch(free(), size=(100, 20)) as rig:
        await rig.ready()
        await key(rig, "ramify", 3)
        await rig.grown()
        tree = rig.app.view.tree_view
        second = rig.root.children[1]
        await rig.pilot.click(tree, offset=(10, 2))
        assert rig.current is second and rig.app.view.reader.node is second
        await rig.pilot.click(tree, offset=(10, 2), times=2)
        await rig.until(lambda: second.children)
        await rig.grown()
        assert len(second.children) == 1
        await rig.pilot.click(tree, offset=(0, 2))
        assert tree.is_folded(second)
        await key(rig, "top")
        await key(rig, "ramify", 30)
        await rig.grown()
        tree.post_message(MouseScrollDown(tree, 5, 5, 0, 0, 0, False, False, False))
        await rig.pilot.pause()
        assert tree.scroll_offset.y > 0 and rig.current is rig.root
