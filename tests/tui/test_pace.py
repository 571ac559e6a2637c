"""While keys come what streams is shown less often, but it is shown."""

from __future__ import annotations

import itertools

from n8loom_tui.tui.pace import AMID_KEYS, HANDS_ON, Pace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def shown(seconds: float, keys_every: float | None) -> list[float]:
    """When what streams is shown, asked a hundred times a second."""
    clock, times = Clock(), []
    pace, key_at = Pace(clock), 0.0
    for tick in range(round(seconds * 100)):
        clock.now = 100 + tick / 100
        if keys_every is not None and clock.now >= key_at:
            pace.key_came()
            key_at = clock.now + keys_every
        if pace.due():
            times.append(clock.now)
    return times


def test_without_keys_it_is_shown_whenever_it_may_be() -> None:
    assert len(shown(2, None)) == 200


def test_amid_keys_it_is_shown_less_often_and_never_waits_long() -> None:
    times = shown(3, 0.05)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert min(gaps) >= AMID_KEYS - 1e-9
    assert max(gaps) <= AMID_KEYS + 0.02


def test_after_the_last_key_it_is_as_before() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.key_came()
    assert pace.due()
    assert not pace.due()
    clock.now += HANDS_ON + 0.01
    assert pace.since_key > HANDS_ON
    assert pace.due()
    assert pace.due()
