"""Reads one keymaps file (TOML) into tables of bindings, each with the line it stands on.

Nothing here raises: whatever is wrong becomes a `KeymapProblem` that names file, line and fix, and the rest
of the file still counts. Which table wins over which is `keymap.py`'s business. Pure: no Textual.
"""

import re
import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from n8loom_tui.tui.actions import ACTIONS
from n8loom_tui.tui.keys import BadKey, Sequence, doubtful, format_keys, nearest, parse_keys, shown

OVERRIDE: Final = "override"
"""The table of a person's own file that is laid over whichever keymap is chosen."""

DEFAULT: Final = "default"
INHERIT: Final = "inherit"

MAX_BYTES: Final = 64 * 1024
MAX_LINE: Final = 12 * 1024  # tomllib takes quadratic time for a key of many dotted parts
MAX_KEYS: Final = 16
MAX_PROBLEMS: Final = 100


class Severity(StrEnum):
    """Whether something was left out (error) or works with a catch (warning)."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class KeymapProblem:
    """One thing wrong with a keymap. Its texts hold no control characters and are safe to print.

    `file` and `line` (from 1) are None where no file is at fault, such as an unknown `--keymap NAME`.
    """

    file: Path | None
    line: int | None
    message: str
    fix: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.where}: {self.message} — {self.fix}"

    @property
    def where(self) -> str:
        """`FILE:LINE`, as editors and terminals understand it."""
        if self.file is None:
            return "--keymap"
        name = shown(str(self.file), 200)
        return name if self.line is None else f"{name}:{self.line}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file something stands; `line` counts from 1."""

    file: Path
    line: int | None


@dataclass(slots=True)
class Problems:
    """Collects problems, each once, and stops at `MAX_PROBLEMS`: nobody reads more of them."""

    found: list[KeymapProblem] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Whether there are so many that looking for more is no use."""
        return len(self.found) >= MAX_PROBLEMS

    def add(self, place: Place | None, message: str, fix: str, severity: Severity = Severity.ERROR) -> None:
        """Notes a problem, unless it is known already."""
        file, line = (place.file, place.line) if place else (None, None)
        problem = KeymapProblem(file, line, message, fix, severity)
        if not self.full and problem not in self.found:
            self.found.append(problem)


@dataclass(frozen=True, slots=True)
class Entry:
    """What one line of a keymap says: these sequences (none: unbound) fire this action."""

    action: str
    sequences: tuple[Sequence, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Inherit:
    """Which keymap one builds on; an empty name: on nothing."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Table:
    """One named keymap as one file has it. `inherit` is None where the file does not say."""

    name: str
    place: Place
    inherit: Inherit | None
    entries: dict[str, Entry]


def read_keymap_file(path: Path, problems: Problems) -> dict[str, Table]:
    """The tables of the file at `path`, by name; none when it cannot be read, which is a problem."""
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for ever
            problems.add(Place(path, None), "is not a file", "put a keymaps file in its place, or nothing")
            return {}
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problems.add(
            Place(path, None), f"cannot be read: {shown(reason)}", "check the file and its permissions"
        )
        return {}
    if len(raw) > MAX_BYTES:
        problems.add(Place(path, None), f"larger than {MAX_BYTES // 1024} KiB", "leave only keymaps in it")
        return {}
    document, source = _parse(raw, path, problems)
    lines = _lines_of(source)
    tables: dict[str, Table] = {}
    for name, value in document.items():
        if problems.full:
            break
        place = Place(path, lines.get((name,)))
        if isinstance(value, dict):
            tables[name] = _read_table(name, value, place, lines, problems)
        else:
            problems.add(
                place,
                f'"{shown(name)}" stands outside a keymap',
                f"put it under a heading such as [{OVERRIDE}] or [{DEFAULT}]",
            )
    return tables


def _parse(raw: bytes, path: Path, problems: Problems) -> tuple[dict[str, object], str]:
    fix = "correct that line; until then the whole file is left aside"
    try:
        # An editor may have put a byte-order mark in front; TOML does not know it.
        source = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problems.add(Place(path, line), "not valid UTF-8", "save the file as UTF-8")
        return {}, ""
    for line, text in enumerate(source.split("\n"), 1):
        if len(text) > MAX_LINE:
            problems.add(Place(path, line), f"a line of {len(text)} characters", fix)
            return {}, ""
    try:
        return tomllib.loads(source), source
    except RecursionError:
        problems.add(Place(path, None), "invalid TOML: nested too deep", fix)
    except ValueError as error:  # TOMLDecodeError is one; an absurdly long number raises a plain one
        text = str(error)
        at = re.search(r" \(at line (\d+), column (\d+)\)$", text)
        if at is not None:
            line, column = int(at[1]), f" (column {at[2]})"
            text = text[: at.start()]
        else:
            line, column = source.rstrip("\n").count("\n") + 1, ""
        problems.add(Place(path, line), f"invalid TOML: {shown(text, 120)}{column}", fix)
    return {}, source


