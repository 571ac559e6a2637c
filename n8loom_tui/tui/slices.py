"""Long work on the UI's thread in slices, so that keys and paint come in between. Knows no widget.

Work is an iterator that yields often: after a few dozen microseconds, whatever it yields.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Generator, Iterator
from typing import Any

SLICE = 0.003
"""Seconds of work at a stretch."""
PAUSE = 0.001
"""Seconds for everybody else in between: a key takes several turns of the loop to become a picture."""


def advance(work: Iterator[object], seconds: float = SLICE) -> bool:
    """Work for this long. Whether the work is done."""
    until = time.perf_counter() + seconds
    return all(time.perf_counter() < until for _ in work)


class Spread(Awaitable[None]):
    """Work to the end, with pauses, once it is awaited. Unlike a coroutine it may be thrown away before that."""

    def __init__(self, work: Iterator[object]) -> None:
        self._work = work

    def __await__(self) -> Generator[Any, None, None]:
        return self._spread().__await__()

    async def _spread(self) -> None:
        while not advance(self._work):
            await asyncio.sleep(PAUSE)
