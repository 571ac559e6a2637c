"""Programs: threads wait for each other where they must, nobody waits for one that will not come."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from n8loom_tui.loom.kernels import team
from n8loom_tui.loom.kernels.native import code
from n8loom_tui.loom.kernels.program import MOST_KEPT, Program, Programs
from n8loom_tui.loom.kernels.workspace import Workspace, address

pytestmark = pytest.mark.skipif(code() is None, reason="no code can be compiled for this processor")


def program(threads: int) -> Program:
    known = code()
    assert known is not None
    return Program(known, threads)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("rounds", [1, 40])
def test_what_a_thread_reads_behind_a_barrier_all_have_written(threads: int, rounds: int) -> None:
    """Each adds its neighbour's number to its own, round after round: any that ran ahead would change the sums."""
    width = 16
    table = np.arange(threads * width, dtype=np.float32).reshape(threads, width)
    other = np.zeros_like(table)
    wanted = table.astype(np.float64)
    made = program(threads)
    for _ in range(rounds):
        for source, into in ((table, other), (other, table)):
            for thread in range(threads):
                place, neighbour = into[thread], source[(thread + 1) % threads]
                made.add(thread, "bias", address(place), width, 1, width, address(neighbour))
            made.meet()
    made.finish()
    made.run()
    second = np.zeros_like(wanted)
    for _ in range(rounds):
        second += np.roll(wanted, -1, axis=0)
        wanted += np.roll(second, -1, axis=0)
    np.testing.assert_allclose(table, wanted, rtol=1e-5)


def test_a_program_runs_again_with_what_was_changed() -> None:
    out, ones, twos = np.zeros(8, np.float32), np.ones(8, np.float32), np.full(8, 2, np.float32)
    made = program(1)
    step = made.add(0, "bias", address(out), 8, 1, 8, address(ones))
    made.finish()
    made.run()
    made.change(0, [step], 4, np.array([[address(twos)]]))
    made.run()
    assert (out == 3).all()


def test_nobody_waits_for_a_thread_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    made = program(2)
    made.meet()
    made.finish()

    def interrupted(tasks: list[team.Task]) -> list[None]:
        def never() -> None:
            raise KeyboardInterrupt

        never.abort = tasks[0].abort  # type: ignore[attr-defined]
        return team.side_by_side([never, tasks[1]])

    monkeypatch.setattr("n8loom_tui.loom.kernels.program.side_by_side", interrupted)
    with pytest.raises(KeyboardInterrupt):
        made.run()
    monkeypatch.undo()
    done = threading.Event()

    def again() -> None:
        made.run()
        done.set()

    thread = threading.Thread(target=again, daemon=True)
    thread.start()
    assert done.wait(60)
    thread.join()


def test_programs_are_written_anew_when_a_buffer_that_they_use_was_given_up() -> None:
    space = Workspace()
    written: list[int] = []

    def write(size: int) -> int:
        place = address(space.take("room", size))
        written.append(size)
        return place

    programs = Programs(lambda: space.moves)
    small = programs.get("small", lambda: write(10))
    assert programs.get("small", lambda: write(10)) == small
    large = programs.get("large", lambda: write(10_000))
    assert programs.get("large", lambda: write(10_000)) == large
    now = programs.get("small", lambda: write(10))
    assert now == address(space.take("room", 10)) == large
    assert written.count(10_000) <= 2


def test_programs_that_were_not_in_use_for_long_are_forgotten() -> None:
    written: list[int] = []
    programs = Programs(lambda: 0)

    def write(number: int) -> list[int]:
        written.append(number)
        return [number]

    for number in range(MOST_KEPT + 1):
        programs.get(number, lambda number=number: write(number))
        programs.get(0, lambda: write(0))
    programs.get(1, lambda: write(1))
    assert written.count(0) == 1
    assert written.count(1) == 2
