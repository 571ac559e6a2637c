"""Fixtures for the fast path's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from n8loom_tui.loom.kernels.team import shared_out


@pytest.fixture(autouse=True)
def threads_of_ours() -> Iterator[None]:
    """Products are shared out as in a step."""
    with shared_out():
        yield
