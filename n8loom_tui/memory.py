"""How much memory there is to take."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def available_memory() -> int | None:
    """Bytes this process can still take: the system's free memory within its control group's limit.

    `None` where the system does not tell (only Linux does).
    """
    free: list[int] = []
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free.extend(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    with suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())  # "max" is no number: unlimited
        free.append(max(0, limit - int((group / "memory.current").read_text())))
    return min(free, default=None)
