"""Where a person stood is taken up before it can be overwritten."""

from __future__ import annotations

import time

from support.keys import free, key
from support.rig import Launcher

from n8loom_tui.tui.whereabouts import Whereabouts


async def test_nothing_is_stored_before_what_was_stored_is_taken_up(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await key(rig, "ramify")
        await rig.grown()
        child = rig.root.children[1]
        rig.app.saving.place(child)
        again = Whereabouts(rig.app)
        again.moved = again.folded = True
        again.store_changes(time.monotonic())
        again.store()
        assert rig.app.saving.current_id == child.id
        again.take_up(time.monotonic())
        assert rig.current is child
        await key(rig, "top")
        again.moved = True
        again.store_changes(time.monotonic())
        assert rig.app.saving.current_id == rig.root.id
