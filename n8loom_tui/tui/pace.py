"""How often what streams is shown: a key that comes meanwhile has to wait for the picture that is being made."""

from __future__ import annotations

import time
from collections.abc import Callable

AMID_KEYS = 1 / 12
"""Seconds between two pictures of what streams while keys come. An answer to a key shows it too."""
HANDS_ON = 0.5
"""Seconds after a key in which the next one is likely to come."""


class Pace:
    """Knows when keys came, and what streams was shown."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key_at = self._shown_at = float("-inf")

    def key_came(self) -> None:
        """Somebody waits for an answer."""
        self._key_at = self._clock()

    @property
    def since_key(self) -> float:
        """Seconds."""
        return self._clock() - self._key_at

    def due(self) -> bool:
        """Whether what streams is to be shown now. If so, it is taken as shown."""
        now = self._clock()
        if now - self._key_at < HANDS_ON and now - self._shown_at < AMID_KEYS:
            return False
        self._shown_at = now
        return True
