"""Markdown in the app through its key, and hostile text read as Markdown."""

from __future__ import annotations

import unicodedata

import pytest
from support.fake_backend import FakeBackend
from support.keys import KEYMAPS, free, key
from support.rig import Launcher, Rig

from n8loom_tui.tui.widgets.markdown_view import MOST, render

HOSTILE = [
    "[/b] [bold]x[/] [text](javascript:alert) ![picture](file:///etc/passwd) <http://x.y>",
    "&#27;[31m &#x9b;2J \x1b]8;;http://x\x07link\x1b]8;;\x07",
    "`\x1b[31m` \n\n```\x1b[0m\n\x1b[2J\u202e\n```",
    "<script>x</script> <!-- gone --> \u202egnp.exe",
    ">" * 3000 + " deep\n" + "- " * 3000,
    "[" * 3000 + "](" * 3000,
    "|a|b|\n|-|-|\n|" + "\x1b[1m|" * 40,
    "*" * 5000 + "_" * 5000,
    "# \x07title\n" * 50,
    "",
]


def page(rig: Rig) -> list[str]:
    view = rig.app.view.page
    return [view.render_line(y).text for y in range(view.size.height)]


@KEYMAPS
async def test_finished_text_is_read_as_markdown_and_plain_again(launch: Launcher, keymap: str) -> None:
    backend = FakeBackend(words=("\n\n# Title\n", "\n- one", "\n- **two**", "\n"))
    async with launch(backend, keymap=keymap) as rig:
        await rig.ready()
        await key(rig, "continue_one")
        await key(rig, "row_down")
        await key(rig, "markdown")
        backend.grant(2)
        await rig.until(lambda: len(rig.current.tokens) == 2)
        assert rig.app.view.reader.display and not rig.app.view.page.display, "plain while it streams"
        backend.free()
        await rig.grown()
        await rig.until(lambda: rig.app.view.page.display)
        assert not rig.app.view.reader.display
        assert any(" • two" in line for line in page(rig))
        assert not any("**" in line or "# Title" in line for line in page(rig))
        await key(rig, "token_cursor")
        assert rig.app.view.reader.display, "tokens are in the plain text"
        await key(rig, "token_cursor")
        await rig.until(lambda: rig.app.view.page.display)
        await key(rig, "markdown")
        assert rig.app.view.reader.display and not rig.app.view.page.display


async def test_the_page_scrolls(launch: Launcher) -> None:
    prompt = "\n\n".join(f"paragraph {number}" for number in range(80))
    async with launch(free(), prompt=prompt) as rig:
        await rig.ready()
        await rig.press("p", "tab")
        await rig.until(lambda: rig.app.view.page.display)
        assert any("paragraph 79" in line for line in page(rig)), "at its end"
        await rig.press("home")
        assert any("paragraph 0" in line for line in page(rig))
        await rig.press("end")
        assert any("paragraph 79" in line for line in page(rig))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("width", [8, 100])
def test_hostile_markdown_is_harmless(text: str, width: int) -> None:
    lines = render(text, width, "ansi_dark")
    for line in lines:
        for segment in line:
            assert segment.style is None or segment.style.link is None, "no link is opened"
            for character in segment.text:
                assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def test_of_a_long_text_the_end_is_rendered_and_that_is_said() -> None:
    lines = render("word " * MOST + "the end", 80, "ansi_light")
    text = "\n".join("".join(segment.text for segment in line) for line in lines)
    assert text.startswith("(only the end") and " ".join(text.split()).endswith("the end")
    assert len(text) < MOST * 1.2
