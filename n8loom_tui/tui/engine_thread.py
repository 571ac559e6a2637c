"""The engine's thread: requests go in, events come out, and nobody waits for it.

The thread loads the model, runs every step and frees everything. Both directions are deques of plain Python values; the
app drains what comes out at its own rate.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from n8loom_tui.loom.protocol import EngineStats, Event, Request
from n8loom_tui.models.errors import ModelError, one_line
from n8loom_tui.models.progress import Cancelled, Progress
from n8loom_tui.tui.backend import Backend, ModelInfo

ENGINE_NICENESS = 10
"""How far its threads step back before the screen's, where the system lets them. Further would leave it nothing beside
programs that take every core."""
STATS_EVERY = 0.25
"""Seconds between two snapshots of the engine while it works."""


@dataclass(frozen=True, slots=True)
class Loading:
    """How far the model is loaded."""

    progress: Progress


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is there; requests are served from now on."""

    info: ModelInfo


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """The model can't be had. One line says why and what to do."""

    message: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class EngineDied:
    """The engine broke in a way that it can't go on from."""

    message: str
    error: BaseException


Told = Event | Loading | Ready | LoadFailed | EngineDied


class EngineThread:
    """Runs a backend on a thread of its own."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._requests: deque[Request] = deque()
        self._told: deque[Told] = deque()
        self._wake = threading.Event()
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to load."""
        self._thread.start()

    def submit(self, request: Request) -> None:
        """Hand over a request. Before the model is there it waits."""
        self._requests.append(request)
        self._wake.set()

    def drain(self) -> Iterator[Told]:
        """What has been told since the last call."""
        for _ in range(len(self._told)):
            yield self._told.popleft()

    def leave(self) -> None:
        """Ask the thread to end, without waiting."""
        self._leaving.set()
        self._wake.set()

    def stop(self, timeout: float) -> bool:
        """Ask the thread to end, and wait up to `timeout` seconds. Whether it did."""
        self.leave()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        _step_back()
        try:
            if self._load():
                self._serve()
        except Exception as error:  # noqa: BLE001 - the app must learn of it, whatever it was
            self._told.append(
                EngineDied(f"the engine stopped: {one_line(error) or type(error).__name__}", error)
            )
        finally:
            self._backend.close()

    def _load(self) -> bool:
        def progress(made: Progress) -> None:
            if self._leaving.is_set():
                raise Cancelled
            self._told.append(Loading(made))

        try:
            info = self._backend.load(progress)
        except Cancelled:
            return False
        except ModelError as error:
            self._told.append(LoadFailed(str(error), error))
            return False
        except Exception as error:  # noqa: BLE001 - a model's code may raise anything
            message = f"the model could not be loaded: {one_line(error) or type(error).__name__}"
            self._told.append(LoadFailed(message, error))
            return False
        # What is loaded stays; the collector need not walk through it again and again while branches stream.
        gc.collect()
        gc.freeze()
        self._told.append(Ready(info))
        return True

    def _serve(self) -> None:
        backend = self._backend
        last = EngineStats()
        due = 0.0
        while True:
            self._wake.clear()
            if self._leaving.is_set():
                return
            while self._requests:
                backend.submit(self._requests.popleft())
            if backend.busy:
                self._told.extend(backend.step())
            now = time.monotonic()
            if now >= due or not backend.busy:
                stats = backend.stats()
                if stats != last:
                    self._told.append(stats)
                last, due = stats, now + STATS_EVERY
            if not backend.busy:
                self._wake.wait(backend.rest())


def _step_back() -> None:
    """Let the UI's thread go first when the cores are busy. The threads that MLX and the BLAS start from this one
    inherit it. Linux alone gives single threads a priority; elsewhere the scheduler does well enough."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), ENGINE_NICENESS)
