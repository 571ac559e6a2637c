"""What a step takes beside what it leaves: activations, logits, copies on their way. Learned from steps."""

from __future__ import annotations

import mlx.core as mx


class Measured:
    """The most that steps have taken so far, in bytes, as far as MLX's peak has told.

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
