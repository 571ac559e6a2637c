"""A lab with a tiny model."""

from __future__ import annotations

import pytest
from support.benching import SETTINGS, loaded

from n8loom_tui.bench.lab import Lab
from n8loom_tui.bench.run import prepare
from n8loom_tui.bench.settings import BenchSettings


@pytest.fixture
def settings() -> BenchSettings:
    return BenchSettings(**SETTINGS)


@pytest.fixture
def heard() -> list[str]:
    """What the lab has told."""
    return []


@pytest.fixture
def lab(settings: BenchSettings, heard: list[str]) -> Lab:
    return prepare(loaded(), settings, 1, heard.append)
