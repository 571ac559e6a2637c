"""The collector's work is done between two keys, and all of it is done in the end."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from n8loom_tui.garbage import no_collector
from n8loom_tui.tui.collector import (
    ANSWERED,
    OLD,
    QUIET,
    ROUNDS,
    ROUNDS_AT_LAST,
    YOUNG,
    YOUNG_AT_LAST,
    Collector,
)
from n8loom_tui.tui.pace import Pace


class Circle:
    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def done(
    monkeypatch: pytest.MonkeyPatch, counts: tuple[int, int, int], since_key: float | None
) -> list[int | None]:
    """What is collected if so much is there to be gone through, so long after a key."""
    clock, calls = Clock(), []
    pace = Pace(clock)
    collector = Collector(pace)
    if since_key is not None:
        pace.key_came()
        clock.now += since_key
    with monkeypatch.context() as patch:
        patch.setattr(gc, "get_count", lambda: counts)
        patch.setattr(gc, "collect", lambda *generation: calls.append(*generation or (None,)))
        collector.tend()
    return calls


@pytest.mark.parametrize(
    ("counts", "since_key", "wanted"),
    [
        ((YOUNG, 0, 0), None, [0]),
        ((YOUNG - 1, 0, 0), None, []),
        ((YOUNG, 0, 0), ANSWERED / 2, []),
        ((YOUNG, 0, 0), ANSWERED * 2, [0]),
        ((YOUNG_AT_LAST, 0, 0), ANSWERED / 2, [0]),
        ((5, ROUNDS, 0), ANSWERED * 2, [1]),
        ((5, ROUNDS, 0), ANSWERED / 2, []),
        ((5, ROUNDS_AT_LAST, 0), ANSWERED / 2, [1]),
        ((5, 0, OLD), ANSWERED * 2, []),
        ((5, 0, OLD), QUIET * 2, [None]),
        ((5, 0, OLD), None, [None]),
    ],
)
def test_it_waits_for_the_answer_to_a_key_unless_there_is_much(
    counts: tuple[int, int, int],
    since_key: float | None,
    wanted: list[int | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert done(monkeypatch, counts, since_key) == wanted


def test_circles_are_found_without_python_looking_for_them() -> None:
    collector = Collector(Pace(Clock()))
    circles = [weakref.ref(Circle()) for _ in range(2 * YOUNG)]
    assert circles[-1]() is not None, "Python's own collector went through them"
    for _ in range(20):
        collector.tend()
    assert not any(circle() for circle in circles)


def test_what_is_made_while_nobody_collects_is_not_gone_through_later() -> None:
    gc.unfreeze()
    with no_collector():
        kept = [[number] for number in range(1000)]
    known = {id(thing) for thing in gc.get_objects()}
    assert not any(id(thing) in known for thing in kept)
    assert gc.isenabled()
