"""How the app looks on this machine, whatever session is open: a file in the configuration folder. Knows no widget."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from n8loom_tui.tui.toml_file import FileProblem, read_toml, write_toml

FILE_NAME = "settings.toml"
NARROWEST, WIDEST = 15, 85
"""Per cent of the width that the tree may have."""
SHORT_NAMES = {"dark": "textual-dark", "light": "textual-light", "ansi": "ansi-dark"}
"""What the chief themes are called here."""
HINT_TIMES = 2
"""How often a hint is given in all."""
_HEAD = (
    "How n8loom-tui looks here. The settings screen writes this file; so can you, while the app is closed."
)


class SignSet(StrEnum):
    """Which signs the app draws with."""

    AUTO = "auto"
    UNICODE = "unicode"
    ASCII = "ascii"


class Motion(StrEnum):
    """How much may move by itself."""

    FULL = "full"
    REDUCED = "reduced"


@dataclass(frozen=True, slots=True)
class Preferences:
    """What is remembered.

    `theme`: dark, light, ansi, or another theme's name. `tree_width`: per cent that the tree has beside the reader.
    `one_pane`: show one pane at a time on wide screens too. `details`: whether the details are open. `hints`: whether
    any are given; `hints_given` counts them.
    """

    theme: str = "dark"
    motion: Motion = Motion.FULL
    signs: SignSet = SignSet.AUTO
    hints: bool = True
    tree_width: int = 40
    one_pane: bool = False
    details: bool = False
    hints_given: tuple[str, ...] = ()

    @property
    def ascii(self) -> bool:
        """Whether only ASCII is to be drawn: wanted, or all that the terminal's locale takes."""
        return self.signs is SignSet.ASCII or (self.signs is SignSet.AUTO and not locale_takes_unicode())


def locale_takes_unicode(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal's locale is a Unicode one. Where none is set, nothing speaks against it."""
    named = (environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    name = next((value for value in named if value), "")
    language, dot, charset = name.partition("@")[0].partition(".")
    if dot:
        return charset.upper().replace("-", "") == "UTF8"
    return language not in {"C", "POSIX"}


class PreferencesFile:
    """The file. `problem` says what was wrong with it; it is then left as it is, and nothing is remembered."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.problem = ""
        self.values = Preferences()
        try:
            found = read_toml(path)
            self.values = _read(found, path)
        except FileProblem as error:
            self.problem = f"{error}. Until then nothing of it counts."

    def change(self, **values: Any) -> str:
        """Remember values. Returns a line where that failed."""
        changed = replace(self.values, **values)
        if changed == self.values:
            return ""
        self.values = changed
        if self.problem:
            return ""
        stored = {field.name: _plain(getattr(changed, field.name)) for field in fields(Preferences)}
        try:
            write_toml(self._path, _HEAD, stored)
        except FileProblem as error:
            self.problem = str(error)
            return f"{error}; it is not remembered."
        return ""


def theme_name(wanted: str) -> str:
    """The full name of a theme."""
    return SHORT_NAMES.get(wanted, wanted)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, StrEnum) else value


def _read(found: Mapping[str, Any], path: Path) -> Preferences:
    known = {field.name for field in fields(Preferences)}
    values: dict[str, Any] = {}
    for name, value in found.items():
        if name not in known:
            raise FileProblem(f"{path}: {str(name)[:40]!r} is no setting; take it out")
        try:
            values[name] = _value(name, value)
        except ValueError:
            raise FileProblem(
                f"{path}: {name} can't be {str(value)[:40]!r}; mend it or take it out"
            ) from None
    return replace(Preferences(), **values)


def _value(name: str, value: Any) -> Any:
    match name, value:
        case "theme", str() if value.isprintable() and len(value) < 60:
            return value
        case "motion", str():
            return Motion(value)
        case "signs", str():
            return SignSet(value)
        case (("hints" | "one_pane" | "details"), bool()):
            return value
        case "tree_width", int() if NARROWEST <= value <= WIDEST and not isinstance(value, bool):
            return value
        case "hints_given", list() if all(isinstance(one, str) for one in value):
            return tuple(value[:100])
    raise ValueError
