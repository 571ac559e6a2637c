"""The list of all formats."""

from __future__ import annotations

import difflib

from n8loom_tui.session.errors import SessionError

from . import bare, basemode, exoloom, jsonl, logitloom, loomsidian, n8loom, prose, pyloom
from .format import Format

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT
    for module in (logitloom, exoloom, n8loom, pyloom, loomsidian, basemode, jsonl, bare)
} | {format.name: format for format in (prose.TEXT, prose.MARKDOWN)}
"""By name, in the order in which a file is tried: what has a mark of its own comes before what is plain."""


def readable() -> list[str]:
    """The names of the formats that are read."""
    return [format.name for format in FORMATS.values() if format.read is not None]


def writable() -> list[str]:
    """The names of the formats that are written."""
    return [format.name for format in FORMATS.values() if format.write is not None]


def find_format(name: str) -> Format:
    """The format of this name that can be written.

    Raises:
        SessionError: there is none; the message names the nearest one.
    """
    wanted = name.strip().lower()
    names = {alias: format for format in FORMATS.values() for alias in (format.name, *format.aliases)}
    found = names.get(wanted)
    if found is not None and found.write is not None:
        return found
    if found is not None:
        raise SessionError(f"{found.title} is only read; there is {', '.join(writable())}.")
    near = difflib.get_close_matches(wanted, [name for name in names if names[name].write], n=1, cutoff=0.5)
    meant = f"did you mean {near[0]}?" if near else f"there is {', '.join(writable())}."
    raise SessionError(f"There is no format {name!r}; {meant}")
