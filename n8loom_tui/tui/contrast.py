"""Makes any theme's text readable: what a theme says of its colours goes through here before the style sheets see it.

WCAG 2.2, success criterion 1.4.3: text has a contrast of 4.5 to 1 with what it stands on. A colour that has less is
moved towards black or white, no further than needed, so that a theme keeps its look. The colours of the terminal itself
(ANSI themes) are the choice of the person and stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeVar

from textual.app import App
from textual.color import BLACK, WHITE, Color

Result = TypeVar("Result")

LEAST: Final = 4.5
_AIM: Final = 4.52  # colours are rounded on their way to the terminal
_STEPS: Final = 50
_QUIET: Final = 0.65
_LIT: Final = 0.35
_TINT: Final = 0.05
"""How much of the text's colour fields for text have in their ground while they have the focus."""
_LINE: Final = 0.4
_LINE_LEAST: Final = 3.1

TEXTS: Final = ("foreground", *(f"text-{name}" for name in
    ("primary", "secondary", "accent", "success", "warning", "error")))  # fmt: skip
"""The variables that text is drawn with."""


def contrast(one: Color, other: Color) -> float:
    """The contrast ratio of two opaque colours, from 1 to 21 (WCAG 2.2, *contrast ratio*)."""
    return _ratio(_luminance(one), _luminance(other))


def _ratio(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


@lru_cache(maxsize=4096)
def _luminance(colour: Color) -> float:
    parts = (value / 255 for value in colour.rgb)
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def readable(colour: Color, grounds: Sequence[Color], least: float = _AIM) -> Color:
    """The colour itself, or the nearest one that can be read on all grounds: lighter if it is the lighter one already,
    darker if not, the other way round where that is not enough. The one of most contrast if there is none."""

    lights = [_luminance(ground) for ground in grounds]

    def worst(one: Color) -> float:
        light = _luminance(one)
        return min(_ratio(light, other) for other in lights)

    if worst(colour) >= least:
        return colour
    lighter = sum(lights) < len(lights) * _luminance(colour)
    ends = (WHITE, BLACK) if lighter else (BLACK, WHITE)
    for end in ends:
        if worst(end) >= least:
            ways = (colour.blend(end, step / _STEPS, 1) for step in range(1, _STEPS + 1))
            return next(one for one in ways if worst(one) >= least)
    return max(ends, key=worst)


def with_contrast(variables: Mapping[str, str]) -> dict[str, str]:
    """A theme's variables for the style sheets, with texts that can be read, and three more: `quiet`, for text of
    less weight, `line`, for what is drawn between texts (3 to 1 is enough there: criterion 1.4.11), and `lit`, a ground
    that sets off what is on a path."""
    found = dict(variables)
    foreground, surface = Color.parse(found["foreground"]), Color.parse(found["surface"])
    if foreground.ansi is not None or surface.ansi is not None:
        plain = {"quiet": "foreground", "line": "foreground", "lit": "surface", "ansi-background": "surface"}
        return {**found, **{name: found[of] for name, of in plain.items()}}
    for _ in range(2):  # fields tint their ground with the text's own colour
        grounds = _grounds(found, surface)
        found["foreground"] = readable(Color.parse(found["foreground"]), grounds).hex
    grounds = _grounds(found, surface)
    for name in TEXTS:
        found[name] = readable(Color.parse(found[name]), grounds).hex
    foreground = Color.parse(found["foreground"])
    quiet = readable(surface.blend(foreground, _QUIET, 1), grounds).hex
    for name in ("quiet", "text-muted", "text-disabled", "foreground-muted"):
        found[name] = quiet
    found["line"] = readable(surface.blend(foreground, _LINE, 1), grounds, _LINE_LEAST).hex
    found["lit"] = _lit(surface, Color.parse(found["primary"]), foreground).hex
    _set_cursor(found, "block-cursor", [surface])
    _set_cursor(found, "block-cursor-blurred", grounds)
    for part in ("foreground", "background"):
        found[f"input-selection-{part}"] = found[f"block-cursor-{part}"]
    return found


def _grounds(variables: Mapping[str, str], surface: Color) -> list[Color]:
    """What text may stand on, the lifted ground of the current node among them."""
    boost = Color.parse(variables["boost"])
    flat = [surface + Color.parse(variables[name]) for name in ("background", "surface", "panel")]
    tint = Color.parse(variables["foreground"]).with_alpha(_TINT)
    return [*flat, *(ground + boost for ground in flat), *(ground + tint for ground in flat)]


def _lit(surface: Color, primary: Color, foreground: Color) -> Color:
    """As much of the theme's chief colour as the text on it bears."""
    shades = (surface.blend(primary, _LIT * step / _STEPS, 1) for step in range(_STEPS, 0, -1))
    return next((shade for shade in shades if contrast(foreground, shade) >= _AIM), surface)


def _set_cursor(variables: dict[str, str], name: str, below: Sequence[Color]) -> None:
    """Have a cursor's text readable on its ground."""
    grounds = [ground + Color.parse(variables[f"{name}-background"]) for ground in below]
    variables[f"{name}-foreground"] = readable(
        _text(variables[f"{name}-foreground"], grounds[0]), grounds
    ).hex


def _text(written: str, ground: Color) -> Color:
    """What a colour comes to on a ground. `auto 87%` is the style sheets' black or white, so much of it."""
    if written.startswith("auto"):
        share = written.removeprefix("auto").strip().removesuffix("%")
        return ground + ground.get_contrast_text(float(share or 100) / 100)
    return ground + Color.parse(written)


class Readable(App[Result]):
    """An app in whose themes all text can be read."""

    def get_css_variables(self) -> dict[str, str]:
        self.theme_variables = with_contrast(super().get_css_variables())
        return self.theme_variables