def _read_table(
    name: str,
    values: dict[str, object],
    place: Place,
    lines: dict[tuple[str, ...], int],
    problems: Problems,
) -> Table:
    inherit: Inherit | None = None
    entries: dict[str, Entry] = {}
    for key, value in values.items():
        if problems.full:
            break
        here = Place(place.file, lines.get((name, key), place.line))
        if key == INHERIT:
            inherit = _read_inherit(name, value, here, problems)
        elif key not in ACTIONS:
            close = nearest(key, tuple(ACTIONS))
            fix = f'did you mean "{close}"?' if close else "n8loom-tui keys lists the actions"
            problems.add(here, f'unknown action "{shown(key)}"', fix)
        elif (entry := _read_entry(key, value, here, problems)) is not None:
            entries[key] = entry
    return Table(name, place, inherit, entries)


def _read_inherit(name: str, value: object, place: Place, problems: Problems) -> Inherit | None:
    if name == OVERRIDE:
        problems.add(place, f"[{OVERRIDE}] cannot inherit: it lies over the chosen keymap", "remove the line")
        return None
    if isinstance(value, str):
        return Inherit(value, place)
    problems.add(place, f"{INHERIT} must be the name of a keymap", f'write {INHERIT} = "{DEFAULT}"')
    return None


def _read_entry(action: str, value: object, place: Place, problems: Problems) -> Entry | None:
    """The binding of one action, or None when nothing of it can be used, so that what it replaces stays."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        problems.add(
            place,
            f'"{action}" must be a key or a list of keys',
            f'write {action} = "x" or {action} = ["x", "ctrl+x"]',
        )
        return None
    if len(texts) > MAX_KEYS:
        problems.add(place, f'"{action}" has {len(texts)} keys', f"only the first {MAX_KEYS} are used")
    texts = [text for text in texts[:MAX_KEYS] if text != ""]
    sequences: dict[Sequence, None] = {}
    for text in texts:
        try:
            sequence = parse_keys(text)
        except BadKey as bad:
            problems.add(place, f'"{action}": {bad.message}', bad.fix)
            continue
        sequences[sequence] = None
        _warn_if_doubtful(action, sequence, place, problems)
    if texts and not sequences:
        return None
    return Entry(action, tuple(sequences), place)


def _warn_if_doubtful(action: str, sequence: Sequence, place: Place, problems: Problems) -> None:
    twin = doubtful(sequence)
    if twin is not None:
        key, same = (format_keys((name,), ascii_only=True) for name in twin)
        problems.add(
            place,
            f'"{action}": most terminals send {same} for {key}',
            "choose another key, or add a second one",
            Severity.WARNING,
        )


_PART: Final = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)"""
_DOTTED: Final = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADING: Final = re.compile(rf"[ \t]*\[[ \t]*({_DOTTED})[ \t]*\]")
_KEY: Final = re.compile(rf"[ \t]*({_DOTTED})[ \t]*=")


def _lines_of(source: str) -> dict[tuple[str, ...], int]:
    """The line (from 1) of every heading and key, by its path of names.

    tomllib tells no positions of valid entries, so this looks at the beginnings of lines. It can only be
    fooled by a multi-line string that looks like TOML, and then a message names a wrong line.
    """
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(source.split("\n"), 1):
        if (heading := _HEADING.match(line)) is not None:
            table = _names(heading[1])
            path = table
        elif (key := _KEY.match(line)) is not None:
            path = table + _names(key[1])
        else:
            continue
        for depth in range(1, min(len(path), 4) + 1):
            lines.setdefault(path[:depth], number)
    return lines


def _names(dotted: str) -> tuple[str, ...]:
    return tuple(_unquoted(part) for part in re.findall(_PART, dotted))


def _unquoted(part: str) -> str:
    if part.startswith("'"):
        return part[1:-1]
    if not part.startswith('"'):
        return part
    try:
        return str(tomllib.loads(f"name = {part}")["name"])
    except ValueError:
        return part[1:-1]
