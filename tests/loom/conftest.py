"""Fixtures for the loom core."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest

from n8loom_tui.loom import choosing as choosing_module
from n8loom_tui.loom import foremost as foremost_module
from n8loom_tui.loom import noise as noise_module
from n8loom_tui.loom import penalty as penalty_module
from n8loom_tui.loom import trial as trial_module
from n8loom_tui.loom import weighed as weighed_module
from n8loom_tui.loom.draws import Draw
from n8loom_tui.loom.kernels.native import Choosing, choosing, choosing_for
from tests.support.machines import MACHINES

Recorded = dict[tuple[int, int], np.ndarray]


@pytest.fixture
def drawn_from(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """The logits that every token was drawn from, by the branch's seed and the step."""
    recorded: Recorded = {}
    original = choosing_module.choose

    def choose(table: np.ndarray, draws: Sequence[Draw]) -> Any:
        for logits, draw in zip(table, draws, strict=True):
            recorded[draw.seed, draw.step] = np.array(logits, copy=True)
        return original(table, draws)

    monkeypatch.setattr(choosing_module, "choose", choose)
    return recorded


@pytest.fixture
def own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model is computed by its own code, as on a GPU."""
    monkeypatch.setattr(trial_module, "network_for", lambda model, layout: None)


@cache
def _code(name: str) -> Choosing | None:
    if name == "NumPy":
        return None
    if choosing() is None:
        pytest.skip("no code can be compiled for this processor")
    return choosing_for(MACHINES[name]) if name in MACHINES else choosing()


@pytest.fixture(params=["compiled", *MACHINES, "NumPy"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what tokens are chosen: code for this processor, for others, and none."""
    code = _code(request.param)
    for module in (foremost_module, noise_module, penalty_module, weighed_module):
        monkeypatch.setattr(module, "choosing", lambda: code)
