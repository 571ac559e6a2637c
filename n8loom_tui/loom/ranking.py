"""Tokens in the order of their logits: the larger first, of equal ones the lower id first. In NumPy.

A logit and its token id are packed into one whole number, so that the usual sort of numbers, which is many times
faster than an order of indices, gives just that order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .kernels.native import interface

Logits = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
"""The better the token, the smaller the number."""

NOTHING = np.uint64(interface.NOTHING)
"""What stands where there is no token: behind all others, with minus infinity for a logit."""
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


def _turned(bits: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The bits of floats as numbers that fall where the floats rise, and back: it undoes itself."""
    return np.asarray(bits ^ (~(bits >> 31) & 0x7FFFFFFF))


def packed(logits: Logits, tokens: Tokens) -> Keys:
    """The keys of tokens, `[…]` each. No logit is NaN."""
    bits = (logits + np.float32(0)).view(np.int32)  # minus zero and zero are equal
    keys = _turned(bits).view(np.uint32).astype(np.uint64)
    keys <<= _HALF
    keys |= tokens.astype(np.uint64)
    return keys


def unpacked(keys: Keys) -> tuple[Logits, Tokens]:
    """The logits and the token ids of keys."""
    high = (keys >> _HALF).astype(np.uint32).view(np.int32)
    return _turned(high).view(np.float32), (keys & _LOW).astype(np.int64)


def arranged(keys: Keys, rows: Tokens, count: int) -> Keys:
    """Keys as a table of `count` rows, filled up with `NOTHING`. Key i goes to `rows[i]`, which never fall."""
    lengths = np.bincount(rows, minlength=count)
    table = np.full((count, int(lengths.max(initial=0))), NOTHING)
    table[rows, np.arange(rows.size) - (np.cumsum(lengths) - lengths)[rows]] = keys
    return table
