"""Fixtures of the app's tests."""

import pytest
from support.parsed import read_styles_once
from support.rig import launch
from support.settled import wait_by_it

from n8loom_tui.tui import saving

__all__ = ["launch"]

read_styles_once()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the disk is, what was done reaches the file before a test looks."""
    monkeypatch.setattr(saving, "PATIENCE", 60.0)


@pytest.fixture(autouse=True)
def no_longer_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits end when there is nothing left to do."""
    wait_by_it(monkeypatch)
