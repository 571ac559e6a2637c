"""Named sets of sampling values: those that are shipped, those of a session, and those for all sessions, which a file
in the configuration folder holds. Knows no widget.

A preset changes the values that it names and leaves the others as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from n8loom_tui.tui.fields import FIELDS, from_stored
from n8loom_tui.tui.settings import Settings
from n8loom_tui.tui.toml_file import FileProblem, read_toml, write_toml

FILE_NAME = "presets.toml"
LONGEST_NAME = 40
MOST = 200
_HEAD = """Presets of n8loom-tui, one table each; the settings screen writes them. A setting that a table leaves out
stays as it is when the preset is chosen. seed = "drawn" draws a new one each time."""


class Scope(Enum):
    """Where a preset is kept."""

    SESSION = "this session"
    ALL = "all sessions"
    SHIPPED = "shipped"


@dataclass(frozen=True, slots=True)
class Preset:
    """Some values with a name."""

    name: str
    scope: Scope
    values: Mapping[str, Any]

    def applied(self, settings: Settings) -> Settings:
        """Settings with this preset's values."""
        return settings.with_values(self.values)

    def fits(self, settings: Settings) -> bool:
        """Whether all its values are in force."""
        return all(settings.value(name) == value for name, value in self.values.items())


def _shipped(name: str, **values: Any) -> Preset:
    neutral = {"top_p": 0.0, "top_k": 0, "repetition_penalty": 1.0}
    return Preset(name, Scope.SHIPPED, neutral | values)


SHIPPED = (
    _shipped("balanced", temp=0.8, min_p=0.05),
    _shipped("careful", temp=0.4, min_p=0.1),
    _shipped("wild", temp=1.3, min_p=0.02),
    _shipped("nucleus", temp=1.0, min_p=0.0, top_p=0.95),
    _shipped("greedy", temp=0.0, min_p=0.0),
)


def check_name(name: str) -> str | None:
    """What is wrong with a name for a preset, in a line; None if it is good."""
    name = name.strip()
    if not name:
        return "a preset needs a name"
    if len(name) > LONGEST_NAME:
        return f"a name has at most {LONGEST_NAME} characters"
    if not name.isprintable():
        return "a name can't hold control characters"
    if any(name == preset.name for preset in SHIPPED):
        return f"{name} is a shipped preset; take another name"
    return None


class Presets:
    """All presets that can be chosen: the session's first, then those for all, then the shipped ones."""

    def __init__(self, path: Path, session: Any = None) -> None:
        """`path`: the file of those for all. `session`: what a session holds, as `session_values` made it."""
        self._path = path
        self.problems: list[str] = []
        self._all = self._read()
        self._session: dict[str, Mapping[str, Any]] = {}
        self.take_session(session)

    def take_session(self, stored: Any) -> None:
        """Another session is open, which holds these."""
        found, problems = _checked(stored if isinstance(stored, dict) else {}, "the session")
        self._session = found
        self.problems += problems

    def __iter__(self) -> Iterator[Preset]:
        yield from (Preset(name, Scope.SESSION, values) for name, values in self._session.items())
        yield from (Preset(name, Scope.ALL, values) for name, values in self._all.items())
        yield from SHIPPED

    def in_force(self, settings: Settings) -> Preset | None:
        """The first preset whose values are those of the settings."""
        return next((preset for preset in self if preset.fits(settings)), None)

    def put(self, preset: Preset) -> None:
        """Keep a preset, in place of what has its name there.

        Raises:
            FileProblem: the file can't be written.
        """
        if preset.scope is Scope.SESSION:
            self._session[preset.name] = preset.values
        elif preset.scope is Scope.ALL:
            self._write({**self._reread(), preset.name: preset.values})

    def delete(self, preset: Preset) -> None:
        """Take a preset away.

        Raises:
            FileProblem: the file can't be written.
        """
        if preset.scope is Scope.SESSION:
            self._session.pop(preset.name, None)
        elif preset.scope is Scope.ALL:
            self._write({name: value for name, value in self._reread().items() if name != preset.name})

    @property
    def session_values(self) -> dict[str, dict[str, Any]]:
        """The session's own, as it holds them."""
        return {name: _stored(values) for name, values in self._session.items()}

    # -------------------------------------------------------------------- the file

    def _read(self) -> dict[str, Mapping[str, Any]]:
        try:
            found, problems = _checked(read_toml(self._path), str(self._path))
        except FileProblem as error:
            found, problems = {}, [str(error)]
        self.problems += problems
        return found

    def _reread(self) -> dict[str, Mapping[str, Any]]:
        """What the file holds now: another window may have written to it. One that can't be read is not replaced.

        Raises:
            FileProblem: it can't be read, or something in it would be lost.
        """
        found, problems = _checked(read_toml(self._path), str(self._path))
        if problems:
            raise FileProblem(problems[0])
        return found

    def _write(self, presets: Mapping[str, Mapping[str, Any]]) -> None:
        write_toml(self._path, _HEAD, {name: _stored(values) for name, values in presets.items()})
        self._all = dict(presets)


def _stored(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: FIELDS[name].stored(value) for name, value in values.items()}


def _checked(tables: Mapping[str, Any], where: str) -> tuple[dict[str, Mapping[str, Any]], list[str]]:
    """The presets among tables of a file, and what is wrong with the others."""
    good: dict[str, Mapping[str, Any]] = {}
    problems = []
    for name, table in list(tables.items())[:MOST]:
        try:
            objection = check_name(name)
            if objection is not None or not isinstance(table, dict):
                raise ValueError(objection or "it is no table")
            good[name] = from_stored(table)
        except ValueError as error:
            problems.append(f"{where}: the preset {name[:LONGEST_NAME]!r} is left aside: {error}")
    if len(tables) > MOST:
        problems.append(f"{where}: only the first {MOST} presets are read")
    return good, problems
