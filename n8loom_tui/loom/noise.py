"""The noise that decides a draw: a number for each token, made of the branch's seed and the step and nothing else."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .kernels.native import Choosing, choosing
from .kernels.workspace import address
from .ranking import Tokens
from .seeds import GOLDEN, MASK

Values = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint64]


class _Scratch(threading.local):
    """The numbers 0, 1, 2 …, and two rows of as many bits, kept from one call to the next; and what is found there."""

    def __init__(self) -> None:
        self._rows: tuple[Bits, Bits, Bits] = (np.empty(0, np.uint64),) * 3
        self._found: Tokens = np.empty(0, np.int64)

    def rows(self, size: int) -> tuple[Bits, Bits, Bits]:
        if self._rows[0].size != size:
            numbers = np.arange(size, dtype=np.uint64)
            self._rows = (numbers, np.empty_like(numbers), np.empty_like(numbers))
        return self._rows

    def found(self, size: int) -> Tokens:
        """Room for so many token ids, and for how many they are."""
        if self._found.size <= size:
            self._found = np.empty(size + 1, np.int64)
        return self._found


_scratch = _Scratch()


def counters(seeds: Sequence[int], steps: Sequence[int]) -> Bits:
    """What the noise of each branch counts on from: token id t has the t-th number behind it."""
    kept = np.array([seed & MASK for seed in seeds], dtype=np.uint64)
    return _mixed(kept ^ _mixed(np.array(steps, dtype=np.uint64)))


def _mixed(x: Bits) -> Bits:
    """`seeds.mix` of every number."""
    x = x + np.uint64(GOLDEN)
    _scramble(x, np.empty_like(x))
    x ^= x >> np.uint64(31)
    return x


def _scramble(x: Bits, spare: Bits) -> Bits:
    """SplitMix64's finaliser on every number, in place, but for its last step."""
    x ^= np.right_shift(x, np.uint64(30), out=spare)
    return _scramble_on(x, spare)


def _scramble_on(x: Bits, spare: Bits) -> Bits:
    """What of `_scramble` comes behind its first step."""
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= np.right_shift(x, np.uint64(27), out=spare)
    x *= np.uint64(0x94D049BB133111EB)
    return x


def gumbel(counter: Bits | np.uint64, tokens: Tokens) -> Values:
    """Standard Gumbel noise for each token id. `counter` fits their shape."""
    x = tokens.astype(np.uint64)
    x += counter
    _scramble(x, np.empty_like(x))
    x ^= x >> np.uint64(31)
    uniform = (x >> np.uint64(12)).astype(np.float64) * 2.0**-52 + 2.0**-53
    return np.asarray(-np.log(-np.log(uniform)))


def loud(counter: np.uint64, size: int, noise: float) -> Tokens:
    """The token ids below `size` whose noise is at least `noise`, found without a logarithm each; some more perhaps.

    The last step of the finaliser leaves the upper 31 bits as they are, and those are enough here.
    """
    least = max(int(math.exp(-math.exp(-noise)) * 2.0**31) - 2, 0) << 33
    code = choosing()
    if code is not None:
        return _loud(code, int(counter), size, least)
    numbers, x, spare = _scratch.rows(size)
    np.add(numbers, counter, out=x)
    high = int(counter) >> 30
    if (
        int(counter) + size - 1
    ) >> 30 == high:  # and so it mostly is: the first step is the same for all numbers
        x ^= np.uint64(high)
        _scramble_on(x, spare)
    else:
        _scramble(x, spare)
    return np.flatnonzero(x >= np.uint64(least))


def _loud(code: Choosing, counter: int, size: int, least: int) -> Tokens:
    found = _scratch.found(size)
    code.loud(counter, size, least, address(found))
    return found[1 : found[0] + 1].copy()
