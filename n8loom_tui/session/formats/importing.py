"""A file of another format into a session."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from n8loom_tui.garbage import no_collector
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.record import LETTERS, everything
from n8loom_tui.session.store import default_session_path, resolve_session_path, write_new
from n8loom_tui.session.typed import is_folder, mode_at, typed_path

from . import json_text, jsonl
from .limits import LARGEST_FILE
from .plant import Planted, plant
from .registry import FORMATS, readable
from .tally import Tally

STDIN = "-"
_MOST_COPIES = 1000


def import_file(source: str | Path, session: Path | None = None) -> tuple[Path, list[str]]:
    """Make a session of another program's file (`-` is stdin), which is recognised by what is in it.

    Args:
        session: where to; nothing there is replaced. None: a new session in the data folder, named like the file.

    Returns where the session is, and lines about what was mended or left out.

    Raises:
        SessionError: it can't be read, is in no known format, or the session can't be made.
    """
    data, name = _bytes_of(source)
    with no_collector():
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
            meta={LETTERS: planted.letters} if planted.letters else None,
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
    path = Path("stdin")
    try:
        if str(source) == STDIN:
            data = sys.stdin.buffer.read(LARGEST_FILE + 1)
        else:
            path, mode = typed_path(source)
            if mode is None:
                raise SessionError(f"There is no file {path}.")
            if is_folder(mode):
                raise SessionError(f"{path} is a folder; name a file in it.")
            with path.open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise SessionError(f"{path} cannot be read: {error.strerror or error}.") from None
    if len(data) > LARGEST_FILE:
        raise SessionError(f"{path} is larger than {LARGEST_FILE >> 20} MB; so much is not imported at once.")
    return data, str(path)


def _free_path(stem: str) -> Path:
    """A place in the data folder for a session of this name that is not there yet."""
    name = "".join(c for c in stem if c.isprintable() and c not in "/\\").strip(". ")
    name = name.encode()[:200].decode(errors="ignore") or "imported"
    for number in range(1, _MOST_COPIES):
        path = default_session_path(name if number == 1 else f"{name}-{number}")
        if mode_at(path) is None:
            return path
    raise SessionError(f"There are too many sessions named {name!r}; name another place with -o.")
