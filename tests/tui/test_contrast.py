"""Whatever the theme, text can be read: each screen is drawn in each of them, and what is drawn is measured."""

from __future__ import annotations

import pytest
from rich.segment import Segment
from support.keys import free
from support.rig import Launcher, Rig
from textual.color import Color

from n8loom_tui.tui.contrast import LEAST, contrast, readable, with_contrast

LINES = "●🔎─│┌┐└┘├┤┬┴┼╭╮╰╯╶╴╵╷⋯▁▂▃▄▅▆▇█▉▊▋▌▍▎▏▐░▒▓▔▕▖▗▘▝▀━┃╺╸⎡⎤⎣⎦"
"""What is no text."""

SCREENS: dict[str, tuple[str, ...]] = {
    "tree": ("space", "b", "down", "v", "b", "space", "up", "/", *"the"),
    "probability": ("space", "down", "P"),
    "entropy": ("space", "down", "P", "P"),
    "tokens": ("space", "down", "P", "T", "left"),
    "details": ("space", "down", "I"),
    "side by side": ("space", "C"),
    "multiverse": ("B",),
    "map": ("space", "down", "space", "M"),
    "compare": ("space", "down", "=", "down", "="),
    "markdown": ("space", "down", "p"),
    "settings": ("comma", "comma"),
    "keys": ("comma", "k", "down", "enter", "u"),
    "help": ("question_mark",),
    "palette": ("ctrl+p",),
    "a new loom": ("ctrl+n",),
    "a question": ("comma", "t"),
    "fuzzy jump": ("space", "f", *"fl"),
    "export": ("X",),
    "import": ("ctrl+o",),
    "sessions": ("o",),
    "trash": ("space", "down", "d", "U"),
}


def test_contrast_is_that_of_wcag() -> None:
    assert contrast(Color(0, 0, 0), Color(255, 255, 255)) == pytest.approx(21)
    assert contrast(Color(118, 118, 118), Color(255, 255, 255)) == pytest.approx(4.54, abs=0.01)
    grey = Color(127, 127, 127)
    assert contrast(readable(grey, [grey]), grey) > LEAST
    assert readable(Color(0, 0, 0), [grey]) == Color(0, 0, 0), "what can be read stays"
    blue = Color(1, 120, 212)
    assert readable(Color(221, 236, 248), [blue]).brightness > 0.99, "light text stays light where it can"


def test_the_terminals_own_colours_stay() -> None:
    ansi = {"foreground": "ansi_default", "surface": "ansi_default", "primary": "ansi_blue"}
    found = with_contrast({**ansi, "ansi-background": "ansi_black"})
    assert found.items() >= ansi.items()
    assert found["ansi-background"] == "ansi_default", "notices stand on the terminal's own ground"


def faint(segments: list[Segment]) -> list[tuple[float, str]]:
    """The texts among these that can hardly be read, and how well."""
    found = []
    for text, style, _ in segments:
        if style is None or not text.strip(LINES + " "):
            continue
        colour, ground = style.color, style.bgcolor
        assert colour is not None and ground is not None, text
        if colour.triplet is None or ground.triplet is None:
            continue
        ratio = contrast(Color(*colour.triplet), Color(*ground.triplet))
        if ratio < LEAST:
            found.append((round(ratio, 2), text, str(style)))
    return found


def drawn(rig: Rig) -> list[Segment]:
    """What the topmost screen shows, without what it only lets shine through."""
    screen = rig.app.screen
    region = screen.region
    for box in screen.query(".dialog, CommandPalette > Vertical"):
        region = box.region
    strips = screen._compositor.render_strips()
    return [
        segment
        for strip in strips[region.y : region.bottom]
        for segment in strip.crop(region.x, region.right)
    ]


@pytest.mark.parametrize("name", SCREENS)
async def test_every_text_can_be_read_in_every_theme(launch: Launcher, name: str) -> None:
    async with launch(free(), prompt="# The *flood* and `the` sea") as rig:
        await rig.ready()
        for pressed in SCREENS[name]:
            await rig.press(pressed)
            await rig.grown()
        await rig.pilot.pause()
        faintest = {}
        for theme in rig.app.available_themes:
            if theme.startswith("ansi") or rig.app.available_themes[theme].ansi:
                continue
            rig.app.theme = theme
            await rig.pilot.pause()
            if found := faint(drawn(rig)):
                faintest[theme] = sorted(found)[:3]
        assert not faintest


@pytest.mark.parametrize("name", SCREENS)
async def test_what_has_a_ground_of_its_own_has_a_colour_of_its_own(launch: Launcher, name: str) -> None:
    """The terminal's own colours may be dark on light or light on dark: one set alone may be the other's twin."""
    async with launch(free(), prompt="# The *flood* and `the` sea", theme="ansi") as rig:
        await rig.ready()
        for pressed in SCREENS[name]:
            await rig.press(pressed)
            await rig.grown()
        for theme in ("ansi-dark", "ansi-light"):
            rig.app.theme = theme
            await rig.pilot.pause()
            for strip in rig.app.screen._compositor.render_strips():
                for text, style, _ in strip:
                    if style is None or not text.strip(LINES + " "):
                        continue
                    ground = style.bgcolor is not None and not style.bgcolor.is_default
                    colour = style.color is not None and not style.color.is_default
                    assert colour or not ground, (theme, text, str(style))
