"""Lines that the app shows for a moment."""

from __future__ import annotations

import time

from .contrast import Readable
from .widgets.sanitize import visible

SAID = 4.0
"""Seconds within which the same line is not shown again."""
LOW_SCREEN = 24
"""Up to so many rows a notice lies over what a dialog asks."""


class Noticing(Readable[int], inherit_bindings=False):
    """An app that tells its notices.

    Attributes:
        told: the last one, and when.
    """

    told: tuple[str, float] = ("", 0.0)

    def tell(self, message: str, severity: str = "information") -> None:
        """Show a line for a moment. What was said just now is not said again."""
        now = time.monotonic()
        told, self.told = self.told, (message, now)
        if told[0] == message and now - told[1] < SAID:
            return
        self.notify(visible(message, "⏎"), severity=severity, markup=False)  # type: ignore[arg-type]

    def make_room(self) -> None:
        """Take away what was told before, where the screen is so low that it would lie over what a dialog asks."""
        if self.size.height <= LOW_SCREEN:
            self.clear_notifications()
