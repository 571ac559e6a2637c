"""The programs of a forward pass: what each thread does for so many rows.

Threads take a product's outputs, some at a time, as they come to it; everything else is shared out by rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .blocks import Block, Norm
from .native.interface import TURN
from .passes import Heads
from .program import Program
from .rotary import Rotary
from .weights import Weight
from .workspace import FLOAT, Floats, Workspace, address

QUERIES = TURN.index("queries")
OUT = 5
"""Which argument of attention says where its results are put."""


class Rooms:
    """What programs compute in: all threads together, and each by itself."""

    def __init__(self) -> None:
        self.shared = Workspace()
        self._own: list[Workspace] = []

    def own(self, thread: int) -> Workspace:
        while len(self._own) <= thread:
            self._own.append(Workspace())
        return self._own[thread]

    @property
    def moves(self) -> int:
        """How often a buffer was given up for a larger one: programs written before hold no more."""
        return sum(space.moves for space in (self.shared, *self._own))

    @property
    def nbytes(self) -> int:
        return sum(space.nbytes for space in (self.shared, *self._own))


class _Writer:
    """Writes what all threads do, for so many rows."""

    def __init__(self, program: Program, rooms: Rooms, rows: int) -> None:
        self.program, self._rooms, self._rows = program, rooms, rows
        count = program.threads
        self.shares = [(rows * part // count, rows * (part + 1) // count) for part in range(count)]
        """Which rows each thread takes care of."""

    def products(self, xs: Sequence[Floats], *made: tuple[Weight, Floats], adding: bool = False) -> None:
        """`out = x · weightᵀ`, or added to it, for some weights: threads take what is left of the outputs.

        `xs`: the rows, where each thread finds them. The biases are not in it.

        Raises:
            ValueError: the shapes do not fit together.
        """
        rows = [address(x) for x in xs]
        beside: set[str] = set()
        for weight, out in made:
            _must_be(weight.array.shape, (out.shape[1], xs[0].shape[1]))
            taken = self.program.counter() if self.program.threads > 1 else 0
            for thread in range(self.program.threads):
                space, into = self._rooms.own(thread), out.strides[0] // FLOAT
                given = (rows[thread], self._rows, address(out), into, space)
                again = weight.beside in beside
                self.program.add(thread, weight.step(*given, adding=adding, gathered=again, taken=taken))
            beside.add(weight.beside)

    def biases(self, *made: tuple[Weight, Floats]) -> None:
        """Weights' biases are added. What the products made must be there."""
        for weight, out in made:
            if weight.bias is None:
                continue
            step, bias = out.strides[0] // FLOAT, address(weight.bias)
            for thread, (low, high) in enumerate(self.shares):
                place = address(out) + low * step * FLOAT
                self.program.add(thread, "bias", place, step, high - low, weight.outputs, bias)

    def norm(self, norm: Norm, x: Floats, heads: int) -> None:
        """`heads` stretches of every row, normalised in place.

        Raises:
            ValueError: the norm is for rows of another size.
        """
        for thread, share in enumerate(self.shares):
            self._norm(thread, norm, x, x, share, heads)

    def normed(self, norm: Norm, x: Floats) -> list[Floats]:
        """All rows normalised, by each thread for itself: that takes less than to wait for the others.

        Raises:
            ValueError: the norm is for rows of another size.
        """
        outs = [self._rooms.own(thread).take("normed", *x.shape) for thread in range(self.program.threads)]
        for thread, out in enumerate(outs):
            self._norm(thread, norm, x, out, (0, self._rows), 1)
        return outs

    def _norm(
        self, thread: int, norm: Norm, x: Floats, out: Floats, share: tuple[int, int], heads: int
    ) -> None:
        dim = norm.weight.size
        _must_be(norm.weight.shape, (x.shape[1] // heads,))
        steps = x.strides[0] // FLOAT, out.strides[0] // FLOAT
        given = (address(x), steps[0], *share, heads, dim, address(norm.weight), bits(norm.epsilon))
        self.program.add(thread, "norm", *given, address(out), steps[1])


class WrittenBlocks:
    """The program that takes rows through all blocks."""

    def __init__(
        self,
        program: Program,
        heads: Heads,
        blocks: Sequence[Block],
        scale: float,
        rooms: Rooms,
        shape: tuple[int, ...],
        *,
        apart: bool,
    ) -> None:
        """`shape`: rows, and how many numbers each has. `apart`: no row attends to what another one puts."""
        rows, width = shape
        self._apart = apart
        take, first = rooms.shared.take, blocks[0]
        self.program, self._heads, self._scale = program, heads, scale
        self._write = _Writer(program, rooms, rows)
        self.shares = self._write.shares
        self.hidden = take("hidden", rows, width)
        self._made = take("made", rows, (heads.kv * heads.group + 2 * heads.kv) * heads.dim)
        self._attended = take("attended", rows, heads.kv * heads.group * heads.dim)
        self._gate, self._up = (take(name, rows, first.gate.outputs) for name in ("gate", "up"))
        rotaries = {block.rotary for block in blocks}
        self.angles: dict[Rotary, tuple[Floats, Floats]] = {
            rotary: (take(f"cosines {number}", rows, heads.dim), take(f"sines {number}", rows, heads.dim))
            for number, rotary in enumerate(rotaries)
        }
        """Cosines and sines of the rows' positions, to be filled before it runs."""
        self.kept = np.zeros((len(blocks), rows, 3), dtype=np.int64)
        """Where rows' keys and values are put, `[layers, rows, 3]`, as `TURN` says: to be filled before it runs."""
        self.turns: list[list[int]] = [[] for _ in self.shares]
        self.attention: list[list[int]] = [[] for _ in self.shares]
        """By thread: which steps turn and attend. What they take is told before the program runs."""
        for block, places in zip(blocks, self.kept, strict=True):
            self._attention(block, address(places))
            self._mlp(block)
        program.finish()

    def _attention(self, block: Block, kept: int) -> None:
        write, program, heads = self._write, self.program, self._heads
        sizes = [heads.kv * heads.group * heads.dim, heads.kv * heads.dim]
        queries, keys, values = np.split(self._made, np.cumsum([sizes[0], sizes[1]]), axis=1)
        made = (block.queries, queries), (block.keys, keys), (block.values, values)
        write.products(write.normed(block.before_attention, self.hidden), *made)
        program.meet()
        write.biases(*made)
        if block.query_norm is not None and block.key_norm is not None:
            write.norm(block.query_norm, queries, heads.kv * heads.group)
            write.norm(block.key_norm, keys, heads.kv)
        cosines, sines = self.angles[block.rotary]
        tables = (address(cosines), address(sines), address(block.rotary.partners), bits(self._scale))
        step = self._made.shape[1]
        for thread, (low, high) in enumerate(self.shares):
            given = (address(self._made), step, low, high, heads.kv, heads.group, heads.dim)
            self.turns[thread].append(program.add(thread, "turn", *given, *tables, 0, kept))
        if not self._apart:
            program.meet()
        for thread, (low, high) in enumerate(self.shares):
            if low < high:
                into = address(self._attended[low:high])
                self.attention[thread].append(program.add(thread, "attention", *[0] * OUT, into))
        program.meet()
        self._add(block.out, self._attended)

    def _mlp(self, block: Block) -> None:
        write, program = self._write, self.program
        made = (block.gate, self._gate), (block.up, self._up)
        write.products(write.normed(block.before_mlp, self.hidden), *made)
        program.meet()
        write.biases(*made)
        step = self._gate.shape[1]
        for thread, (low, high) in enumerate(self.shares):
            places = (address(array) + low * step * FLOAT for array in (self._gate, self._up))
            program.add(thread, "gate", *places, step, high - low, step)
        program.meet()
        self._add(block.down, self._gate)

    def _add(self, weight: Weight, x: Floats) -> None:
        """What a weight makes of rows is added to the hidden ones, of which each thread goes on with all."""
        self._write.products([x] * self.program.threads, (weight, self.hidden), adding=True)
        self.program.meet()
        if weight.bias is not None:
            self._write.biases((weight, self.hidden))
            self.program.meet()


class WrittenHead:
    """The program that makes logits."""

    def __init__(
        self, program: Program, norm: Norm, weight: Weight, rooms: Rooms, shape: tuple[int, ...]
    ) -> None:
        rows, width = shape
        self.program = program
        write = _Writer(program, rooms, rows)
        self.hidden = rooms.shared.take("last", rows, width)
        self.logits = rooms.shared.take("logits", rows, weight.outputs)
        write.products(write.normed(norm, self.hidden), (weight, self.logits))
        if weight.bias is not None:
            program.meet()
            write.biases((weight, self.logits))
        program.finish()


def _must_be(shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Compiled code looks at no shape: what does not fit would be read and written beyond its end."""
    if shape != wanted:
        raise ValueError(f"weights are {shape}, where {wanted} are needed")


def bits(number: float) -> int:
    """A float32 as a step takes it."""
    return int(np.float32(number).view(np.int32))
