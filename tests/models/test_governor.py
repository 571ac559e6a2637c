"""The number of threads follows what is faster."""

from __future__ import annotations

from n8loom_tui.models.governor import ThreadGovernor


class Machine:
    """Steps take as long as the number of threads in force makes them."""

    def __init__(self, seconds: dict[int, float]) -> None:
        self.seconds = seconds
        self.threads = 0
        self.governor = ThreadGovernor(list(seconds), self.set)

    def set(self, threads: int) -> None:
        self.threads = threads

    def run(self, steps: int, rows: int = 8) -> float:
        total = 0.0
        for _ in range(steps):
            seconds = self.seconds[self.threads]
            total += seconds
            self.governor.record(rows, seconds)
        return total


def test_it_keeps_all_cores_while_they_are_faster() -> None:
    machine = Machine({2: 0.07, 1: 0.09})
    took = machine.run(2000)
    assert machine.governor.threads == 2
    assert took < 2000 * 0.07 * 1.02


def test_it_gives_up_a_core_when_all_are_slower_and_takes_it_back() -> None:
    machine = Machine({2: 0.07, 1: 0.09})
    machine.run(200)
    machine.seconds = {2: 1.5, 1: 0.1}
    machine.run(12)
    assert machine.governor.threads == 1, "a sudden slowdown is answered within a few steps"
    machine.seconds = {2: 0.07, 1: 0.09}
    machine.run(400)
    assert machine.governor.threads == 2


def test_a_hopeless_trial_is_cut_short() -> None:
    machine = Machine({1: 0.1, 2: 2.0})
    assert machine.run(1000) < 1000 * 0.1 + 8 * 2 * 2.0
    assert machine.governor.threads == 1


def test_another_number_of_branches_is_not_taken_for_a_change_of_speed() -> None:
    machine = Machine({2: 0.07, 1: 0.09})
    machine.run(100, rows=8)
    machine.seconds = {2: 0.14, 1: 0.2}
    machine.run(300, rows=32)
    assert machine.governor.threads == 2


def test_a_number_that_was_asked_for_stays() -> None:
    machine = Machine({3: 0.1})
    machine.run(100)
    assert machine.threads == 3
