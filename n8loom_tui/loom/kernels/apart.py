"""Layers whose weights the threads of a step share out, each a part that no other reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .native import code
from .team import parts_of, side_by_side
from .weights import Weight, cut, panel_width
from .workspace import Floats, Workspace, address


class Spaces:
    """What each thread of a step computes in. The first one leads."""

    def __init__(self) -> None:
        self._spaces = [Workspace()]

    def __getitem__(self, number: int) -> Workspace:
        while len(self._spaces) <= number:
            self._spaces.append(Workspace())
        return self._spaces[number]

    @property
    def nbytes(self) -> int:
        """Size of all buffers in bytes."""
        return sum(space.nbytes for space in self._spaces)


class Projection:
    """A linear layer, or several of one input. Each thread makes some of the outputs.

    What is to be called is kept from one step to the next, as long as that is the same: a step has hundreds of
    products, and another thread should not have to wait for this one's preparations.
    """

    def __init__(self, weight: Weight) -> None:
        self.outputs = weight.outputs
        self._weight = weight
        self._shares: dict[int, list[Weight]] = {}
        self._ready: tuple[tuple[int, ...], list[Callable[[], Any]]] = ((), [])

    def apply(self, x: Floats, out: Floats, spaces: Spaces) -> Floats:
        """`out = x · weightᵀ + bias`, both contiguous: `[rows, inputs]`, `[rows, outputs]`. Returns `out`.

        It is always called with the same `spaces`.
        """
        parts = 1  # without code of ours NumPy's BLAS has threads of its own
        if code() is not None:
            parts = min(parts_of(x.size * self.outputs), -(-self.outputs // panel_width()))
        key = (parts, len(x), address(x), address(out))
        if self._ready[0] != key:
            self._ready = (key, self._tasks(parts, x, out, spaces))
        side_by_side(self._ready[1])
        if self._weight.bias is not None:
            out += self._weight.bias
        return out

    def _tasks(self, parts: int, x: Floats, out: Floats, spaces: Spaces) -> list[Callable[[], Any]]:
        if parts not in self._shares:
            self._shares[parts] = [self._weight.share(number, parts) for number in range(parts)]
        tasks: list[Callable[[], Any]] = []
        for number, share in enumerate(self._shares[parts]):
            low, high = cut(self.outputs, number, parts)
            tasks.append(share.call(x, out[:, low:high], spaces[number]))
        return tasks


def rows_apart(rows: int, work: int) -> Sequence[tuple[int, int]]:
    """Rows in as many shares as `work` multiplications are worth: from which to which. The larger ones are last."""
    parts = min(parts_of(work), rows)
    return [(rows * part // parts, rows * (part + 1) // parts) for part in range(parts)]
