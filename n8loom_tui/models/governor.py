"""How many threads are best just now, found by trying while the model runs.

With the machine to itself a step is fastest with every core. As soon as another program wants a core, threads that
wait for each other at every product lose more than they gain, and OpenBLAS's, which spin, can take twenty times as
long for a step; one core less is then faster. No number is right for both, so the governor times the steps, now and
then tries the other number for a few of them, and keeps what is faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

TRIAL = 4
"""Steps of a trial; the first one, in which threads wake or go to sleep, does not count."""
FIRST_TRIAL_AFTER = 4
PERIOD = 120
LONGEST_PERIOD = 1920
"""Steps between two trials; doubled each time a trial changes nothing."""
BETTER = 0.93
"""A trial must take less than this share of the time to change the number."""
HOPELESS = 1.6
"""A trial step that takes this many times as long ends the trial."""


class ThreadGovernor:
    """Chooses among numbers of threads. Call `record` after every decoding step."""

    def __init__(self, choices: Sequence[int], set_threads: Callable[[int], object]) -> None:
        """`choices` are tried in turn, the first one first."""
        self._choices = list(dict.fromkeys(choices))
        self._set = set_threads
        self._index = 0
        self._trial: int | None = None
        self._rows = 0
        self._times: list[float] = []
        self._trial_times: list[float] = []
        self._wait = FIRST_TRIAL_AFTER
        self._period = PERIOD
        set_threads(self._choices[0])

    @property
    def threads(self) -> int:
        """The number in force, trials aside."""
        return self._choices[self._index]

    def record(self, rows: int, seconds: float) -> None:
        """A step of `rows` branches took `seconds`."""
        if len(self._choices) < 2:
            return
        if rows != self._rows:
            self._rows = rows
            self._end_trial(keep=False)
            self._times.clear()
            self._wait = max(self._wait, FIRST_TRIAL_AFTER)
            return
        if self._trial is not None:
            self._in_trial(seconds)
            return
        self._times = [*self._times[-7:], seconds]
        self._wait -= 1
        slow = len(self._times) == 8 and min(self._times[-3:]) > HOPELESS * min(self._times)
        if self._wait <= 0 or slow:
            self._trial = (self._index + 1) % len(self._choices)
            self._trial_times.clear()
            self._set(self._choices[self._trial])

    def _in_trial(self, seconds: float) -> None:
        self._trial_times.append(seconds)
        usual = median(self._times)
        counted = self._trial_times[1:]
        if counted and counted[-1] > HOPELESS * usual:
            self._end_trial(keep=False)
        elif len(counted) >= TRIAL - 1:
            self._end_trial(keep=median(counted) < BETTER * usual)

    def _end_trial(self, keep: bool) -> None:
        if self._trial is None:
            return
        if keep:
            self._index = self._trial
            self._period = PERIOD
            self._times.clear()
        else:
            self._set(self._choices[self._index])
            self._period = min(self._period * 2, LONGEST_PERIOD)
        self._trial = None
        self._wait = self._period
