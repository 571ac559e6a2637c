"""Rotary positions in NumPy, with the angles taken from the model's own module."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .workspace import Floats

TABLE_STEP = 1024
"""By how many positions the table grows."""


class Rotary:
    """Rotates queries and keys as a module of the model does, whatever scheme it follows.

    All of them turn pairs of numbers by an angle (and may scale them); what turns and scales at a position is
    found out by giving the module pairs of (1, 0).
    """

    def __init__(self, rope: Any, dim: int) -> None:
        self._rope = rope
        self._dim = dim
        self._pairs = bool(getattr(rope, "traditional", False))
        self._turned = int(getattr(rope, "dims", getattr(rope, "dim", dim)))
        self._table: npt.NDArray[np.complex64] = np.empty((0, self._turned // 2), dtype=np.complex64)

    def turns(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.complex64]:
        """For each position what its pairs are multiplied by, as complex numbers: `[rows, pairs]`."""
        most = int(positions.max(initial=0)) + 1
        if most > len(self._table):
            self._grow((most // TABLE_STEP + 1) * TABLE_STEP)
        return self._table[positions]

    def _grow(self, size: int) -> None:
        half = self._turned // 2
        first = slice(0, self._turned, 2) if self._pairs else slice(0, half)
        second = slice(1, self._turned, 2) if self._pairs else slice(half, self._turned)
        unit = np.zeros((1, 1, size, self._dim), dtype=np.float32)
        unit[..., first] = 1.0
        turned = np.array(self._rope(mx.array(unit), offset=0))[0, 0]
        table = np.empty((size, half), dtype=np.complex64)
        table.real, table.imag = turned[:, first], turned[:, second]
        self._table = table

    def rotate(self, x: Floats, turns: npt.NDArray[np.complex64], out: Floats) -> None:
        """`out = x` rotated; `[…, dim]` both, `turns` broadcast against the leading axes."""
        if self._pairs and self._turned == self._dim:
            np.multiply(x.view(np.complex64), turns, out=out.view(np.complex64))
            return
        if self._turned < self._dim:
            out[..., self._turned :] = x[..., self._turned :]
        half = self._turned // 2
        if self._pairs:
            first, second = slice(0, self._turned, 2), slice(1, self._turned, 2)
        else:
            first, second = slice(0, half), slice(half, self._turned)
        cos, sin = turns.real, turns.imag
        a, b = x[..., first], x[..., second]
        out[..., first] = a * cos - b * sin
        out[..., second] = a * sin + b * cos
