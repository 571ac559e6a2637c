"""Putting a finished file in its place: all of it or nothing, and never over another one unasked."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

SIDECARS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database, by suffix."""


@contextlib.contextmanager
def draft(target: Path) -> Iterator[Path]:
    """A name beside `target` to write to; whatever stands there afterwards is removed."""
    path = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        yield path
    finally:
        for suffix in ("", *SIDECARS):
            with contextlib.suppress(OSError):
                path.with_name(path.name + suffix).unlink()


def place(path: Path, target: Path, *, overwrite: bool) -> None:
    """Move the finished file at `path` to `target`, in one step, safe from a power cut.

    Raises:
        FileExistsError: there is a file at `target` and `overwrite` is False.
        OSError: the disk or the folder refuses.
    """
    _sync(path)
    if overwrite:
        path.replace(target)
    else:
        _link(path, target)
    with contextlib.suppress(OSError):  # some systems cannot sync a folder
        _sync(target.parent)


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}:
            raise
        # No hard links here: look first, then move.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        path.rename(target)


def remove_sidecars(target: Path) -> None:
    """Take away what SQLite left beside a database that is gone: the next one would read it as its own."""
    for suffix in SIDECARS:
        target.with_name(target.name + suffix).unlink(missing_ok=True)


def write_atomically(target: Path, chunks: Iterable[str]) -> None:
    """Write a UTF-8 text file through a draft, replacing what was there once all of it is written.

    A pipe or a device is written to as it is: putting a file in its place would be no favour.
    """
    target = target.resolve()
    if target.exists() and not target.is_file():
        with target.open("w", encoding="utf-8", newline="") as file:
            file.writelines(chunks)
        return
    with draft(target) as path:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.writelines(chunks)
        place(path, target, overwrite=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
