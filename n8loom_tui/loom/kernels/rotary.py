"""Rotary positions, with the angles taken from the model's own module."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .workspace import Floats

TABLE_STEP = 1024
"""By how many positions the table grows."""


class Rotary:
    """Turns queries and keys as a module of the model does, whatever scheme it follows.

    All of them turn pairs of numbers by an angle (and may scale them); what turns and scales at a position is
    found out by giving the module pairs of (1, 0). Number `i` becomes `x[i] · cosine + x[partners[i]] · sine`.
    """

    def __init__(self, rope: Any, dim: int) -> None:
        self._rope = rope
        self._dim = dim
        turned = int(getattr(rope, "dims", getattr(rope, "dim", dim)))
        half = turned // 2
        numbers = np.arange(half)
        pairs = bool(getattr(rope, "traditional", False))
        self._first, self._second = (2 * numbers, 2 * numbers + 1) if pairs else (numbers, half + numbers)
        self.partners = np.arange(dim, dtype=np.int64)
        """`[dim]`."""
        self.partners[self._first], self.partners[self._second] = self._second, self._first
        self._cosines = self._sines = np.empty((0, dim), dtype=np.float32)

    @staticmethod
    def of(rope: Any, dim: int, known: list[Rotary]) -> Rotary:
        """The rotary positions of a module: one of those known if it does the same; else it is known from then on."""
        made = Rotary(rope, dim)
        made._grow(TABLE_STEP)
        for each in known:
            if each._does_the_same(made):
                return each
        known.append(made)
        return made

    def _does_the_same(self, other: Rotary) -> bool:
        return type(self._rope) is type(other._rope) and all(
            np.array_equal(mine, theirs)
            for mine, theirs in (
                (self.partners, other.partners),
                (self._cosines[:TABLE_STEP], other._cosines[:TABLE_STEP]),
                (self._sines[:TABLE_STEP], other._sines[:TABLE_STEP]),
            )
        )

    def angles(self, positions: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Cosines and sines, `[rows, dim]`."""
        most = int(positions.max(initial=0)) + 1
        if most > len(self._cosines):
            self._grow((most // TABLE_STEP + 1) * TABLE_STEP)
        return self._cosines[positions], self._sines[positions]

    def _grow(self, size: int) -> None:
        unit = np.zeros((1, 1, size, self._dim), dtype=np.float32)
        unit[..., self._first] = 1.0
        turned = np.array(self._rope(mx.array(unit), offset=0))[0, 0]
        self._cosines, self._sines = (np.zeros((size, self._dim), dtype=np.float32) for _ in range(2))
        self._cosines[:] = 1.0
        self._cosines[:, self._first] = self._cosines[:, self._second] = turned[:, self._first]
        self._sines[:, self._second] = turned[:, self._second]
        self._sines[:, self._first] = -turned[:, self._second]
