"""Fields in which text is edited: what a terminal would act upon is shown as a sign there, and stays in the text."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from rich.segment import Segment
from rich.style import Style
from support.keys import free, key
from support.rig import Launcher, Rig
from textual import events
from textual.color import Color
from textual.widgets import Input

from n8loom_tui.tui.filters import HarmlessFilter
from n8loom_tui.tui.preferences import SignSet
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.screens.editor import EditorArea, EditorScreen
from n8loom_tui.tui.screens.form import FormScreen
from n8loom_tui.tui.widgets.sanitize import one_cell, raw

HOSTILE = "a\x1b]0;title\x07b\x1b[31mred\x9b2J\u202eleft\u200b\x00\x7f 世界"
SIGNS = "a␛]0;title␇b␛[31mred�2J�left�␀␡ 世界"


def rendered(rig: Rig) -> list[str]:
    """All lines of the screen as they go out."""
    return [strip.text for strip in rig.app.screen._compositor.render_strips()]


def assert_harmless(rig: Rig, *, shown: str = SIGNS) -> None:
    lines = rendered(rig)
    assert not [
        c for line in lines for c in line if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    ]
    assert any(shown in line for line in lines), "\n".join(lines)
    assert all(Segment(line).cell_length == rig.app.size.width for line in lines)


@pytest.mark.parametrize("plain", [False, True])
async def test_the_editor(launch: Launcher, monkeypatch: pytest.MonkeyPatch, plain: bool) -> None:
    if plain:
        monkeypatch.setenv("NO_COLOR", "1")
    async with launch(free(), prompt=HOSTILE) as rig:
        await rig.ready()
        await key(rig, "edit")
        assert isinstance(rig.app.screen, EditorScreen)
        assert_harmless(rig)
        assert rig.app.screen.query_one(EditorArea).text == HOSTILE
        await rig.press("x", "enter")
        assert rig.current.text == HOSTILE + "x"


async def test_a_note(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await key(rig, "note")
        rig.app.screen.query_one(EditorArea).text = HOSTILE
        await rig.press("enter")
        await key(rig, "note")
        assert isinstance(rig.app.screen, EditorScreen)
        await rig.pilot.pause()
        assert_harmless(rig)
        assert rig.app.screen.query_one(EditorArea).text == HOSTILE


async def test_answers_of_a_session_from_elsewhere(launch: Launcher, tmp_path: Path) -> None:
    async with launch(free(), session=tmp_path / "a.loom") as rig:
        await rig.ready()
        rig.app.document.remember("adaptive weave", {"text": "\x1b[2J\n\x07", "entropy": "3"})
        rig.app.saving.save("answers")
        await rig.press("q")
    async with launch(free(), session=tmp_path / "a.loom", prompt=None) as rig:
        await rig.ready()
        await key(rig, "adaptive")
        assert isinstance(rig.app.screen, FormScreen)
        assert_harmless(rig, shown="␛[2J␊␇")
        assert rig.app.screen.query_one("#field-text", Input).value == "\x1b[2J\n\x07"


async def test_what_is_pasted(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await key(rig, "save_as")
        assert isinstance(rig.app.screen, AskScreen)
        field = rig.app.screen.query_one(Input)
        field.value = ""
        field.post_message(events.Paste(HOSTILE))
        await rig.pilot.pause()
        assert_harmless(rig)
        assert field.value == HOSTILE
        field.post_message(events.Paste("\x1b[2J" * 60))
        await rig.pilot.pause()
        assert_harmless(rig, shown="␛[2J␛[2J")


async def test_what_rich_would_leave_out_has_a_place_of_its_own(launch: Launcher) -> None:
    async with launch(free()) as rig:
        await rig.ready()
        await key(rig, "edit")
        area = rig.app.screen.query_one(EditorArea)
        area.text = ""
        rig.app.post_message(events.Paste("a\x07\x08\x07b"))
        await rig.until(lambda: area.text)
        assert_harmless(rig, shown="a␇␈␇b")
        await rig.press("left", "backspace")
        assert area.text == "a\x07\x08b"
        assert_harmless(rig, shown="a␇␈b")


async def test_it_goes_with_signs_in_ascii(launch: Launcher) -> None:
    async with launch(free(), prompt=HOSTILE) as rig:
        await rig.ready()
        rig.app.looks.change(signs=SignSet.ASCII)
        await key(rig, "edit")
        await rig.pilot.pause()
        assert_harmless(rig, shown="a?]0;title?b?[31mred?2J?left???")


def test_a_line_is_as_wide_as_before_and_its_frame_stays() -> None:
    segments = [Segment("|"), Segment("a\x1b\x1b", Style(bold=True)), Segment("b  "), Segment("|")]
    made = HarmlessFilter().apply(segments, Color(0, 0, 0))
    assert "".join(segment.text for segment in made) == "|a␛␛b|"
    assert made[1].style == Style(bold=True)
    for text in ("\x1b", "\x1b" * 9, "世\x1b", "", "👩\u200d🚀", "\u3164"):
        line = [Segment(text), Segment("x")]
        assert Segment.get_line_length(
            HarmlessFilter().apply(line, Color(0, 0, 0))
        ) == Segment.get_line_length(line)


def test_what_is_meant_for_the_terminal_and_harmless_lines_are_let_through() -> None:
    control = Segment("\x1b[?25l", None, [(1,)])  # type: ignore[list-item]
    kept = HarmlessFilter().apply([control, Segment("\x1b ")], Color(0, 0, 0))
    assert kept[0] == control
    line = [Segment("naïve 世界 e\u0301 │")]
    assert HarmlessFilter().apply(line, Color(0, 0, 0)) is line


def test_each_character_has_one_sign() -> None:
    assert one_cell("\x00\x1b\t\n\x7f\x80\u202e\ud800") == "␀␛␉␊␡���"
    assert raw("\n") and raw("\u2028") and not raw("plain") and not raw("世")
