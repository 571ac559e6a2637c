"""The sessions of the data folder: what each holds at a glance, and keeping house among them.

Nothing is ever removed here: what is thrown away goes into a folder beside the others, from where it comes back.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from n8loom_tui.paths import data_dir

from . import schema
from .errors import UNREADABLE, SessionError, explain
from .files import SIDECARS, place
from .lock import SessionLock
from .packing import unpack_text
from .record import CURRENT
from .store import SUFFIX, SessionStore, default_session_path, reading
from .typed import expanded, mode_at

TRASH = "trash"
"""The folder, inside the sessions folder, of what was thrown away."""
PREVIEW = 4000
"""Characters of a path's end that a summary keeps."""
_MOST_COPIES = 1000


@dataclass(frozen=True, slots=True)
class Summary:
    """What a session holds at a glance. All texts are as they stand in the file: anything may be in them.

    Attributes:
        title: the first line of its first prompt, or of what was written for one.
        preview: the end of the path that the person stood on.
        words: of all nodes that are not in the trash.
        changed: when the file was last written, in seconds since the epoch.
        problem: why nothing is known of it, if so.
    """

    path: Path
    changed: float
    title: str = ""
    nodes: int = 0
    words: int = 0
    model: str = ""
    preview: str = ""
    problem: str = ""

    @property
    def name(self) -> str:
        """What the person calls it."""
        return self.path.stem


def sessions_dir() -> Path:
    """Where sessions are."""
    return data_dir() / "sessions"


def trash_dir() -> Path:
    """Where sessions are that were thrown away."""
    return sessions_dir() / TRASH


def listed(folder: Path | None = None) -> list[Path]:
    """The session files of a folder (by default the sessions folder), the one written last first."""
    return [path for _, path in dated(folder)]


def dated(folder: Path | None = None) -> list[tuple[float, Path]]:
    """The same, each with when it was last written. What vanishes meanwhile is left out."""
    found = []
    with contextlib.suppress(OSError):
        for path in (folder or sessions_dir()).resolve().iterdir():
            with contextlib.suppress(OSError):
                if path.suffix == SUFFIX and not path.name.startswith(".") and path.is_file():
                    found.append((changed(path), path))
    return sorted(found, reverse=True)


def changed(path: Path) -> float:
    """When a session was last written: what is new may still be in the journal beside it."""
    times = [path.stat().st_mtime]
    with contextlib.suppress(OSError):
        times.append(path.with_name(path.name + SIDECARS[0]).stat().st_mtime)
    return max(times)


def summary(path: Path) -> Summary:
    """What a session holds at a glance; where it can't be read, why."""
    try:
        when = changed(path)
    except OSError as error:
        return Summary(path, 0.0, problem=explain(error, path))
    try:
        schema.check_ours(path)
        with reading(path) as db:
            rows = db.execute(
                "SELECT id, parent, deleted, text, user_prompt FROM nodes ORDER BY seq"
            ).fetchall()
            told = db.execute("SELECT value FROM meta WHERE key = ?", (CURRENT,)).fetchone()
            model = db.execute(
                "SELECT m.name FROM nodes n JOIN models m ON m.id = n.model ORDER BY n.seq DESC LIMIT 1"
            ).fetchone()
            alive = _alive(rows)
            if not alive and (words := _not_entered(db)):
                return Summary(path, when, title=words.strip().partition("\n")[0][:200], preview=words)
            return _summed(path, when, alive, told[0] if told else "", model[0] if model else "")
    except SessionError as error:
        return Summary(path, when, problem=str(error))
    except (*UNREADABLE, OSError) as error:
        return Summary(path, when, problem=explain(error, path))


def _not_entered(db: sqlite3.Connection) -> str:
    """What was written last and not entered: of a session without a tree there is nothing else to tell."""
    if schema.version(db) < schema.WITH_DRAFTS:
        return ""
    found = db.execute("SELECT text FROM drafts ORDER BY at DESC LIMIT 1").fetchone()
    return _text(found[0])[:PREVIEW] if found else ""


@dataclass(slots=True)
class _Row:
    parent: str | None
    text: str
    prompt: str
    gone: bool


