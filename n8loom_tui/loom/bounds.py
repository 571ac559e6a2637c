"""What the parameters of a request may be."""

from __future__ import annotations

import math
from typing import Any

MOST_ALTERNATIVES = 128
"""How many alternatives of a token can be asked for."""


def check_real(name: str, value: Any, low: float, high: float) -> None:
    """Raise ValueError unless a parameter is a number between these."""
    if not (isinstance(value, int | float) and math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} must lie between {low:g} and {high:g}, not {value!r}")


def check_whole(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Raise ValueError unless a parameter is a whole number between these."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
    if most is not None and value > most:
        raise ValueError(f"{name} must be a whole number of at most {most}, not {value!r}")
