"""Putting a session in another place than it is in. Takes its time: not for the UI's thread while somebody looks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.library import rename
from n8loom_tui.session.record import Changes
from n8loom_tui.session.store import SessionStore, default_session_path, write_new

PATIENCE = 5.0
"""Seconds that the last changes get to reach the file on leaving."""


def moved(store: SessionStore, target: Path) -> tuple[SessionStore, SessionError | None]:
    """Close a session, move its file and open it there; where it can't be moved, open it where it was.

    Raises:
        SessionError: its file does not take all of it; it is left as it is.
    """
    if not store.close(PATIENCE):
        raise SessionError(
            f"{store.path} does not take all of it. Save once more: all of it goes to another file."
        )
    try:
        rename(store.path, target)
    except SessionError as error:
        return SessionStore.open(store.path), error
    return SessionStore.open(target), None


def made(target: Path, changes: Sequence[Changes]) -> SessionStore:
    """A new session at `target` of these changes, one behind the other.

    Raises:
        SessionError: it can't be made.
    """
    write_new(target, *changes)
    return SessionStore.open(target)


def rescued(changes: Changes) -> str:
    """Put everything into a new file, since the session's own does not take it. Returns a line that says where."""
    name = time.strftime("rescued-%Y-%m-%d-%H%M%S")
    for folder in (None, Path.home(), Path("/tmp")):
        try:
            path = default_session_path(name) if folder is None else folder / f"{name}.loom"
            write_new(path, changes)
        except (SessionError, OSError):
            continue
        return f"The session could not be stored in its own file; all of it is in {path}"
    return "The session could not be stored anywhere: the disk refuses."
