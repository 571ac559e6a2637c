"""A team of threads that do one step together, each in a lane of its own.

A lane has a share of the rows, whose attention it computes by itself, and a share of all weights, which it applies
to the rows of all lanes: so no weight is read by two cores. Lanes meet where one needs what the others have done,
four times a layer. OpenBLAS's own threads (0.3.31) would meet at every
product, spin while they wait, and sometimes wait for each other for ever in `cblas_sgemm_batch`; so within
`shared_out` OpenBLAS is told to keep to the thread that calls it.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from threading import RLock, Thread
from time import sleep
from typing import Any, TypeVar

from .blas import placed

T = TypeVar("T")
Task = Callable[[], Any]
APIECE = 2
"""With fewer rows for each of them another thread does not pay."""
LOOKS = 200
"""How often a lane looks whether another one is there before it goes to sleep: for some 0.1 ms."""

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


class _Worker:
    """A thread that waits for tasks, without spinning."""

    def __init__(self) -> None:
        self._wake, self._done = allocate_lock(), allocate_lock()
        self._wake.acquire()
        self._done.acquire()
        self._task: Task = int
        self._result: Any = None
        self._error: BaseException | None = None
        Thread(target=self._serve, name="lane", daemon=True).start()

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
        raise next((error for error in failed if not isinstance(error, LaneFailed)), failed[0])
    return results


class _Meeting:
    """Where so many lanes wait for each other, again and again."""

    def __init__(self, lanes: int) -> None:
        self._lanes = range(lanes)
        self._turns = [0] * lanes
        # One lock from each lane to each other, for meetings of even and of odd number.
        self._locks = [[[allocate_lock() for _ in self._lanes] for _ in self._lanes] for _ in range(2)]
        for lock in self._all():
            lock.acquire()
        self._failed = False

    def _all(self) -> Iterator[Any]:
        return (lock for turn in self._locks for row in turn for lock in row)

    def meet(self, number: int) -> None:
        """Wait until every lane is here.

        Raises:
            LaneFailed: one never will be.
        """
        locks = self._locks[self._turns[number]]
        self._turns[number] = 1 - self._turns[number]
        others = [other for other in self._lanes if other != number]
        for other in others:
            with suppress(RuntimeError):  # it is open already where a lane has failed
                locks[number][other].release()
        for other in others:
            _open(locks[other][number])
        if self._failed:
            raise LaneFailed("a part of the step that was done beside this one has failed")

    def fail(self) -> None:
        """Let nobody wait for a lane that has failed."""
        self._failed = True
        for lock in self._all():
            with suppress(RuntimeError):  # it is open already
                lock.release()


def _open(lock: Any) -> None:
    """Get through a lock. The other lane is seldom far, and to be woken takes longer than to look a few times."""
    for _ in range(LOOKS):
        if lock.acquire(False):
            return
        sleep(0)  # the other one needs the interpreter, too
    lock.acquire()


class LaneFailed(RuntimeError):
    """Another lane of the same step has failed."""


@dataclass(frozen=True, slots=True)
class Lane:
    """What one of `count` threads has of a step: the rows from `low` up to `high`."""

    number: int
    count: int
    low: int
    high: int
    _meeting: _Meeting | None = None

    def __len__(self) -> int:
        return self.high - self.low

    @property
    def rows(self) -> slice:
        """Its rows."""
        return slice(self.low, self.high)

    def meet(self) -> None:
        """Wait until the other lanes are here, too: what each did before, all find done."""
        if self._meeting is not None:
            self._meeting.meet(self.number)

    def fail(self) -> None:
        """Let the other lanes know that this one will not come."""
        if self._meeting is not None:
            self._meeting.fail()


def lanes_for(rows: int) -> list[Lane]:
    """The lanes for so many rows: as many as are of use."""
    count = max(1, min(_workers, rows // APIECE))
    meeting = _Meeting(count) if count > 1 else None
    bounds = pairwise(rows * share // count for share in range(count + 1))
    return [Lane(number, count, low, high, meeting) for number, (low, high) in enumerate(bounds)]


def in_lanes(lanes: Sequence[Lane], work: Callable[[Lane], None]) -> None:
    """Do a step's work in all of its lanes. Only within `shared_out`, if there are several."""
    side_by_side([partial(_run, lane, work) for lane in lanes])


def _run(lane: Lane, work: Callable[[Lane], None]) -> None:
    try:
        work(lane)
    except BaseException:
        lane.fail()
        raise
