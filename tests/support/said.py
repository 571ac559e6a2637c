"""A model that says what a test wants it to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from n8loom_tui.loom import choosing
from n8loom_tui.loom.draws import Choice, Draw


def say(monkeypatch: pytest.MonkeyPatch, token: Callable[[Draw], int]) -> None:
    """Let every branch draw just this."""

    def choose(table: Any, draws: Sequence[Draw]) -> list[Choice]:
        return [Choice(token(draw), -1.0, (), 1.0) for draw in draws]

    monkeypatch.setattr(choosing, "choose", choose)
