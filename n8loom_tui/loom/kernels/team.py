"""A team of threads that do parts of a step at the same time.

One thread leads through a step, and where work is large it shares it out: a program of compiled code, which all go
through without the interpreter, or the choice of tokens, by rows. What is small it does by itself: two threads in
small calls at once mostly wait for each other's hold on the interpreter.

Between tasks none of them spins, and within a program, where they meet, none does for long, so that another program
on the same cores costs no more than its share.
"""

from __future__ import annotations

import os
from _thread import LockType, allocate_lock
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock, Thread, local
from typing import Any, TypeVar

from n8loom_tui import threads

T = TypeVar("T")
Task = Callable[[], Any]
WORTH_SHARING = 2_000_000
"""How many multiplications make it pay to wake another thread."""

_sharing = RLock()
"""One thread at a time has the team."""


class _Mine(local):
    """How many threads the team has for the thread that asks; 0 for whoever does not have it."""

    workers = 0


_mine = _Mine()


@contextmanager
def shared_out() -> Iterator[None]:
    """Within it this thread's work is shared out among as many threads as are to compute."""
    with _sharing:
        if _mine.workers:
            yield
            return
        try:
            _mine.workers = threads.number()
            yield
        finally:
            _mine.workers = 0


def rows_apart(rows: int, work: int) -> Sequence[tuple[int, int]]:
    """Rows in as many shares as `work` multiplications are worth: from which to which. The larger ones are last."""
    parts = min(parts_of(work), rows)
    return [(rows * part // parts, rows * (part + 1) // parts) for part in range(parts)]


def parts_of(work: int) -> int:
    """Into how many parts so many multiplications are shared out."""
    return max(1, min(_mine.workers, work // WORTH_SHARING))


class _Worker:
    """A thread that waits for tasks, without spinning.

    Its task says whether it is done: None, then. The locks only wake whoever waits, so that an interrupt, which may
    come between any two steps of the thread that leads, leaves nothing that is waited for in vain.
    """

    def __init__(self) -> None:
        self._wake, self._done = allocate_lock(), allocate_lock()
        self._wake.acquire()
        self._done.acquire()
        self._task: Task | None = None
        self._told = True
        self._result: Any = None
        self._error: BaseException | None = None
        Thread(target=self._serve, name="step", daemon=True).start()

    def begin(self, task: Task) -> None:
        self._result = self._error = None
        self._told, self._task = False, task
        self._tell()

    def _tell(self) -> None:
        _open(self._wake)
        self._told = True

    def wait(self) -> None:
        """Return when the task is done, if there is one."""
        while self._task is not None:
            if not self._told:
                self._tell()
            self._done.acquire()

    def outcome(self) -> tuple[Any, BaseException | None]:
        """What the task gave, or what it raised."""
        result, failed = self._result, self._error
        self._result = self._error = None
        return result, failed

    def _serve(self) -> None:
        while True:
            self._wake.acquire()
            self._work()
            _open(self._done)

    def _work(self) -> None:
        """Do the task, if there is one. Nothing of it is held any more when this returns."""
        if self._task is not None:
            try:
                self._result = self._task()
            except BaseException as error:  # noqa: BLE001 - it is raised where the task came from
                self._error = error
                getattr(self._task, "abort", _nothing)()
            self._task = None


def _open(lock: LockType) -> None:
    """Release a lock, if it isn't. For the one thread that releases it."""
    if lock.locked():
        lock.release()


_team: list[_Worker] = []


def _alone() -> None:
    """In a process that was forked: no other thread is left, neither the team nor whoever had it."""
    global _sharing  # noqa: PLW0603 - as the team, it is the process's
    _team.clear()
    _sharing = RLock()
    _mine.workers = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_alone)


def _nothing() -> None:
    """What most tasks have to do when another one fails."""


def side_by_side(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Do tasks at the same time, the first on this thread. Only within `shared_out`, if there are several.

    All of them are done when it returns or raises. It raises what one of them raised. A task that waits for another
    one must have an `abort`, which ends its waiting: it is called if one of them fails.
    """
    if len(tasks) == 1:
        return [tasks[0]()]
    others = tasks[1:]
    while len(_team) < len(others):
        _team.append(_Worker())
    workers = _team[: len(others)]
    results: list[T] = []
    failed: list[BaseException] = []
    try:
        for worker, task in zip(workers, others, strict=True):
            worker.begin(task)
        results.append(tasks[0]())
    except BaseException as error:  # noqa: BLE001 - raised below, when all are done
        failed.append(error)
    while True:  # they are waited for whatever happens on this thread: they compute in memory that is in use
        try:
            for task in tasks if failed else ():
                getattr(task, "abort", _nothing)()
            for worker in workers:
                worker.wait()
            break
        except BaseException as error:  # noqa: BLE001
            failed.append(error)
    for result, raised in [worker.outcome() for worker in workers]:
        results.append(result)
        if raised is not None:
            failed.append(raised)
    if failed:
        raise failed[0]
    return results
