"""How things are measured: contenders in turns, so that whatever else the machine does hits them alike.

Ratios are of medians over the same run. Single times on a shared machine say little; the ratios stay.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import mlx.core as mx

from n8loom_tui.models.device import available_memory

T = TypeVar("T")


class BenchError(Exception):
    """Something could not be measured. `str()` is one line."""


class Contender(Protocol):
    """Something whose steps are timed."""

    def round(self, steps: int) -> list[float]:
        """Do that many steps. Returns the seconds of each; nothing is left running."""
        ...


class Branches(Contender, Protocol):
    """Branches that are grown side by side."""

    def start(self) -> float:
        """Let them join. Returns the seconds until the first token of the last branch."""
        ...

    def close(self) -> None:
        """End what still runs."""
        ...


def interleaved(contenders: Sequence[Contender], rounds: int, steps: int) -> list[list[float]]:
    """The seconds of each contender's steps. They take turns, and who begins changes with every round."""
    times: list[list[float]] = [[] for _ in contenders]
    for number in range(rounds):
        for place in range(len(contenders)):
            index = (number + place) % len(contenders)
            times[index] += contenders[index].round(steps)
    return times


def in_turns(
    ways: Sequence[Callable[[], float]], rounds: int, tell: Callable[[int], object] = lambda _: None
) -> list[list[float]]:
    """As `interleaved`, for ways of doing something whole that time themselves. `tell` hears of each round."""
    times: list[list[float]] = [[] for _ in ways]
    for number in range(rounds):
        tell(number)
        for place in range(len(ways)):
            index = (number + place) % len(ways)
            times[index].append(ways[index]())
    return times


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def extra_memory(work: Callable[[], T]) -> tuple[T, int]:
    """What comes out, and how many bytes were needed at the most above those in use before.

    MLX's own count and NumPy's, each at its peak. Work runs slower meanwhile: nothing is timed in here.
    """
    gc.collect()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    tracemalloc.start()
    try:
        result = work()
        _, in_python = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return result, max(0, mx.get_peak_memory() - before) + in_python


def free_memory() -> int | None:
    """Bytes that may still be taken, as far as the system or the GPU tells."""
    free = available_memory()
    if free is not None:
        return free
    limit = mx.device_info().get("max_recommended_working_set_size")
    return int(limit) - mx.get_active_memory() if limit is not None else None


def forget() -> None:
    """Give back what nobody uses any more, between two measurements."""
    gc.collect()
    mx.clear_cache()
