"""The thread that stores changes. It alone writes to an open session, and nobody waits for it unasked.

What is handed over stays in memory until it is in the file. If the file refuses (the disk is full, the file
is gone or another one stands in its place), it is tried again and again, and told once.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from . import schema
from .apply import apply, compact
from .errors import SessionError, explain
from .files import SIDECARS
from .record import Changes

FIRST_RETRY = 0.5
LONGEST_RETRY = 10.0
"""Seconds between attempts while the file refuses."""

_UNSTORABLE = (sqlite3.InterfaceError, sqlite3.DataError, sqlite3.IntegrityError, sqlite3.ProgrammingError)
"""What a change gets for its own fault, not the file's."""


class SessionWriter:
    """An ordered queue of changes, and the thread that stores them, each whole or not at all.

    Callbacks are called on that thread: `on_error(message)` when storing fails in a new way, `on_saved()`
    after each commit. They must be quick and may not call back.
    """

    def __init__(
        self,
        path: Path,
        *,
        identity: tuple[int, int] | None = None,
        on_error: Callable[[str], None] = lambda _message: None,
        on_saved: Callable[[], None] = lambda: None,
    ) -> None:
        """`identity`: the file that is written to, where it was looked at before; no other one in its place is."""
        self.path = path
        self._on_error = on_error
        self._on_saved = on_saved
        self._identity = identity or identity_of(path)
        self._db: sqlite3.Connection | None = None
        self._sidecars: dict[Path, tuple[int, int]] = {}
        self._state = threading.Condition()
        # All of these are guarded by `_state`.
        self._queue: list[Changes] = []
        self._put = 0
        self._stored = 0
        self._refused = 0
        self._attempts = 0
        self._failed_attempt = 0
        self._hurry = False
        self._closing = False
        self._error: str | None = None
        self._thread = threading.Thread(target=self._run, name="session-writer", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------ for its users

    def put(self, changes: Changes) -> None:
        """Have changes stored, after all that were put before. Returns at once.

        Raises:
            SessionError: the writer is closed.
        """
        with self._state:
            if self._closing:
                raise SessionError(f"{self.path} is closed already; the last change was not stored.")
            self._queue.append(changes)
            self._put += 1
            self._state.notify_all()

    @property
    def waiting(self) -> int:
        """How many changes are not in the file yet."""
        with self._state:
            return self._put - self._stored

    @property
    def error(self) -> str | None:
        """Why the last attempt failed; None once one succeeds."""
        with self._state:
            return self._error

    def flush(self, timeout: float) -> bool:
        """Wait until all that was put is in the file. False if an attempt fails or `timeout` seconds pass."""
        with self._state:
            wanted, before = self._put, self._attempts
            self._urge()
            self._state.wait_for(
                lambda: self._stored >= wanted or self._failed_attempt > before or self.ended, timeout
            )
            return self._stored >= wanted

    def close(self, timeout: float) -> bool:
        """Store what is left and end the thread. False if that took more than `timeout` seconds, or if anything
        since the beginning could not be stored.

        What could not be stored is still in the tree's hands: `write_new` writes it elsewhere.
        """
        with self._state:
            self._closing = True
            self._urge()
        self._thread.join(timeout)
        with self._state:
            return self.ended and self._stored == self._put and not self._refused

    @property
    def ended(self) -> bool:
        """Whether the thread has let go of the file."""
        return not self._thread.is_alive()

    def _urge(self) -> None:
        self._hurry = True
        self._state.notify_all()

    # --------------------------------------------------------------- the thread

    def _run(self) -> None:
        pause = 0.0
        try:
            while self._await_work(pause):
                pause = self._attempt(pause)
        finally:
            self._disconnect()

    def _await_work(self, pause: float) -> bool:
        """Wait until something is to be stored, and for `pause` unless somebody waits. False at the end."""
        until = time.monotonic() + pause
        with self._state:
            while not self._closing and not self._hurry:
                left = until - time.monotonic()
                if self._queue and left <= 0:
                    break
                self._state.wait(left if self._queue else None)
            # Closing brings one attempt that began after it; the second time round is the end.
            if self._closing and not self._hurry:
                return False
            self._hurry = False
            return True

    def _attempt(self, pause: float) -> float:
        """Store all that is queued, in one commit. Returns how long to pause before the next attempt."""
        with self._state:
            queue = list(self._queue)
            self._attempts += 1
            attempt = self._attempts
        if not queue:
            return pause
        smaller = compact(queue)
        try:
            refused = self._store(smaller)
        except Exception as error:  # noqa: BLE001 - whatever it is, the queue must live on
            self._disconnect()
            with self._state:
                self._queue[: len(queue)] = smaller  # a disk may stay full for hours
            self._failed(attempt, explain(error, self.path))
            return min(max(FIRST_RETRY, pause * 2), LONGEST_RETRY)
        with self._state:
            del self._queue[: len(queue)]
            self._stored += len(queue)
            self._refused += len(refused)
            self._error = None
            self._state.notify_all()
        for message in refused:
            self._tell(self._on_error, message)
        self._tell(self._on_saved)
        return 0.0

    def _failed(self, attempt: int, message: str) -> None:
        with self._state:
            is_new = message != self._error
            self._error = message
            self._failed_attempt = attempt
            self._state.notify_all()
        if is_new:
            self._tell(self._on_error, message)

    @staticmethod
    def _tell(callback: Callable[..., None], *arguments: str) -> None:
        with contextlib.suppress(Exception):  # a listener's mistake must not cost anybody's words
            callback(*arguments)

    def _store(self, queue: list[Changes]) -> list[str]:
        """One commit. Returns a line for each change that no file could hold; those are left out."""
        self._check_identity()
        db = self._connected()
        refused = []
        db.execute("BEGIN IMMEDIATE")
        try:
            for changes in queue:
                db.execute("SAVEPOINT operation")
                try:
                    apply(db, changes)
                except UnicodeDecodeError:
                    raise  # SQLite's own words about a damaged file
                except (*_UNSTORABLE, ValueError, TypeError) as error:
                    db.execute("ROLLBACK TO operation")
                    refused.append(
                        f"The change {changes.label!r} cannot be stored ({error}); report this, please."
                    )
                db.execute("RELEASE operation")
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                schema.roll_back(db)
            raise
        self._check_identity()
        if any(changes.purged is not None for changes in queue):
            with contextlib.suppress(sqlite3.Error):  # it only makes the file smaller
                db.execute("VACUUM")
        self._settle(db)
        return refused

    def _check_identity(self) -> None:
        """See that the path still leads to the file that was opened: otherwise writing would go nowhere.

        Raises:
            SessionError: it does not.
        """
        try:
            found = identity_of(self.path)
        except FileNotFoundError:
            raise SessionError(
                f"{self.path} was deleted or moved while it was open; put it back, or save to another place."
            ) from None
        if found != self._identity:
            self._disconnect()
            self._remove_own_sidecars()
            raise SessionError(
                f"Another file was put in the place of {self.path}; it is left alone. Save to another place."
            )

    def _remove_own_sidecars(self) -> None:
        """Take SQLite's journal of the lost file away from the file in its place, which it would damage."""
        for sidecar, identity in self._sidecars.items():
            with contextlib.suppress(OSError):
                if identity_of(sidecar) == identity:
                    sidecar.unlink()
        self._sidecars = {}

    def _settle(self, db: sqlite3.Connection) -> None:
        """Move what was committed from the journal into the file: whoever copies that alone gets it all."""
        with contextlib.suppress(sqlite3.Error):  # it is safe in the journal, too
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        for suffix in SIDECARS:
            sidecar = self.path.with_name(self.path.name + suffix)
            with contextlib.suppress(OSError):
                self._sidecars[sidecar] = identity_of(sidecar)

    def _connected(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = schema.connect(self.path, schema.Mode.WRITE)
            schema.make_durable(self._db)
        return self._db

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()


def identity_of(path: Path) -> tuple[int, int]:
    """Which file a path leads to."""
    found = path.stat()
    return found.st_dev, found.st_ino
