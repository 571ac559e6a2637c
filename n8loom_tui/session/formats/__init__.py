"""Sessions in other programs' formats, and back. One module a format; none of them needs a model."""

from __future__ import annotations

import difflib
import stat
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from n8loom_tui.session.errors import SessionError, explain
from n8loom_tui.session.files import write_atomically
from n8loom_tui.session.load import LoadedSession
from n8loom_tui.session.record import everything
from n8loom_tui.session.store import (
    default_session_path,
    is_session,
    read_session,
    resolve_session_path,
    write_new,
)

from . import bare, basemode, exoloom, json_text, jsonl, logitloom, loomsidian, n8loom, prose, pyloom
from .facts import leave_out
from .gather import Chosen, gather
from .limits import LARGEST_FILE
from .outline import Outline
from .plant import Planted, plant
from .registry import Format
from .tally import Tally

__all__ = [
    "FORMATS",
    "Chosen",
    "Format",
    "Planted",
    "export_session",
    "find_format",
    "import_file",
    "read_foreign",
    "write_foreign",
]

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT
    for module in (logitloom, exoloom, n8loom, pyloom, loomsidian, basemode, jsonl, bare)
} | {format.name: format for format in (prose.TEXT, prose.MARKDOWN)}
"""By name, in the order in which a file is tried: what has a mark of its own comes before what is plain."""
STDOUT = STDIN = "-"
_MOST_COPIES = 1000


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


# ------------------------------------------------------------------------ export


def export_session(
    session: Path, to: str, output: str | Path, *, node: str | None = None, path: bool = False
) -> list[str]:
    """Write a session in a format to a file (`-` is stdout), which is replaced once all of it is written.

    Args:
        node: only this node, and what stands below it. Without it, everything; where a format holds one tree, the one
            that the person last stood in.
        path: only the path down to `node`, or to where the person stood.

    Returns lines about what was left out.

    Raises:
        SessionError: no such format, session or node, or the output can't be written.
    """
    format = find_format(to)
    loaded = read_session(session)
    if not loaded.roots:
        raise SessionError(f"There is nothing in {session} yet.")
    chunks, notices = write_foreign(loaded, format, Chosen(node, path))
    if str(output) == STDOUT:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.writelines(chunk.encode(encoding, "replace").decode(encoding) for chunk in chunks)
        sys.stdout.flush()
    else:
        target = Path(output).expanduser()
        try:
            if is_session(target):
                raise SessionError(
                    f"{target} is a session; an export does not replace one. Name another file."
                )
            write_atomically(target, chunks)
        except (OSError, ValueError) as error:
            raise SessionError(explain(error, target)) from None
    return [*notices, *loaded.problems]


def write_foreign(loaded: LoadedSession, format: Format, chosen: Chosen) -> tuple[Iterable[str], list[str]]:
    """What was chosen of a session in a format, piece by piece, and lines about what is left out.

    Raises:
        SessionError: there is no such node.
    """
    assert format.write is not None
    tally = Tally()
    outline = gather(loaded, chosen)
    if format.single and len(outline.roots) > 1:
        tally.left_out["other looms"] += len(outline.roots) - 1
        outline = _tree_stood_in(outline)
    leave_out(outline, format.holds, format.current, tally)
    if loaded.trashed and chosen == Chosen():
        tally.left_out["nodes in the trash"] += loaded.trashed
    return format.write(outline), tally.lines(format.title)


def _tree_stood_in(outline: Outline) -> Outline:
    for root in outline.roots:
        if outline.current is not None and any(node is outline.current for node in root.walk()):
            return replace(outline, roots=[root])
    return Outline(outline.roots[:1])


# ------------------------------------------------------------------------ import


def import_file(source: str | Path, session: Path | None = None) -> tuple[Path, list[str]]:
    """Make a session of another program's file (`-` is stdin), which is recognised by what is in it.

    Args:
        session: where to; nothing there is replaced. None: a new session in the data folder, named like the file.

    Returns where the session is, and lines about what was mended or left out.

    Raises:
        SessionError: it can't be read, is in no known format, or the session can't be made.
    """
    data, name = _bytes_of(source)
    try:
        planted, notices = read_foreign(data)
    except SessionError as error:
        raise SessionError(f"{name}: {error}") from None
    del data
    changes = everything(
        planted.roots,
        models=planted.models,
        current=None if planted.current is None else planted.current.id,
        folded=planted.folded,
    )
    target = _free_path(Path(name).stem) if session is None else resolve_session_path(session)
    write_new(target, changes)
    return target, notices


def read_foreign(data: bytes) -> tuple[Planted, list[str]]:
    """The trees of another program's file, and lines about what was mended or left out.

    Raises:
        SessionError: it is in no known format, or holds more than is taken; the message does not name the file.
    """
    tally = Tally()
    value = _value_of(data, tally)
    for format in FORMATS.values():
        if format.recognises is None or not format.recognises(value):
            continue
        assert format.read is not None
        outline = format.read(value, tally)
        del value
        if not outline.roots:
            raise SessionError(f"it is {format.title}'s, but there is no node in it.")
        planted = plant(outline, tally)
        count = len(planted.taken)
        found = f"Read as {format.title}: {count:,} node{'s' * (count != 1)}."
        return planted, [found, *tally.lines("a session")]
    raise SessionError(
        f"it is in no format known here ({', '.join(readable())}). To start from a plain text, use --prompt-file."
    )


def _value_of(data: bytes, tally: Tally) -> Any:
    """The file's JSON, or its JSON lines."""
    if data.startswith(b"SQLite format 3\0"):
        raise SessionError("it is a session itself, or another database: open it with --session.")
    trial = Tally()
    try:
        value = json_text.parse(data, trial)
    except json_text.JsonError as error:
        value = jsonl.split(data, tally)
        if value is None:
            raise SessionError(f"it cannot be read: {error}.") from None
        return value
    tally.mended.update(trial.mended)
    return value


def _bytes_of(source: str | Path) -> tuple[bytes, str]:
    """A file's bytes, and what it is called."""
    path = Path(source).expanduser()
    try:
        if str(source) == STDIN:
            data, path = sys.stdin.buffer.read(LARGEST_FILE + 1), Path("stdin")
        else:
            if stat.S_ISDIR(path.stat().st_mode):
                raise SessionError(f"{path} is a folder; name a file in it.")
            with path.open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise SessionError(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:
        raise SessionError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if len(data) > LARGEST_FILE:
        raise SessionError(f"{path} is larger than {LARGEST_FILE >> 20} MB; so much is not imported at once.")
    return data, str(path)


def _free_path(stem: str) -> Path:
    """A place in the data folder for a session of this name that is not there yet."""
    name = "".join(c for c in stem if c.isprintable() and c not in "/\\").strip(". ")[:100] or "imported"
    for number in range(1, _MOST_COPIES):
        path = default_session_path(name if number == 1 else f"{name}-{number}")
        if not path.exists():
            return path
    raise SessionError(f"There are too many sessions named {name!r}; name another place with -o.")
