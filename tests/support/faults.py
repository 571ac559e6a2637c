"""Makes a model fail, whichever way it is computed: by its own code, or by the network in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from n8loom_tui.loom.kernels.network import Network
from n8loom_tui.loom.kernels.passes import Pass


def intercept(
    monkeypatch: pytest.MonkeyPatch,
    model: Any,
    before: Callable[[list[int]], None] = lambda tokens: None,
    after: Callable[[Any], Any] = lambda out: out,
) -> None:
    """Call `before` with the token ids of each pass, all rows in one list, and give on what `after` makes of it."""
    kind = type(model)
    its_own, networks = kind.__call__, Network.run

    def call(model: Any, tokens: Any, *args: Any, **kwargs: Any) -> Any:
        before(np.array(tokens).ravel().tolist())
        return after(its_own(model, tokens, *args, **kwargs))

    def run(network: Network, what: Pass) -> Any:
        before(what.tokens.tolist())
        return after(networks(network, what))

    monkeypatch.setattr(kind, "__call__", call)
    monkeypatch.setattr(Network, "run", run)


class Breaking:
    """Makes a model raise at its k-th pass from when `left` is set to k."""

    def __init__(self, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = -1
        intercept(monkeypatch, model, self._count)

    def _count(self, tokens: list[int]) -> None:
        self.left -= 1
        if self.left == 0:
            raise RuntimeError("out of memory")


def break_last_layer(model: Any, monkeypatch: pytest.MonkeyPatch, call: int, error: BaseException) -> None:
    """Make a model's last layer raise at its k-th call: those above it have gone on by then."""
    layer = model.layers[-1]
    kind, left = type(layer), iter(range(call - 1, -1, -1))
    its_own = kind.__call__

    def broken(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self is layer and next(left, None) == 0:
            raise error
        return its_own(self, *args, **kwargs)

    monkeypatch.setattr(kind, "__call__", broken)
