"""The thread that writes files, a few bytes at a time, and keeps the folder within its size.

It is given plain bytes, never a tensor. Each file appears whole or not at all: it is written beside its place and
moved there. What was used longest ago goes first when there is no more room. Several programs may do this in one
folder: each sees to what is there, and takes a file that is gone for what it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import queue
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from .files import Label, Raw, Tensor, signed
from .names import Name

PART = ".part"
CHUNK = 4 << 20
"""Bytes that are written before it is asked whether there is still time."""
RESERVE = 1 << 30
"""Bytes of the disk that are left free."""
SMALLEST = 64 << 10
"""What a file counts as at least, so that their number is bounded too."""
TRIGGER = 0.95
"""The share of the size from which on some have to go. Other programs may be writing, too."""
ROOM = 0.9
"""The share that is left then, so that it need not be looked for each time."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file to be written: where, what it says of itself, and its tensors' bytes, the token ids first."""

    name: Name
    label: Label
    tensors: Sequence[tuple[Tensor, Raw]]

    @property
    def nbytes(self) -> int:
        """Of all tensors."""
        return sum(tensor.nbytes for tensor, _ in self.tensors)


@dataclass(frozen=True, slots=True)
class Touch:
    """These files have been used, just now."""

    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class Discard:
    """This file is no good."""

    name: str


class Fate(Enum):
    """What became of a sheet."""

    WRITTEN = auto()
    FAILED = auto()
    """The disk would not take it, or there was no time."""


@dataclass(frozen=True, slots=True)
class Done:
    """The writer is done with a sheet."""

    name: Name
    fate: Fate


@dataclass(frozen=True, slots=True)
class Gone:
    """These files of the model were removed."""

    names: Sequence[str]


Outcome = Done | Gone


@dataclass(frozen=True, slots=True)
class _Kept:
    """A file of any model on disk."""

    used: int
    start: int
    size: int
    path: Path


class Writer:
    """Writes into the folder of one model. `limit` bounds the bytes of all models' folders beside it."""

    def __init__(self, folder: Path, key: bytes, limit: int, reserve: int = RESERVE) -> None:
        self._folder = folder
        self._key = key
        self._limit = limit
        self._reserve = reserve
        self.used = 0
        """Bytes of all models' files, as far as this program knows."""
        self._unseen = 0
        """Bytes written since it was last looked what all programs have written."""
        self._jobs: queue.SimpleQueue[Sheet | Touch | Discard | None] = queue.SimpleQueue()
        self._outcomes: deque[Outcome] = deque()
        self._abandon = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kv-writer", daemon=True)
        self._thread.start()

    def put(self, job: Sheet | Touch | Discard) -> None:
        """Hand over a job. Returns at once."""
        self._jobs.put(job)

    def outcomes(self) -> Iterator[Outcome]:
        """What has come of them since the last call."""
        while self._outcomes:
            yield self._outcomes.popleft()

    def close(self, timeout: float) -> bool:
        """End, with all that was put if `timeout` seconds allow it. Whether the thread has ended."""
        self._jobs.put(None)
        self._thread.join(max(0.0, timeout))
        self._abandon.set()
        self._thread.join(0.05)
        return not self._thread.is_alive()

    # ---------------------------------------------------------------- the thread

    def _run(self) -> None:
        self._clean()
        self.used = sum(kept.size for kept in self._everything())
        self._make_room(0)
        while (job := self._jobs.get()) is not None and not self._abandon.is_set():
            match job:
                case Sheet():
                    fate = Fate.WRITTEN if self._write(job) else Fate.FAILED
                    self._outcomes.append(Done(job.name, fate))
                case Touch(names=names):
                    self._touch(names)
                case Discard(name=name):
                    self._remove([self._folder / name])

    def _write(self, sheet: Sheet) -> bool:
        data = [values.reshape(-1).view("u1").data for _, values in sheet.tensors]
        head = signed(self._key, sheet.label, [tensor for tensor, _ in sheet.tensors], data)
        size = len(head) + sum(part.nbytes for part in data)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if size > self._limit or shutil.disk_usage(self._folder).free - size < self._reserve:
                return False
            self._make_room(size)
            if not self._place(self._folder / str(sheet.name), [memoryview(head), *data]):
                return False
        except OSError:
            return False
        self.used += max(size, SMALLEST)
        return True

    def _place(self, target: Path, data: Sequence[memoryview]) -> bool:
        """Write a file beside its place, and move it there. False if there was no time."""
        part = target.with_name(f".{secrets.token_hex(8)}{PART}")
        try:
            with open(part, "xb", buffering=0, opener=_private) as file:
                with contextlib.suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # says that somebody is at it
                for chunk in _chunks(data):
                    if self._abandon.is_set():
                        return False
                    written = 0
                    while written < len(chunk):
                        written += file.write(chunk[written:])
                part.replace(target)
            return True
        finally:
            with contextlib.suppress(OSError):
                part.unlink()

    def _touch(self, names: Sequence[str]) -> None:
        now = time.time_ns()
        for name in names:
            with contextlib.suppress(OSError):
                os.utime(self._folder / name, ns=(now, now), follow_symlinks=False)

    # ------------------------------------------------------------------ room

    def _make_room(self, size: int) -> None:
        """Remove what was used longest ago until that many more bytes fit. Of what was used at once, ends first."""
        size = max(size, SMALLEST)
        self._unseen += size
        if self.used + size <= self._limit * TRIGGER and self._unseen <= self._limit // 32:
            return
        self._unseen = 0
        kept = sorted(self._everything(), key=lambda each: (each.used, -each.start))
        self.used = sum(each.size for each in kept)
        if self.used + size <= self._limit * TRIGGER:
            return
        room = max(0, int(self._limit * ROOM) - size)
        doomed = []
        for each in kept:
            if self.used <= room:
                break
            self.used -= each.size
            doomed.append(each.path)
        self._remove(doomed)

    def _remove(self, paths: Sequence[Path]) -> None:
        for path in paths:
            with contextlib.suppress(OSError):
                path.unlink()
            if path.parent != self._folder:
                with contextlib.suppress(OSError):
                    path.parent.rmdir()  # another model's, if this was its last
        gone = [path.name for path in paths if path.parent == self._folder]
        if gone:
            self._outcomes.append(Gone(gone))

    def _everything(self) -> Iterator[_Kept]:
        """The files of all models."""
        for folder in _folders(self._folder.parent):
            for name, found in listed(folder):
                size = max(found.st_size, SMALLEST)
                yield _Kept(found.st_mtime_ns, name.start, size, folder / str(name))

    def _clean(self) -> None:
        """Remove what killed programs left half written: nobody holds its lock."""
        top = self._folder.parent
        with contextlib.suppress(OSError):
            parts = [part for folder in (top, *_folders(top)) for part in folder.glob(f".*{PART}")]
            for part in parts:
                with contextlib.suppress(OSError):
                    handle = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                    try:
                        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        part.unlink()
                    finally:
                        os.close(handle)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _chunks(data: Sequence[memoryview]) -> Iterator[memoryview]:
    for part in data:
        for start in range(0, len(part), CHUNK):
            yield part[start : start + CHUNK]


def _folders(top: Path) -> list[Path]:
    """The models' folders."""
    try:
        with os.scandir(top) as entries:
            return [top / entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def listed(folder: Path) -> list[tuple[Name, os.stat_result]]:
    """The files in a model's folder that have one of our names."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = Name.parse(entry.name)
                if name is not None:
                    with contextlib.suppress(OSError):
                        found.append((name, entry.stat(follow_symlinks=False)))
    except OSError:
        pass
    return found
