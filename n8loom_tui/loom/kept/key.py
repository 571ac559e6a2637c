"""The key that signs this folder's files: random, made once, readable by its owner alone.

It keeps out what somebody else made: a file that was sent by another, or changed by a program that can't read it. In a
folder that several people write to, a key that is another's, or that others may read or change, signs nothing here.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

NAME = "key"
LENGTH = 32
OTHERS = 0o077
"""What anybody but the owner may do with a file."""


def signing_key(top: Path) -> bytes:
    """The key in the folder `top`. Both are made if they are not there.

    Raises:
        OSError: it can be neither read nor made.
    """
    top.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = top / NAME
    for _ in range(3):
        with contextlib.suppress(FileNotFoundError):
            key = _read(path)
            if len(key) == LENGTH:
                return key
            path.unlink(missing_ok=True)  # damaged, or not ours alone: what it signed is computed again
        _make(path)
    raise OSError(f"{path} cannot be kept")


def _read(path: Path) -> bytes:
    """The key; nothing where it is no file that is ours alone."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        found = os.fstat(handle)
        alone = found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & OTHERS
        return os.read(handle, LENGTH + 1) if stat.S_ISREG(found.st_mode) and alone else b""
    finally:
        os.close(handle)


def _make(path: Path) -> None:
    """Make the key, whole or not at all; another program's, if that was first, stays."""
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with contextlib.closing(os.fdopen(handle, "wb")) as file:
            file.write(secrets.token_bytes(LENGTH))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
