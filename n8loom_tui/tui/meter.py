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


class BranchMeter:
    """The speed of one branch, which is looked at now and then."""

    def __init__(self) -> None:
        self._branch = ""
        self._seen: deque[tuple[float, int]] = deque()

    def look(self, branch: str, tokens: int, now: float) -> None:
        """This branch has so many tokens now. Another branch begins anew."""
        if branch != self._branch:
            self._branch = branch
            self._seen.clear()
        if not self._seen or self._seen[-1][1] != tokens:
            self._seen.append((now, tokens))
        while len(self._seen) > 2 and now - self._seen[0][0] > WINDOW:
            self._seen.popleft()

    def rate(self) -> float | None:
        """Tokens per second; None until there is enough to tell."""
        if len(self._seen) < 3:
            return None
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        return (last - first) / (ended - began) if ended > began else None
