"""Processors that code is made for elsewhere."""

from __future__ import annotations

from n8loom_tui.loom.kernels.native import Machine

MACHINES = {
    "vectors of 8": Machine(width=8, rows=6, halves=True),
    "vectors of 4": Machine(width=4, rows=12, halves=True, x86=False),
}
"""What code is made for elsewhere. This processor runs it too: LLVM makes of any vector what it has."""
