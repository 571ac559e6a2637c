"""The cycle collector, at work while nobody waits for the screen.

Python's own looks through what was made of late wherever one object too many is made: amid the answer to a key, and
through some 100,000 objects of branches that stream, which takes longer than to paint the screen. Here it looks through
few at a time, between two keys. Hardly anything in this program hangs in circles.
"""

from __future__ import annotations

import gc

from .pace import Pace

EVERY = 1 / 20
"""Seconds between two looks at whether there is something to do."""
ANSWERED = 0.05
"""Seconds after which a key has been answered."""
QUIET = 5.0
"""Seconds without a key after which somebody does not wait for the next one."""
YOUNG, YOUNG_AT_LAST = 2_000, 20_000
"""Of how many new objects it looks through them between two keys, and of how many in any case."""
ROUNDS, ROUNDS_AT_LAST = 4, 20
"""After how many such looks it goes through what was left of them: between two keys, and in any case."""
OLD = 200
"""After how many of these it looks through all that was made since the last time, while it is quiet."""
BACKSTOP = 200_000, 50, 1_000
"""Python's own thresholds, for what is made while the screen is held up."""


class Collector:
    """Does the collector's work in small parts."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        gc.set_threshold(*BACKSTOP)

    def tend(self) -> None:
        """Do what there is to do, if it is the moment for it."""
        since = self._pace.since_key
        young, rounds, old = gc.get_count()
        if young >= (YOUNG if since > ANSWERED else YOUNG_AT_LAST):
            gc.collect(0)
        elif rounds >= (ROUNDS if since > ANSWERED else ROUNDS_AT_LAST):
            gc.collect(1)
        elif old >= OLD and since > QUIET:
            gc.collect()
            gc.freeze()  # what is still there stays: the next time it need not be gone through again
