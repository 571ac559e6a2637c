"""One writer per session: a lock that the system takes back when its holder dies, however it dies.

The lock is `flock` on a file of its own beside the session. Not on the session itself: on some systems that
would meet SQLite's own locks, and closing a second handle on a database file drops those. The little file
may stay behind after a crash; it locks nothing by being there.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from .errors import SessionError

SUFFIX = "-lock"


class LockedError(SessionError):
    """Another program has the session open."""


class SessionLock:
    """The right to write one session, from `acquire` to `release`."""

    def __init__(self, session: Path) -> None:
        self.path = session.with_name(session.name + SUFFIX)
        self._session = session
        self._handle: int | None = None

    def acquire(self) -> None:
        """Take the lock, without waiting.

        Raises:
            LockedError: another program, or another store of this one, holds it.
            OSError: the lock's file cannot be made here.
        """
        while True:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
            try:
                if self._lock(handle):
                    self._handle = handle
                    self._sign(handle)
                    return
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)

    def _lock(self, handle: int) -> bool:
        """Whether the lock is ours: False if the file was taken away while we reached for it."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}:
                raise LockedError(f"{self._session} is open in another program{_holder(handle)}.") from None
            if error.errno not in {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}:
                raise
            # A file system without locks: SQLite still keeps the file whole, only the warning is lost.
        try:
            return os.path.samestat(os.fstat(handle), self.path.stat())
        except FileNotFoundError:
            return False

    @staticmethod
    def _sign(handle: int) -> None:
        """Leave our process number for the one who comes second. A full disk may refuse it; no matter."""
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            pass

    def release(self) -> None:
        """Give the lock back and take its file away. Does nothing if it is not held."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        try:
            if os.path.samestat(os.fstat(handle), self.path.stat()):
                self.path.unlink()
        except OSError:
            pass
        os.close(handle)


def _holder(handle: int) -> str:
    try:
        number = os.pread(handle, 20, 0).strip()
    except OSError:
        return ""
    return f" (process {number.decode()})" if number.isdigit() else ""
