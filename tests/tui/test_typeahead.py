"""Keys that come faster than the app answers reach what the keys before them opened, in their order."""

from __future__ import annotations

from support.fake_backend import FakeBackend
from support.rig import Launcher
from textual import events

from n8loom_tui.tui.screens.editor import EditorArea, EditorScreen


async def test_a_burst_of_keys_goes_where_each_belongs(launch: Launcher) -> None:
    backend = FakeBackend()
    backend.free()
    async with launch(backend) as rig:
        await rig.ready()
        # i opens the editor, "king" is written there, enter closes it; then a bookmark, and one more text child.
        for key in ("i", *"king", "enter", "b", "i", *"queen", "enter"):
            character = key if len(key) == 1 else None
            rig.app.post_message(events.Key(key, character))
        await rig.until(lambda: rig.root.children and rig.root.children[0].children)
        king = rig.root.children[0]
        assert king.text == "king"
        assert king.marks.bookmark
        assert [child.text for child in king.children] == ["queen"]
        assert rig.app.screen is rig.app.view


async def test_what_is_pasted_behind_a_key_is_not_lost(launch: Launcher) -> None:
    async with launch() as rig:
        await rig.ready()
        rig.app.post_message(events.Key("i", "i"))
        rig.app.post_message(events.Paste("from the clipboard"))
        await rig.until(
            lambda: (
                isinstance(rig.app.screen, EditorScreen)
                and rig.app.screen.query(EditorArea)
                and rig.app.screen.query_one(EditorArea).text == "from the clipboard"
            )
        )


async def test_a_click_behind_keys_waits_its_turn_among_them(launch: Launcher) -> None:
    backend = FakeBackend()
    backend.free()
    async with launch(backend) as rig:
        await rig.ready()
        rig.app.show_there(rig.app.document.add_text(rig.root, "a place"))
        here = rig.current
        await rig.until(lambda: here in rig.app.view.tree_view.in_sight)
        tree = rig.app.view.tree_view.region
        x, y = tree.x + 8, tree.y
        for key in ("i", *"king", "enter"):
            rig.app.post_message(events.Key(key, key if len(key) == 1 else None))
        for kind in (events.MouseDown, events.MouseUp):
            rig.app.post_message(kind(None, x, y, 0, 0, 1, False, False, False, x, y))
        rig.app.post_message(events.Key("b", "b"))
        await rig.until(
            lambda: here.children and (rig.root.marks.bookmark or here.children[0].marks.bookmark)
        )
        assert here.children[0].text == "king"
        assert rig.root.marks.bookmark and rig.current is rig.root
