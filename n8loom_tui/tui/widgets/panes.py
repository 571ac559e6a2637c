"""What holds the panes of a screen, and stands behind them at each line."""

from __future__ import annotations

from textual.containers import Horizontal, Vertical

from .together import DrawnTogether


class Panes(Horizontal, DrawnTogether):
    """Panes side by side."""


class Stack(Vertical, DrawnTogether):
    """Panes one below the other."""
