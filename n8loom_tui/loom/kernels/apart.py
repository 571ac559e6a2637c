"""Layers whose weights the threads of a step share out, each a part that no other reads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from .blas import SLICE, Floats, Weight, cut
from .team import parts_of, side_by_side
from .workspace import Workspace


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
    """A linear layer, or several of one input. Each thread makes some of the outputs."""

    def __init__(self, weight: Weight) -> None:
        self.outputs = weight.outputs
        self._weight = weight
        self._shares: dict[int, list[Weight]] = {}

    def apply(self, x: Floats, out: Floats, spaces: Spaces) -> Floats:
        """`out = x · weightᵀ + bias`, both contiguous: `[rows, inputs]`, `[rows, outputs]`. Returns `out`."""
        parts = _parts_of(self.outputs, x.size * self.outputs)
        if parts == 1:
            return self._weight.apply(x, out, spaces[0])
        if parts not in self._shares:
            self._shares[parts] = [self._weight.share(number, parts) for number in range(parts)]
        tasks = []
        for number, share in enumerate(self._shares[parts]):
            low, high = cut(self.outputs, number, parts)
            tasks.append(partial(share.apply, x, out[:, low:high], spaces[number]))
        side_by_side(tasks)
        return out


class GatedMlp:
    """`down · (silu(gate · x) * (up · x))`. Each thread has some of the columns in between."""

    def __init__(self, gated: Weight, down: Weight) -> None:
        """`gated`: gate and up, a section each."""
        self._columns = gated.outputs // 2
        self._outputs = down.outputs
        self._gated, self._down = gated, down
        self._shares: dict[int, list[tuple[Weight, Weight]]] = {}

    def apply(self, x: Floats, spaces: Spaces) -> Floats:
        """What it makes of `x [rows, inputs]`, in parts that are to be added up: `[parts, rows, outputs]`."""
        parts = _parts_of(self._columns, x.size * self._columns * 3)
        if parts not in self._shares:
            self._shares[parts] = [self._share(number, parts) for number in range(parts)]
        out = spaces[0].take("mlp", parts, len(x), self._outputs)
        side_by_side(
            [
                partial(_mlp_part, *share, x, out[number], spaces[number])
                for number, share in enumerate(self._shares[parts])
            ]
        )
        return out

    def _share(self, number: int, parts: int) -> tuple[Weight, Weight]:
        low, high = cut(self._columns, number, parts)
        return self._gated.share(number, parts), self._down.inputs(low, high, bias=number == 0)


@np.errstate(all="ignore")
def _mlp_part(gated: Weight, down: Weight, x: Floats, out: Floats, space: Workspace) -> None:
    both = gated.apply(x, space.take("gated", len(x), gated.outputs), space)
    half = gated.outputs // 2
    gate, up = both[:, :half], both[:, half:]
    between = space.take("between", len(x), half)
    np.negative(gate, out=between)
    np.exp(between, out=between)
    between += 1.0
    np.divide(gate, between, out=between)
    between *= up
    down.apply(between, out, space)


def _parts_of(outputs: int, work: int) -> int:
    """Into how many parts a product is shared out; none is without a slice of outputs."""
    return min(parts_of(work), -(-outputs // SLICE))


def rows_apart(rows: int, work: int) -> Sequence[tuple[int, int]]:
    """Rows in as many shares as `work` multiplications are worth: from which to which. The larger ones are last."""
    parts = min(parts_of(work), rows)
    return [(rows * part // parts, rows * (part + 1) // parts) for part in range(parts)]
