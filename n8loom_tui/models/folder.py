"""Folders in the cache that appear whole or not at all, however many processes make them at once."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from n8loom_tui.models.errors import ModelError
from n8loom_tui.models.progress import Progress, ProgressCallback, Stage

_POLL = 0.1  # seconds between looks at a lock that another process holds


@contextmanager
def lock(final: Path, progress: ProgressCallback) -> Iterator[None]:
    """Hold the lock that goes with the folder `final`; `progress` hears of waiting and can cancel it.

    The lock is the process's: it goes when the process does. Where the file system knows no locks the body
    runs without one, and `publish` still keeps the outcome whole. Raises ModelError if the cache cannot be
    written.
    """
    import fcntl

    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(final.parent / f".{final.name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ModelError(f"the cache {final.parent} cannot be written: {error.strerror or error}") from error
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress(Progress(Stage.DOWNLOAD, note="another process is at it; waiting for that"))
                time.sleep(_POLL)
            except OSError:
                break
        yield
    finally:
        os.close(descriptor)


@contextmanager
def scratch(final: Path) -> Iterator[Path]:
    """An empty folder beside `final` to build it in; whatever is still there afterwards is removed."""
    folder = final.parent / f".{final.name}.{os.getpid()}.part"
    try:
        for stale in final.parent.glob(f".{final.name}.*.part"):
            shutil.rmtree(stale, ignore_errors=True)  # left by a killed process: we hold the lock
        folder.mkdir(parents=True)
        yield folder
    except OSError as error:
        raise ModelError(f"the cache {final.parent} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, final: Path) -> None:
    """Make the finished `folder` appear as `final`, durably and at once; one that was first stays."""
    for path in [*folder.rglob("*"), folder]:
        _sync(path)
    if final.exists():  # damaged, or we would not be here: make room, in one step as well
        doomed = folder.with_suffix(".old")
        with suppress(OSError):
            final.replace(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    try:
        folder.replace(final)
    except OSError:
        if not final.is_dir():
            raise
    _sync(final.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
