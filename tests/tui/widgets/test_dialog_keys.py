"""A dialog's keys: each stays with its word."""

from __future__ import annotations

from textual.app import ComposeResult

from n8loom_tui.tui.contrast import Readable
from n8loom_tui.tui.widgets.dialog_keys import DialogKeys

KEYS = ["enter done", "ctrl+j new line", "ctrl+t chat (toggle)", "tab system message", "esc cancel"]


class KeysApp(Readable[None]):
    def compose(self) -> ComposeResult:
        yield DialogKeys("   ".join(KEYS))


async def test_keys_and_words_stay_together_at_every_width() -> None:
    for width in (120, 60, 41, 24):
        async with KeysApp().run_test(size=(width, 20)) as pilot:
            keys = pilot.app.query_one(DialogKeys)
            lines = [strip.text.rstrip() for strip in keys.render_lines(keys.size.region)]
            assert [pair for line in lines for pair in line.split("   ")] == KEYS
            assert len(lines) == keys.size.height
            keys.show("esc close")
            await pilot.pause()
            assert keys.size.height == 1
