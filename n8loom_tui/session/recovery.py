"""A damaged session goes on in a new file: what could be read of it is there, and the damaged one is left as it is."""

from __future__ import annotations

from pathlib import Path

from .errors import SessionError, one_line
from .record import Changes
from .store import SUFFIX, SessionStore, default_session_path, write_new

MOST = 1000
"""New names that are tried."""


def recover(damaged: SessionStore, changes: Changes) -> tuple[SessionStore, str]:
    """Store `everything(…)` that could be read in a new file beside the damaged one, or in the data folder where that
    cannot be, and give the damaged one free. Returns the new session and a line about it.

    Raises:
        SessionError: it can be stored nowhere. The damaged one is still open.
    """
    stem = damaged.path.name.removesuffix(SUFFIX)[:150]
    refused: SessionError | None = None
    for folder in (damaged.path.parent, None):
        try:
            path = _free(folder, f"{stem}-recovered")
            write_new(path, changes)
            store = SessionStore.open(path)
        except SessionError as error:
            refused = refused or error
            continue
        damaged.close()
        return store, one_line(
            f"{damaged.path} is damaged and left as it is; what could be read of it is in {path}, and goes on there."
        )
    raise refused or SessionError(f"There are too many files like {stem}-recovered; move some away.")


def _free(folder: Path | None, name: str) -> Path:
    """A name that nothing has yet, in a folder (None: the data folder)."""
    for number in range(1, MOST):
        numbered = name if number == 1 else f"{name}-{number}"
        path = default_session_path(numbered) if folder is None else folder / (numbered + SUFFIX)
        if not path.exists():
            return path
    raise SessionError(f"There are too many files like {name}; move some away.")
