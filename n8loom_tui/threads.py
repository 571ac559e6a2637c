"""How many threads are to compute at the same time on the CPU: one setting of the process."""

from __future__ import annotations

_number = 1


def number() -> int:
    """The setting, at least 1."""
    return _number


def use(count: int) -> None:
    """Compute with so many threads from the next step on."""
    global _number  # noqa: PLW0603 - the process's setting
    _number = max(1, count)
