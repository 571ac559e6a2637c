"""Long work on the UI's thread in slices, so that keys and paint come in between. Knows no widget.

Work is an iterator that yields often: after a few dozen microseconds, whatever it yields.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

SLICE = 0.003
"""Seconds of work at a stretch."""
PAUSE = 0.001
"""Seconds for everybody else in between: a key takes several turns of the loop to become a picture."""


def advance(work: Iterator[object], seconds: float = SLICE) -> bool:
    """Work for this long. Whether the work is done."""
    until = time.perf_counter() + seconds
    return all(time.perf_counter() < until for _ in work)


async def spread(work: Iterator[object]) -> None:
    """Work to the end, with pauses."""
    while not advance(work):
        await asyncio.sleep(PAUSE)
