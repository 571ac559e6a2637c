"""Turns, percentiles, memory."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from n8loom_tui.bench.measure import extra_memory, in_turns, interleaved
from n8loom_tui.bench.results import Timing


class Counting:
    """A contender whose steps take its number of seconds, and who writes down when it was its turn."""

    def __init__(self, number: int, turns: list[int]) -> None:
        self.number = number
        self.turns = turns

    def round(self, steps: int) -> list[float]:
        self.turns.append(self.number)
        return [float(self.number)] * steps


def test_contenders_take_turns_and_nobody_always_begins() -> None:
    turns: list[int] = []
    contenders = [Counting(number, turns) for number in range(3)]
    assert interleaved(contenders, 3, 2) == [[0.0] * 6, [1.0] * 6, [2.0] * 6]
    assert turns == [0, 1, 2, 1, 2, 0, 2, 0, 1]


def test_whole_things_take_turns_too() -> None:
    turns: list[str] = []

    def way(name: str) -> float:
        turns.append(name)
        return float(len(turns))

    rounds: list[int] = []
    assert in_turns([lambda: way("a"), lambda: way("b")], 2, rounds.append) == [[1.0, 4.0], [2.0, 3.0]]
    assert turns == ["a", "b", "b", "a"]
    assert rounds == [0, 1]


@pytest.mark.parametrize(
    ("milliseconds", "median", "ninetieth"),
    [([5], 5, 5), ([1, 9], 5, 9), (list(range(1, 11)), 5.5, 9), (list(range(20, 0, -1)), 10.5, 18)],
)
def test_timing(milliseconds: list[int], median: float, ninetieth: float) -> None:
    timing = Timing.of([each / 1e3 for each in milliseconds])
    assert timing.median == pytest.approx(median)
    assert timing.p90 == pytest.approx(ninetieth)
    assert timing.longest == pytest.approx(max(milliseconds))
    assert timing.count == len(milliseconds)


def test_memory_of_mlx_and_of_numpy_counts_at_its_peak() -> None:
    size = 8 << 20

    def work() -> str:
        kept = mx.zeros(size // 4) + 1
        mx.eval(kept)
        del kept
        passing = np.ones(size // 4, np.float32)
        return f"{passing[0]:.0f}"

    outcome, needed = extra_memory(work)
    assert outcome == "1"
    assert 2 * size <= needed < 3 * size
