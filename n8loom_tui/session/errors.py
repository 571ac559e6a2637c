"""The one error that sessions raise, and SQLite's messages put into words that a person can act on."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

UNREADABLE = (sqlite3.Error, UnicodeDecodeError, MemoryError)
"""What reading a damaged database raises. SQLite's own messages may quote bytes of it that are no text."""


class SessionError(Exception):
    """A session cannot be had, kept or written. `str()` is one printable line: what is wrong, what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(text: str, limit: int = 400) -> str:
    """`text` on one line of printable characters, `limit` at most: paths and ids may hold anything."""
    begun = text[: 8 * limit]  # a file may claim an id of megabytes
    flat = "".join(c if c.isprintable() else "�" for c in " ".join(begun.split()))
    return flat if len(flat) <= limit and len(begun) == len(text) else flat[: limit - 1] + "…"


def explain(error: Exception, path: Path) -> str:
    """What went wrong with the file at `path`, in one line."""
    match error:
        case SessionError():
            return str(error)
        case sqlite3.Error():
            return one_line(_of_sqlite(error, path))
        case UnicodeDecodeError() | MemoryError():
            return one_line(f"{path} is damaged ({error}).")
        case OSError():
            return one_line(_of_system(error, path))
    return one_line(f"{path}: {type(error).__name__}: {error}")


def _of_sqlite(error: sqlite3.Error, path: Path) -> str:
    name = getattr(error, "sqlite_errorname", "") or ""
    match name.split("_")[1] if name.startswith("SQLITE_") else "":
        case "FULL":
            return f"{path}: the disk is full; make room, or save to another place."
        case "READONLY":
            return f"{path} cannot be written; save to another place, or change its permissions."
        case "BUSY" | "LOCKED":
            return f"{path} is locked by another program; close that one."
        case "NOTADB":
            return f"{path} is not a session file; nothing was changed in it."
        case "CORRUPT":
            return f"{path} is damaged ({error})."
        case "CANTOPEN":
            return f"{path} cannot be opened; see that its folder is there and can be written."
        case "IOERR":
            return f"{path}: reading or writing failed ({error}); see to the disk, or save to another place."
    return f"{path}: {error}"


def _of_system(error: OSError, path: Path) -> str:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return f"{path}: the disk is full; make room, or save to another place."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"{path} cannot be written: permission is missing; choose another place."
        case errno.ENOENT | errno.ENOTDIR:
            return f"{path}: there is no folder {path.parent}; make it first, or choose another place."
        case errno.EEXIST:
            return f"{path} exists already; choose another name."
    return f"{path}: {error.strerror or error}"