def _alive(rows: list[tuple[object, ...]]) -> dict[str, _Row]:
    """The nodes that are not in the trash, nor below one that is."""
    found: dict[str, _Row] = {}
    for name, parent, deleted, text, prompt in rows:
        if isinstance(name, str):
            found[name] = _Row(
                parent if isinstance(parent, str) else None, _text(text), _text(prompt), deleted is not None
            )
    lives: dict[str, bool] = {}
    for name in found:
        path: list[str] = []
        at: str | None = name
        while at is not None and at in found and at not in lives:
            lives[at] = not found[at].gone  # for now: it also ends a circle
            path.append(at)
            at = found[at].parent if lives[at] else None
        alive = lives[path[-1]] and (at is None or lives.get(at, True)) if path else False
        lives.update(dict.fromkeys(path, alive))
    return {name: row for name, row in found.items() if lives[name]}


def _text(value: object) -> str:
    if not isinstance(value, bytes):
        return ""
    try:
        return unpack_text(value)
    except UnicodeDecodeError:
        return value.decode("utf-8", "replace")


def _summed(path: Path, when: float, rows: dict[str, _Row], current: str, model: str) -> Summary:
    roots = [row for row in rows.values() if row.parent is None or row.parent not in rows]
    first = (roots[0].prompt or roots[0].text) if roots else ""
    words = sum(len((row.prompt or row.text).split()) for row in rows.values())
    with contextlib.suppress(ValueError, RecursionError):
        current = json.loads(current)
    return Summary(
        path,
        when,
        title=first.strip().partition("\n")[0][:200],
        nodes=len(rows),
        words=words,
        model=str(model)[:200],
        preview=_preview(rows, current if isinstance(current, str) else "", first),
    )


def _preview(rows: dict[str, _Row], current: str, first: str) -> str:
    """The end of the path down to where the person stood, or the beginning of the first prompt."""
    pieces: list[str] = []
    length, seen = 0, set()
    at: str | None = current
    while at is not None and at in rows and at not in seen and length < PREVIEW:
        seen.add(at)
        pieces.append(rows[at].prompt or rows[at].text)
        length += len(pieces[-1])
        at = rows[at].parent
    return "".join(reversed(pieces))[-PREVIEW:] if pieces else first[:PREVIEW]


# ------------------------------------------------------------------- keeping house


def named(name: str) -> Path:
    """Where a session of this name is kept: a bare name in the sessions folder, a path where it says.

    Raises:
        SessionError: there can be none.
    """
    name = name.strip()
    if "/" not in name and not name.startswith("~"):
        path = default_session_path(name)
    else:
        path = expanded(name)
        if not path.name or name.endswith("/") or "/" not in name:
            raise SessionError("Name a file, not a folder.")
        path = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
    mode_at(path)
    return path


def rename(path: Path, target: Path) -> None:
    """Move a session that no program has open; nothing is replaced.

    Raises:
        SessionError: it is open, there is a file at `target` already, or the disk refuses.
    """
    lock = SessionLock(path)
    try:
        lock.acquire()
        try:
            _fold_journal(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            place(path, target, overwrite=False)
            path.unlink(missing_ok=True)  # a hard link to what is at `target` now
        finally:
            lock.release()
    except (*UNREADABLE, OSError) as error:
        raise SessionError(explain(error, target)) from None


def copy(path: Path, target: Path) -> None:
    """Copy a session, which may be open.

    Raises:
        SessionError: there is a file at `target` already, or the disk refuses.
    """
    SessionStore(path, None, "only read").copy_to(target)


def discard(path: Path) -> Path:
    """Move a session into the trash folder, and say where it is there.

    Raises:
        SessionError: it is open, or the disk refuses.
    """
    return _move_into(path, trash_dir())


def restore(path: Path) -> Path:
    """Bring a session back out of the trash folder, and say where it is.

    Raises:
        SessionError: the disk refuses.
    """
    return _move_into(path, sessions_dir())


def _move_into(path: Path, folder: Path) -> Path:
    for number in range(1, _MOST_COPIES):
        target = folder / (path.name if number == 1 else f"{path.stem}-{number}{SUFFIX}")
        if mode_at(target) is None:
            rename(path, target)
            return target
    raise SessionError(f"There are too many sessions named {path.stem} in {folder}.")


def _fold_journal(path: Path) -> None:
    """Have all that is in the journal beside a session written into it, so that the file is all there is.

    Raises:
        SessionError: something is left in the journal.
    """
    with contextlib.suppress(sqlite3.DatabaseError), _writable(path):
        pass
    wal = path.with_name(path.name + SIDECARS[0])
    if wal.exists() and wal.stat().st_size:
        raise SessionError(
            f"{path} has changes beside it that cannot be written into it; it stays where it is."
        )


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[None]:
    """SQLite writes the journal into the file when its last user leaves."""
    with contextlib.closing(schema.connect(path, schema.Mode.WRITE)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield
