"""Tokens per second over the last moments."""

from __future__ import annotations

from collections import deque

WINDOW = 3.0
"""Seconds that count."""


class RateMeter:
    """Counts tokens as they arrive."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def reset(self) -> None:
        """Forget everything: a new run begins."""
        self._seen.clear()

    def add(self, count: int, now: float) -> None:
        """`count` tokens arrived at `now` (seconds of a monotonic clock)."""
        self._seen.append((now, count))
        while self._seen and now - self._seen[0][0] > WINDOW:
            self._seen.popleft()

    def rate(self) -> float | None:
        """Tokens per second; None until there is enough to tell. The first arrival only starts the clock."""
        if len(self._seen) < 3:
            return None
        elapsed = self._seen[-1][0] - self._seen[0][0]
        return sum(count for _, count in list(self._seen)[1:]) / elapsed if elapsed > 0 else None
