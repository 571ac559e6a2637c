"""From a hub id to a folder: what is in the hub's cache is used as it is, the rest is downloaded."""

from __future__ import annotations

import json
import queue
import re
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from n8loom_tui.models.checks import missing_from
from n8loom_tui.models.errors import ModelError, one_line
from n8loom_tui.models.hub_worker import PATTERNS
from n8loom_tui.models.progress import Progress, ProgressCallback, Stage, ignore
from n8loom_tui.models.quiet import quiet

_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
_POLL = 0.1  # seconds
_FIRST_ANSWER = 40.0  # seconds until the hub must have answered
_STALL = 300.0  # seconds without a byte


def is_hub_id(name: str) -> bool:
    """Whether `name` looks like OWNER/NAME."""
    return _ID.fullmatch(name) is not None and ".." not in name


def folder_for(repository: str, progress: ProgressCallback = ignore) -> Path:
    """The local folder of a hub model, downloaded if need be.

    Raises ModelError: unknown, gated, unreachable; lets `Cancelled` pass, after stopping the download.
    """
    cached = _cached(repository)
    return cached if cached is not None else _download(repository, progress)


def _cached(repository: str) -> Path | None:
    """The complete model in the hub's cache, found without the network; `None` if it is not there."""
    with quiet():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError

        try:
            folder = Path(snapshot_download(repository, allow_patterns=list(PATTERNS), local_files_only=True))
        except (OSError, HFValidationError):  # what the cache lacks comes as a FileNotFoundError
            return None
    # Other programs fetch parts of a model, a tokenizer alone for one.
    return None if missing_from(folder) else folder


def _download(repository: str, progress: ProgressCallback) -> Path:
    """Run the worker and pass on what it says."""
    process = subprocess.Popen(
        [sys.executable, "-m", "n8loom_tui.models.hub_worker", repository],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_pump, args=(process, lines), daemon=True).start()
    try:
        return _follow(repository, lines, progress)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()


def _pump(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    with process.stdout as output:
        for line in output:
            lines.put(line)
    lines.put(None)


def _follow(repository: str, lines: queue.Queue[str | None], progress: ProgressCallback) -> Path:
    """Report until the worker's last word. Its silence ends in an error, never in a hang."""
    state = Progress(Stage.DOWNLOAD, 0, None, repository)
    heard, limit = time.monotonic(), _FIRST_ANSWER
    while True:
        progress(state)
        try:
            line = lines.get(timeout=_POLL)
        except queue.Empty:
            if time.monotonic() - heard > limit:
                raise _refusal(repository, "the hub does not answer") from None
            continue
        if line is None:
            raise _refusal(repository, "the download ended early")
        heard, limit = time.monotonic(), _STALL
        try:
            said = json.loads(line)
        except ValueError:
            continue  # a library's chatter
        match said:
            case {"path": str(path)}:
                return Path(path)
            case {"error": str(text)}:
                raise _refusal(repository, text)
            case {"done": int(done), "total": int(total)}:
                state = Progress(Stage.DOWNLOAD, max(done, state.done), total, repository)


def _refusal(repository: str, why: str) -> ModelError:
    return ModelError(
        f"{repository!r} is no file or folder here, and cannot be had from the hub: {one_line(why)}"
    )
