"""Sizes in bytes, as people write them."""

from __future__ import annotations

import re

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """How many bytes `500M`, `2G`, `1.5GB`, `512MiB` or `800000000` are.

    Raises:
        ValueError: it is no size, or none at all.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None or (match[3] and not match[2]):
        raise ValueError(f"{text!r} is not a size; write it like 500M, 2G or 800000000")
    unit = match[2].upper()
    factor = _UNITS[unit] if not match[3] else 1024 ** ("KMGT".index(unit) + 1)
    size = int(float(match[1]) * factor)
    if size == 0:
        raise ValueError(f"{text!r} is no memory at all; write a size like 500M or 2G")
    return size
