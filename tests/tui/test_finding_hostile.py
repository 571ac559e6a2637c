"""Whatever a text, a tag, a note or a query holds: nothing of it reaches the terminal but as text."""

from __future__ import annotations

import unicodedata

import pytest
from support.rig import Launcher, Rig
from textual import events
from textual.geometry import Region

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.screens.compare import CompareScreen
from n8loom_tui.tui.screens.fuzzy import FuzzyScreen
from n8loom_tui.tui.screens.map import MapScreen
from n8loom_tui.tui.widgets.search_line import PlainInput

HOSTILE = (
    "[/b] [bold]x[/] [link=javascript:x]y[/link]",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J \x90q\x9c",
    "\x00\x01\r\n\t\x7f\u202etxet\u202c\u2028\u2029\u200b\ufeff",
    "\ud800 lone e\u0301 世界 👨\u200d👩\u200d👧",
)


def look(rig: Rig) -> str:
    """All that the screen's widgets draw; each line of it harmless."""
    lines: list[str] = []
    for widget in rig.app.screen.query("*"):
        size = widget.size
        if size and not widget.children:
            lines += [strip.text for strip in widget.render_lines(Region(0, 0, *size))]
    for character in "".join(lines).replace("\u200c", ""):
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"), repr(character)
    return "\n".join(lines)


async def planted(rig: Rig) -> list[Heddle]:
    await rig.ready()
    nodes = []
    for text in HOSTILE:
        change = rig.app.document.add_text(rig.root, text)
        rig.app.show(change)
        assert change.focus is not None
        nodes.append(change.focus)
        rig.app.show(rig.app.document.tag([change.focus], (text.replace(" ", ""),)))
        rig.app.show(rig.app.document.note(change.focus, text))
    await rig.ready()
    return nodes


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (200, 60)])
async def test_search_fuzzy_jump_compare_and_map(launch: Launcher, size: tuple[int, int]) -> None:
    async with launch(size=size, prompt=HOSTILE[1]) as rig:
        nodes = await planted(rig)
        rig.app.document.letters["\x1b"] = nodes[0].id
        for text in HOSTILE:
            await rig.press("slash")
            rig.app.post_message(events.Paste(text))
            await rig.pilot.pause()
            assert rig.app.screen.query_one(PlainInput).value
            look(rig)
            await rig.press("enter")
            look(rig)
        await rig.press("f")
        assert isinstance(rig.app.screen, FuzzyScreen)
        assert "[bold]" in look(rig)
        for text in HOSTILE:
            rig.app.post_message(events.Paste(text[:3]))
            await rig.pilot.pause()
            look(rig)
        await rig.press("escape", "M")
        assert isinstance(rig.app.screen, MapScreen)
        for step in ("down", "right", "right", "right", "plus", "minus"):
            await rig.press(step)
            look(rig)
        await rig.press("enter")
        for node in nodes[:3]:
            rig.app.view.go_to(node)
            await rig.press("equals_sign", "J", "equals_sign")
            assert isinstance(rig.app.screen, CompareScreen)
            look(rig)
            await rig.press("equals_sign", "tab")
            look(rig)
            await rig.press("escape")


async def test_a_query_is_text_and_no_pattern(launch: Launcher) -> None:
    async with launch() as rig:
        nodes = await planted(rig)
        await rig.press("slash")
        rig.app.post_message(events.Paste("[/b] [bold"))
        await rig.pilot.pause()
        await rig.press("enter")
        assert rig.app.finder.hits() == [nodes[0]]
        await rig.press("slash", *"(a+)+$.*", "enter")
        assert rig.app.finder.hits() == []
        await rig.press("slash", "世", "enter")
        assert rig.current is nodes[3]
