"""A team of threads that do parts of a step at the same time.

One thread leads through a step, and where work is large it shares it out: products by their outputs, so that no
weight is read by two cores, and attention by rows. The small work between it does by itself: two threads in small
calls at once mostly wait for each other's hold on the interpreter.

OpenBLAS's own threads (0.3.31) sometimes wait for each other for ever in `cblas_sgemm_batch`, and spin while they
wait. So within `shared_out` OpenBLAS is told to keep to the thread that calls it.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock, Thread
from typing import Any, TypeVar

from .blas import placed

T = TypeVar("T")
Task = Callable[[], Any]
WORTH_SHARING = 2_000_000
"""How many multiplications make it pay to wake another thread."""

_workers = 0
"""How many threads the team has now; 0 outside of `shared_out`."""
_sharing = RLock()
"""One thread at a time has the team."""


@contextmanager
def shared_out() -> Iterator[None]:
    """Within it work is shared out among as many threads of ours as OpenBLAS was set to use."""
    global _workers  # noqa: PLW0603 - as the setting that it stands for, it is the process's
    blas = placed()
    with _sharing:
        if blas is None or _workers:
            yield
            return
        _workers = max(1, int(blas.threads()))
        blas.set_threads(1)
        try:
            yield
        finally:
            blas.set_threads(_workers)
            _workers = 0


def parts_of(work: int) -> int:
    """Into how many parts so many multiplications are shared out."""
    return max(1, min(_workers, work // WORTH_SHARING))


class _Worker:
    """A thread that waits for tasks, without spinning."""

    def __init__(self) -> None:
        self._wake, self._done = allocate_lock(), allocate_lock()
        self._wake.acquire()
        self._done.acquire()
        self._task: Task = int
        self._result: Any = None
        self._error: BaseException | None = None
        Thread(target=self._serve, name="step", daemon=True).start()

    def begin(self, task: Task) -> None:
        self._task = task
        self._wake.release()

    def wait(self) -> Any:
        """What the task gave, or raise what it raised.

        It is waited for whatever happens on this thread meanwhile: it computes in memory that is in use.
        """
        interruption: BaseException | None = None
        while True:
            try:
                self._done.acquire()
                break
            except KeyboardInterrupt as error:
                interruption = error
        result, failed = self._result, self._error or interruption
        self._result = self._error = None
        if failed is not None:
            raise failed
        return result

    def _serve(self) -> None:
        while True:
            self._wake.acquire()
            try:
                self._result = self._task()
            except BaseException as error:  # noqa: BLE001 - it is raised where the task came from
                self._error = error
            self._task = int
            self._done.release()


_team: list[_Worker] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_team.clear)  # threads do not survive it


def side_by_side(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Do tasks at the same time, the first on this thread. Only within `shared_out`, if there are several.

    All of them are done when it returns or raises. It raises what one of them raised.
    """
    if len(tasks) == 1:
        return [tasks[0]()]
    others = tasks[1:]
    while len(_team) < len(others):
        _team.append(_Worker())
    workers = _team[: len(others)]
    for worker, task in zip(workers, others, strict=True):
        worker.begin(task)
    results: list[T] = []
    failed: list[BaseException] = []
    try:
        results.append(tasks[0]())
    except BaseException as error:  # noqa: BLE001 - raised below, when all are done
        failed.append(error)
    for worker in workers:
        try:
            results.append(worker.wait())
        except BaseException as error:  # noqa: BLE001
            failed.append(error)
    if failed:
        raise failed[0]
    return results
