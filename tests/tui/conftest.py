"""Fixtures of the app's tests."""

import pytest
from support.rig import launch

from n8loom_tui.tui import saving

__all__ = ["launch"]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the disk is, what was done reaches the file before a test looks."""
    monkeypatch.setattr(saving, "PATIENCE", 60.0)
