"""Fixtures for the fast path's tests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from n8loom_tui.loom.kernels import native
from n8loom_tui.loom.kernels.native import Code
from n8loom_tui.loom.kernels.team import shared_out
from tests.support.machines import MACHINES


@cache
def code_for(name: str) -> Code:
    return native._compiled_for(MACHINES[name])


@pytest.fixture(params=MACHINES)
def other_machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code is compiled as for another processor."""
    if native.code() is None:
        pytest.skip("no code can be compiled for this processor")
    name: str = request.param
    monkeypatch.setattr(native, "_code", lambda: code_for(name))


@pytest.fixture(autouse=True)
def threads_of_ours() -> Iterator[None]:
    """Products are shared out as in a step."""
    with shared_out():
        yield
