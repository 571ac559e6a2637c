"""Opening sessions: who may write, what is refused, and copies elsewhere.

The app's way: `SessionStore.open(path)`, `.load()`, `.writer(on_error=…)`, then `writer.put(snapshot(…))` for
each operation, and `.close(timeout)`.
"""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from n8loom_tui.paths import data_dir

from . import schema
from .apply import apply
from .errors import UNREADABLE, SessionError, explain
from .files import draft, place, remove_sidecars
from .glimpse import Glimpse, take_glimpse
from .load import LoadedSession, load_session
from .lock import LockedError, SessionLock
from .record import Changes
from .typed import expanded
from .writer import SessionWriter, identity_of

SUFFIX = ".loom"
COPY_PATIENCE = 10.0
"""Seconds that a copy waits for what is still to be stored."""


def resolve_session_path(argument: str | Path) -> Path:
    """The file that a person means: as they wrote it, with `.loom` behind it if it has no suffix.

    Raises:
        SessionError: it begins with the home folder of somebody who has none here.
    """
    path = expanded(argument)
    return path if path.suffix or not path.name else path.with_name(path.name + SUFFIX)


def default_session_path(name: str) -> Path:
    """A session of this name in the sessions folder, which is made if it is not there.

    Raises:
        SessionError: it can't be made, or the name is not one.
    """
    folder = data_dir() / "sessions"
    if not name or "/" in name or name.startswith("."):
        raise SessionError(f"{name!r} cannot be the name of a session.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SessionError(explain(error, folder)) from None
    return folder / (name if name.endswith(SUFFIX) else name + SUFFIX)


def read_session(path: Path) -> LoadedSession:
    """What a session holds, without opening it for writing; it may be open elsewhere.

    Raises:
        SessionError: it can't be read.
    """
    path = _checked(path)
    if not _has_content(path):
        raise SessionError(f"There is no session at {path}.")
    schema.check_ours(path)
    return _load(path)


def is_session(path: Path) -> bool:
    """Whether there is a file at `path` that holds a session."""
    if not path.is_file() or path.stat().st_size == 0:
        return False
    try:
        schema.check_ours(path)
    except SessionError:
        return False
    return True


def write_new(path: Path, *changes: Changes, overwrite: bool = False) -> None:
    """Make a session of these changes, one behind the other: for when the session's own file cannot be written.

    Raises:
        SessionError: there is a file already (without `overwrite`), it is open in a program, or the disk
        refuses.
    """
    with _making(path, overwrite=overwrite) as new:
        db = schema.connect(new, schema.Mode.CREATE)
        try:
            schema.initialise(db)
            _enter(db, changes)
        except UnicodeEncodeError as error:
            raise SessionError(f"{path}: {error}") from None
        finally:
            db.close()


def held_in(changes: Sequence[Changes]) -> LoadedSession:
    """What a session of these changes, one behind the other, would hold."""
    with contextlib.closing(schema.in_memory()) as db:
        _enter(db, changes)
        return load_session(db)


def _enter(db: sqlite3.Connection, changes: Iterable[Changes]) -> None:
    db.execute("BEGIN")
    for each in changes:
        apply(db, each)
    db.execute("COMMIT")


class SessionStore:
    """An open session. Attributes: `path`; `read_only`, and then `read_only_reason`, one line; `damaged`: it could not
    be read to its end."""

    def __init__(self, path: Path, lock: SessionLock | None, reason: str | None) -> None:
        """For `open` alone."""
        self.path = path
        self.read_only_reason = reason
        self.damaged = False
        self._lock = lock
        self._identity = identity_of(path) if lock is not None else None
        self._writer: SessionWriter | None = None

    @property
    def read_only(self) -> bool:
        """Whether nothing can be stored here."""
        return self.read_only_reason is not None

    @classmethod
    def open(cls, path: Path) -> SessionStore:
        """Open a session, or make one where there is no file.

        One that is open elsewhere, or that cannot be written, is opened read-only; so is one that is too damaged to
        be brought up to date.

        Raises:
            SessionError: it is no session, a newer version's or damaged, or none can be made here. Whatever
                is there is left as it is.
        """
        path = _checked(path)
        exists = _has_content(path)
        if exists:
            schema.check_ours(path)
        lock = SessionLock(path)
        try:
            lock.acquire()
        except (LockedError, OSError) as error:
            if not exists:
                raise SessionError(explain(error, path)) from None
            return cls._read_only(path, explain(error, path))
        try:
            refusal = _prepare(path)
            if refusal is None:
                return cls(path, lock, None)
        except OSError as error:
            lock.release()
            raise SessionError(explain(error, path)) from None
        except BaseException:
            lock.release()
            raise
        lock.release()
        store = cls._read_only(path, explain(refusal, path))
        store.damaged = _is_damage(refusal)
        return store

    @classmethod
    def _read_only(cls, path: Path, reason: str) -> SessionStore:
        with reading(path):
            return cls(path, None, reason)

    def glimpse(self, page: int) -> Glimpse | None:
        """What stands around the node that the person stood on, for a screen of `page` rows; None where the session is
        better loaded at once: it is small, or not in order."""
        with contextlib.suppress(SessionError), reading(self.path) as db:
            db.execute("BEGIN")
            return take_glimpse(db, page)
        return None

    def load(self) -> LoadedSession:
        """What the session holds. A file too damaged to read to its end makes the store read-only.

        Raises:
            SessionError: nothing of it can be read, or another file was put in its place since it was opened.
        """
        loaded = _load(self.path)
        if self._identity is not None and identity_of(self.path) != self._identity:
            raise SessionError(
                f"Another file was put in the place of {self.path} while it was opened; open it again."
            )
        if self.damaged and not loaded.damaged:
            loaded.damaged = True
            loaded.note(self.read_only_reason or "")
        self.damaged = loaded.damaged
        if loaded.damaged and not self.read_only:
            self.read_only_reason = (
                f"{self.path} is damaged; nothing is written to it. Save to another place."
            )
        return loaded

    def writer(
        self,
        *,
        on_error: Callable[[str], None] = lambda _message: None,
        on_saved: Callable[[], None] = lambda: None,
    ) -> SessionWriter:
        """The writer, begun at the first call. Callbacks come from its thread.

        Raises:
            SessionError: the session is read-only.
        """
        if self.read_only_reason is not None:
            raise SessionError(self.read_only_reason)
        if self._writer is None:
            try:
                self._writer = SessionWriter(
                    self.path, identity=self._identity, on_error=on_error, on_saved=on_saved
                )
            except OSError as error:
                raise SessionError(explain(error, self.path)) from None
        return self._writer

    def copy_to(self, target: Path, *, overwrite: bool = False) -> None:
        """Copy the session, its trash included, to another file; what is still queued is stored first.

        Raises:
            SessionError: there is a file already (without `overwrite`), it is open in a program, not
                everything could be stored, or the disk refuses.
        """
        if self._writer is not None and not self._writer.flush(COPY_PATIENCE):
            why = self._writer.error or "it takes too long"
            raise SessionError(f"Not copied, since not everything is stored yet: {why}")
        with _making(target, overwrite=overwrite) as new, reading(self.path) as db:
            try:
                db.execute("PRAGMA query_only = OFF")  # else not even a new file is written
                db.execute("VACUUM INTO ?", (str(new),))
            except UNREADABLE as error:
                raise SessionError(explain(error, target)) from None

    def close(self, timeout: float = 5.0) -> bool:
        """Store what is left and give the session free. False if not everything could be stored in time."""
        stored = self._writer is None or self._writer.close(timeout)
        if self._lock is not None and (self._writer is None or self._writer.ended):
            self._lock.release()
        return stored


# ------------------------------------------------------------------- helpers


def _checked(path: Path) -> Path:
    """The real path of what may be a session.

    Raises:
        SessionError: there can be none.
    """
    try:
        path = path.expanduser().resolve()
        mode = path.stat().st_mode if path.exists() else None
    except (OSError, ValueError, RuntimeError) as error:
        raise SessionError(explain(error, path)) from None
    if mode is None:
        if not path.parent.is_dir():
            raise SessionError(
                f"{path}: there is no folder {path.parent}; make it first, or choose another place."
            )
    elif stat.S_ISDIR(mode):
        raise SessionError(f"{path} is a folder, not a session; name a file in it.")
    elif not stat.S_ISREG(mode):
        raise SessionError(f"{path} is not a file; a session can only be kept in one.")
    return path


def _has_content(path: Path) -> bool:
    """Whether there is a file with something in it. An empty one may become a session."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SessionError(explain(error, path)) from None


def _prepare(path: Path) -> Exception | None:
    """Make or upgrade the tables. Returns why it can only be read, if so. The lock is ours.

    Raises:
        SessionError: it can't be had.
    """
    fresh = not _has_content(path)
    try:
        with contextlib.closing(
            schema.connect(path, schema.Mode.CREATE if fresh else schema.Mode.WRITE)
        ) as db:
            if fresh:
                schema.initialise(db)
            schema.check_schema(db, path)
            schema.migrate(db)
            schema.try_writing(db)
    except UNREADABLE as error:
        if fresh or not (_only_unwritable(error) or _is_damage(error)):
            raise SessionError(explain(error, path)) from None
        return error
    return None


def _is_damage(error: Exception) -> bool:
    """Whether a part of a file is not as SQLite left it. Much of it may be read all the same."""
    name = getattr(error, "sqlite_errorname", "") or ""
    return isinstance(error, UnicodeDecodeError) or name.startswith("SQLITE_CORRUPT")


def _only_unwritable(error: Exception) -> bool:
    name = getattr(error, "sqlite_errorname", "") or ""
    return name.startswith(
        ("SQLITE_READONLY", "SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_BUSY", "SQLITE_IOERR")
    )


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for reading, its tables checked."""
    try:
        with contextlib.closing(_connect_to_read(path)) as db:
            yield db
    except (*UNREADABLE, OSError) as error:
        raise SessionError(explain(error, path)) from None


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing. Opened for writing where it can be: then SQLite tidies up behind it.

    A folder that can't be written is the last case: SQLite has to be told that nobody else writes there.
    """
    wal = path.with_name(path.name + "-wal")
    ways = [(schema.Mode.WRITE, False), (schema.Mode.READ, False)]
    if not (wal.exists() and wal.stat().st_size > 0):
        ways.append((schema.Mode.READ, True))
    failure: sqlite3.OperationalError | None = None
    for mode, immutable in ways:
        db = schema.connect(path, mode, immutable=immutable)
        try:
            db.execute("PRAGMA query_only = ON")
            schema.check_schema(db, path)
            return db
        except sqlite3.OperationalError as error:
            db.close()
            failure = failure or error
        except BaseException:
            db.close()
            raise
    assert failure is not None
    raise failure


def _load(path: Path) -> LoadedSession:
    with reading(path) as db:
        db.execute("BEGIN")  # whoever else has it open goes on writing meanwhile: all of one moment is read
        return load_session(db)


@contextlib.contextmanager
def _making(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A name to make a database at, which is then moved to `path`, all or nothing, never over an open one."""
    target = _checked(path)
    if target.exists() and not overwrite:
        raise SessionError(f"{target} exists already; choose another name.")
    lock = SessionLock(target)
    try:
        lock.acquire()
        try:
            with draft(target) as new:
                yield new
                remove_sidecars(target)
                place(new, target, overwrite=overwrite)
        finally:
            lock.release()
    except (OSError, sqlite3.Error) as error:
        raise SessionError(explain(error, target)) from None
