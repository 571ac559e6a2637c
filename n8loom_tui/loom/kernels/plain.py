"""A forward pass in NumPy, where no code can be compiled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .blocks import Block, Norm
from .passes import Heads, Pass
from .reach import PlainReach
from .weights import Weight
from .workspace import Floats, Workspace


def normed(norm: Norm, x: Floats) -> Floats:
    """Normalised over the last axis."""
    squares = np.einsum("...i,...i->...", x, x)[..., None] / np.float32(x.shape[-1])
    result: Floats = x / np.sqrt(squares + np.float32(norm.epsilon)) * norm.weight
    return result


class PlainPass:
    """Takes rows through blocks."""

    def __init__(self, heads: Heads, blocks: Sequence[Block], scale: float) -> None:
        self._heads, self._blocks, self._scale = heads, blocks, np.float32(scale)
        self._space = Workspace()

    @property
    def nbytes(self) -> int:
        return self._space.nbytes

    def run(self, what: Pass, hidden: Floats) -> Floats:
        """What the blocks make of the rows' embeddings, `[rows, hidden]`, in place."""
        reach = PlainReach(self._heads, what.rows, what.spans, what.own, self._space, what.causal)
        for layer, block in enumerate(self._blocks):
            hidden += block.out.of_rows(
                self._attended(layer, block, normed(block.before_attention, hidden), what, reach)
            )
            x = normed(block.before_mlp, hidden)
            gate = block.gate.of_rows(x)
            hidden += block.down.of_rows(gate / (1 + np.exp(-gate)) * block.up.of_rows(x))
        return hidden

    def head(self, norm: Norm, weight: Weight, hidden: Floats) -> Floats:
        """`[rows, outputs]`."""
        return weight.of_rows(normed(norm, hidden))

    def _attended(self, layer: int, block: Block, x: Floats, what: Pass, reach: PlainReach) -> Floats:
        heads, rows = self._heads, len(x)
        queries = block.queries.of_rows(x).reshape(rows, heads.kv * heads.group, heads.dim)
        keys = block.keys.of_rows(x).reshape(rows, heads.kv, heads.dim)
        values = block.values.of_rows(x).reshape(rows, heads.kv, heads.dim)
        if block.query_norm is not None and block.key_norm is not None:
            queries, keys = normed(block.query_norm, queries), normed(block.key_norm, keys)
        cosines, sines = (part[:, None] for part in block.rotary.angles(what.positions))
        queries, keys = (x * cosines + x[..., block.rotary.partners] * sines for x in (queries, keys))
        for place in what.places:
            for kept, new in ((place.keys[layer], keys), (place.values[layer], values)):
                kept[place.index, :, place.columns] = new[place.low : place.high]
        queries = queries.reshape(rows, heads.kv, heads.group, heads.dim) * self._scale
        np.copyto(reach.queries, queries.swapaxes(0, 1))
        return reach.attend(layer).reshape(rows, -1)
