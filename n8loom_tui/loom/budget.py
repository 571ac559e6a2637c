"""What the budget for fragments leaves for the rows of a batch, for what they go on from, and for a step itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx

from .kernels.network import Network
from .rows import Joining, Rows
from .store import FragmentStore

LEAST_STEP = 1 << 18
"""Bytes that are left free for what a step takes by the way, until more is known."""
MARGIN = 16
"""This part of the budget is left free besides: steps differ."""
WEIGHED = 16
"""After how many steps it is counted anew how much memory is free."""


class Measured:
    """The most that steps have taken so far beside what they leave, in bytes, as far as MLX's peak has told:
    activations, logits, copies on their way.

    The peak is the process's, and never set back here: only a step that raises it tells anything. The first ones do,
    while little is held.
    """

    def __init__(self) -> None:
        self.nbytes = 0
        self._peak = self._active = 0

    def begin(self) -> None:
        """A step begins."""
        self._peak, self._active = mx.get_peak_memory(), mx.get_active_memory()

    def end(self) -> None:
        """It is done."""
        peak = mx.get_peak_memory()
        if peak > self._peak:
            self.nbytes = max(self.nbytes, peak - max(self._active, mx.get_active_memory()))


class Budget:
    """Counts what one engine's rows and steps take against a store's budget."""

    def __init__(self, network: Network | None) -> None:
        """`network`: what computes in the model's place, with memory of its own."""
        self._network = network
        self._measured = Measured()
        self._steps = 0

    def begin_step(self, store: FragmentStore) -> None:
        """Leave what a step takes free."""
        self._measured.begin()
        step = min(max(self._measured.nbytes, LEAST_STEP) + store.budget // MARGIN, store.budget // 2)
        store.headroom = step + (self._network.nbytes if self._network is not None else 0)

    def end_step(self, rows: Rows[Any], store: FragmentStore) -> None:
        """Count what the rows take by now, and learn."""
        self._steps += 1
        self.weigh(rows, store)
        if self._steps % WEIGHED == 0:
            self.allow(rows, store)
        self._measured.end()

    def weigh(self, rows: Rows[Any], store: FragmentStore) -> None:
        """Count what the rows take."""
        store.reserve(f"rows of {id(self)}", rows.nbytes)

    def allow(self, rows: Rows[Any], store: FragmentStore) -> None:
        """Say how much more the rows may take."""
        rows.room = max(0, store.budget - self.needed(rows, [], store)) // 2

    @staticmethod
    def needed(rows: Rows[Any], joining: Sequence[Joining[Any]], store: FragmentStore) -> int:
        """How many bytes are in use at most if these join, when all is dropped that nobody needs."""
        bound = store.bound()
        for one in joining:
            bound.add(one.path[:-1])
        more = rows.footprint(joining, store) - rows.nbytes
        return store.reserved + store.headroom + bound.nbytes + max(0, more)
