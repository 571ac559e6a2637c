"""Tasks side by side: all are done before anything goes on, and what one raises is raised where they came from."""

from __future__ import annotations

import threading

import pytest

from n8loom_tui.loom.kernels import blas, team
from n8loom_tui.loom.kernels.apart import rows_apart
from n8loom_tui.loom.kernels.team import WORTH_SHARING, shared_out, side_by_side

needs_blas = pytest.mark.skipif(blas.placed() is None, reason="no OpenBLAS was placed in this process")


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
        side_by_side([lambda n=number: task(n) for number in numbers])

    with pytest.raises(ValueError, match=f"task {failing}"):
        tasks([failing, *(n for n in range(3) if n != failing)])
    assert sorted(done) == [number for number in range(3) if number != failing]
    assert side_by_side([lambda: 1, lambda: 2, lambda: 3]) == [1, 2, 3]


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
@pytest.mark.parametrize("rows", [1, 2, 7, 32])
def test_every_row_is_in_one_share_and_no_share_is_empty(
    workers: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team, "_workers", workers)
    shares = rows_apart(rows, 100 * WORTH_SHARING)
    assert [row for low, high in shares for row in range(low, high)] == list(range(rows))
    assert all(low < high for low, high in shares)
    assert len(shares) == min(workers, rows)
    assert rows_apart(rows, 0) == [(0, rows)]


@needs_blas
def test_work_is_shared_out_and_openblas_has_its_threads_back() -> None:
    """The fixture shares out already: within it OpenBLAS keeps to one thread, and so it does further in."""
    found = blas.placed()
    assert found is not None
    assert found.threads() == 1
    with shared_out():
        assert found.threads() == 1
    assert found.threads() == 1
    assert team._workers >= 1
