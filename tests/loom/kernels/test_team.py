"""Tasks side by side: all are done before anything goes on, and what one raises is raised where they came from."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from n8loom_tui import threads as setting
from n8loom_tui.loom.kernels import team
from n8loom_tui.loom.kernels.team import WORTH_SHARING, rows_apart, shared_out, side_by_side


@pytest.fixture
def threads_of_ours() -> None:
    """None, unless a test has them: it is tried here how they come and go."""


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_tasks_run_at_the_same_time_the_first_on_this_thread(count: int) -> None:
    everybody = threading.Barrier(count)
    threads: list[threading.Thread] = []

    def task(number: int) -> int:
        everybody.wait(timeout=60)
        threads.append(threading.current_thread())
        return number

    for _ in range(3):
        threads.clear()
        with shared_out():
            assert side_by_side([lambda n=number: task(n) for number in range(count)]) == list(range(count))
        assert len(set(threads)) == count
        assert threading.current_thread() in threads


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_what_a_task_raises_is_raised_when_all_are_done(failing: int) -> None:
    done: list[int] = []
    begun = threading.Event()

    def task(number: int) -> None:
        if number == failing:
            begun.set()
            raise ValueError(f"task {number}")
        assert begun.wait(timeout=60)
        done.append(number)

    def tasks(numbers: list[int]) -> None:
        with shared_out():
            side_by_side([lambda n=number: task(n) for number in numbers])

    with pytest.raises(ValueError, match=f"task {failing}"):
        tasks([failing, *(n for n in range(3) if n != failing)])
    assert sorted(done) == [number for number in range(3) if number != failing]
    with shared_out():
        assert side_by_side([lambda: 1, lambda: 2, lambda: 3]) == [1, 2, 3]


class Meddling:
    """A lock that does something when it is waited for."""

    def __init__(self, lock: Any, before: Callable[[], None], after: Callable[[], None]) -> None:
        self._lock, self._before, self._after = lock, before, after

    def acquire(self) -> None:
        self._before()
        assert self._lock.acquire(timeout=10), "it is waited for in vain"
        self._after()

    def locked(self) -> bool:
        return bool(self._lock.locked())

    def release(self) -> None:
        self._lock.release()


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A team of two that no other test has."""
    fresh = [team._Worker(), team._Worker()]
    monkeypatch.setattr(team, "_team", fresh)
    return fresh


def interrupt_once() -> Callable[[], None]:
    """What raises as a key does that interrupts the program, at its first call."""
    times = iter([1])

    def interrupt() -> None:
        if next(times, 0):
            raise KeyboardInterrupt

    return interrupt


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupt_while_tasks_are_waited_for_is_raised_when_all_are_done(
    when: str, workers: list[Any]
) -> None:
    """Also where it comes when the last is done, and before anybody has noticed."""
    waited = threading.Event()
    interrupt = interrupt_once()
    done: list[int] = []

    def before() -> None:
        waited.set()
        if when == "before":
            interrupt()

    for worker in workers:
        worker._done = Meddling(worker._done, before, interrupt if when == "after" else lambda: None)

    def task(number: int) -> None:
        assert waited.wait(timeout=60)
        done.append(number)

    with shared_out():
        with pytest.raises(KeyboardInterrupt):
            side_by_side([lambda: None, lambda: task(1), lambda: task(2)])
        assert sorted(done) == [1, 2]
        assert side_by_side([lambda: 1, lambda: 2, lambda: 3]) == [1, 2, 3]


@pytest.mark.parametrize("handed_over", [False, True])
def test_an_interrupt_while_tasks_are_handed_out_leaves_none_behind(
    handed_over: bool, workers: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = threading.Event()
    done: list[int] = []
    for worker in workers:
        worker._done = Meddling(worker._done, waited.set, lambda: None)
    interrupt, release = interrupt_once(), team._open

    def opened(lock: Any) -> None:
        if lock is workers[1]._wake:
            if handed_over:
                release(lock)
            interrupt()
        release(lock)

    def task(number: int) -> None:
        assert waited.wait(timeout=60)
        done.append(number)

    monkeypatch.setattr(team, "_open", opened)
    with shared_out():
        with pytest.raises(KeyboardInterrupt):
            side_by_side([lambda: None, lambda: task(1), lambda: task(2)])
        assert sorted(done) == [1, 2]
        assert side_by_side([lambda: 1, lambda: 2, lambda: 3]) == [1, 2, 3]


def test_an_interrupt_while_the_others_are_told_that_one_failed_ends_their_waiting_all_the_same(
    workers: list[Any],
) -> None:
    interrupt = interrupt_once()
    told = threading.Event()
    done: list[int] = []

    def failing() -> None:
        raise ValueError("it failed")

    def waiting() -> None:
        assert told.wait(timeout=10), "nobody said that there is nothing to wait for"
        done.append(1)

    def abort() -> None:
        interrupt()
        told.set()

    waiting.abort = abort  # type: ignore[attr-defined]
    with shared_out():
        with pytest.raises(ValueError, match="it failed"):
            side_by_side([failing, waiting])
        assert done == [1]
        assert side_by_side([lambda: 1, lambda: 2]) == [1, 2]


FORKED = """
import os, signal, threading
from n8loom_tui.loom.kernels.team import shared_out, side_by_side

has, leave = threading.Event(), threading.Event()

def have():
    with shared_out():
        side_by_side([lambda: 1, lambda: 2])
        has.set()
        leave.wait()

threading.Thread(target=have).start()
has.wait()
child = os.fork()
if not child:
    signal.alarm(30)
    with shared_out():
        os._exit(0 if side_by_side([lambda: 1, lambda: 2]) == [1, 2] else 1)
leave.set()
raise SystemExit(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_process_has_a_team_of_its_own_whoever_had_it_before() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        timeout=120,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
@pytest.mark.parametrize("rows", [1, 2, 7, 32])
def test_every_row_is_in_one_share_and_no_share_is_empty(
    workers: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team._mine, "workers", workers)
    shares = rows_apart(rows, 100 * WORTH_SHARING)
    assert [row for low, high in shares for row in range(low, high)] == list(range(rows))
    assert all(low < high for low, high in shares)
    assert len(shares) == min(workers, rows)
    assert rows_apart(rows, 0) == [(0, rows)]


def test_work_is_shared_out_among_as_many_threads_as_are_to_compute() -> None:
    before = setting.number()
    try:
        setting.use(2)
        with shared_out():
            assert team._mine.workers == 2
            setting.use(3)
            with shared_out():
                assert team._mine.workers == 2
            assert team._mine.workers == 2
        assert team._mine.workers == 0
        with pytest.raises(ValueError, match="broken"), shared_out():
            raise ValueError("broken")
        assert team._mine.workers == 0
        with shared_out():
            assert team._mine.workers == 3
    finally:
        setting.use(before)


def test_who_does_not_have_the_team_shares_nothing_out_while_another_thread_has_it() -> None:
    shares: list[Any] = []
    with shared_out():
        other = threading.Thread(target=lambda: shares.append(rows_apart(32, 100 * WORTH_SHARING)))
        other.start()
        other.join()
    assert shares == [[(0, 32)]], "tasks of both at once would take each other's place"
