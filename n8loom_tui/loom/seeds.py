"""Seeds of branches. Plain Python: the side that asks for branches draws and records them."""

from __future__ import annotations

import secrets

GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def fresh_seed() -> int:
    """A seed for a branch that was given none."""
    return secrets.randbits(48)


def branch_seed(seed: int | None, index: int) -> int:
    """The seed of branch `index` of a request: derived from the request's seed, or fresh."""
    return fresh_seed() if seed is None else mix((seed & MASK) ^ mix(index)) >> 16


def mix(x: int) -> int:
    """SplitMix64's finaliser (Steele, Lea, Flood 2014), on one integer."""
    x = (x + GOLDEN) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)
