"""A forward pass in compiled code: threads go through it together and meet where one needs what another made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .blocks import Block, Norm
from .native import Code
from .passes import Heads, Pass
from .planned import Plan, check_place, check_reach
from .program import Program, Programs
from .team import parts_of
from .weights import Weight
from .workspace import FLOAT, Floats, Workspace, as_layers
from .written import QUERIES, Rooms, WrittenBlocks, WrittenHead


class CompiledPass:
    """Takes rows through blocks."""

    def __init__(self, known: Code, heads: Heads, blocks: Sequence[Block], scale: float) -> None:
        self._code, self._heads, self._blocks, self._scale = known, heads, blocks, scale
        self._rooms = Rooms()
        self._plans: list[Workspace] = []
        """What each thread's attention computes in."""
        self._work = len(blocks) * sum(weight.array.size for weight in blocks[0].weights)
        self._programs = Programs(lambda: self._rooms.moves)

    @property
    def nbytes(self) -> int:
        """Size in bytes of what it computes in, and of its programs."""
        return self._rooms.nbytes + self._programs.nbytes + sum(space.nbytes for space in self._plans)

    def run(self, what: Pass, hidden: Floats) -> Floats:
        """What the blocks make of the rows' embeddings, `[rows, hidden]`, valid until the next call."""
        check_reach(what)
        threads = parts_of(what.rows * self._work)
        apart = not what.causal
        blocks = self._programs.get(
            ("blocks", what.rows, threads, apart),
            lambda: WrittenBlocks(
                Program(self._code, threads),
                self._heads,
                self._blocks,
                self._scale,
                self._rooms,
                hidden.shape,
                apart=apart,
            ),
        )
        blocks.hidden[:] = hidden
        for rotary, (cosines, sines) in blocks.angles.items():
            cosines[:], sines[:] = rotary.angles(what.positions)
        self._tell_places(what, blocks)
        plans = []  # they are in use until the program has run
        for thread, (low, high) in enumerate(blocks.shares):
            if low == high:
                continue
            while len(self._plans) <= thread:
                self._plans.append(Workspace())
            plan = Plan(self._code, self._heads, len(self._blocks), what, low, high, self._plans[thread])
            blocks.program.change(thread, blocks.turns[thread], QUERIES, np.array([[plan.queries]]))
            blocks.program.change(thread, blocks.attention[thread], 0, plan.arguments)
            plans.append(plan)
        blocks.program.run()
        return blocks.hidden

    def head(self, norm: Norm, weight: Weight, hidden: Floats) -> Floats:
        """`[rows, outputs]`, valid until the next call."""
        threads = parts_of(len(hidden) * weight.array.size)
        head = self._programs.get(
            ("head", len(hidden), threads),
            lambda: WrittenHead(Program(self._code, threads), norm, weight, self._rooms, hidden.shape),
        )
        head.hidden[:] = hidden
        head.program.run()
        return head.logits

    def _tell_places(self, what: Pass, blocks: WrittenBlocks) -> None:
        """Where keys and values of this pass are put."""
        dim = self._heads.dim
        for place in what.places:
            check_place(place)
            keys, values = as_layers(place.keys), as_layers(place.values)
            offsets = place.index * keys.steps[:, None] + place.columns * (dim * FLOAT)
            into = blocks.kept[:, place.low : place.high]
            np.add(keys.places[:, None], offsets, out=into[..., 0])
            np.add(values.places[:, None], offsets, out=into[..., 1])
            into[..., 2] = keys.sizes[:, 2:3] * dim
