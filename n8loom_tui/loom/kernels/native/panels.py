"""The code that gets a panel's lines ready to be multiplied: float32, `[lines, panel]`."""

from __future__ import annotations

from llvmlite import ir

from .emitter import FLOAT, SHORT, Emitter, Value, whole
from .interface import PACKING, WIDENING, Stored
from .machine import VECTORS, Machine


def emit_widening(module: ir.Module, machine: Machine, name: str, stored: Stored) -> ir.Function:
    """The code that makes lines of a panel of 16-bit numbers."""
    e = Emitter(module, name, WIDENING, machine.width)
    b, a = e.builder, e.arguments
    kind, wide = ir.VectorType(ir.IntType(16), e.width), ir.VectorType(SHORT, e.width)
    ahead = b.sdiv(a["ahead_size"], a["count"])
    with e.count(a["count"]) as k:
        e.prefetch(b.add(a["ahead"], b.mul(k, ahead)))
        for v in range(VECTORS):
            place = b.add(b.mul(k, whole(machine.panel)), whole(v * e.width))
            numbers = e.load(e.at(a["w"], place, 2), kind, align=2)
            if stored is Stored.FLOAT16:
                value = b.fpext(b.bitcast(numbers, ir.VectorType(ir.HalfType(), e.width)), e.vector)
            else:
                value = b.bitcast(b.shl(b.zext(numbers, wide), ir.Constant(wide, [16] * e.width)), e.vector)
            e.store(value, e.at(a["panel"], place))
    return e.done()


def emit_packing(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code that makes a panel, `[inner, panel]`, of up to so many rows of a matrix; the rest of it is undefined.

    It turns squares of numbers over in registers.
    """
    e = Emitter(module, name, PACKING, machine.width)
    b, a, width = e.builder, e.arguments, machine.width
    squares = b.sdiv(a["inner"], whole(width))
    for v in range(VECTORS):
        sources = []
        for lane in range(width):
            row = e.least(whole(v * width + lane), b.sub(a["outputs"], whole(1)))
            sources.append(e.at(a["w"], b.mul(row, a["w_step"])))
        with e.count(squares) as square:
            k = b.mul(square, whole(width))
            turned = transposed(e, [e.load(e.at(source, k), e.vector) for source in sources])
            for lane, vector in enumerate(turned):
                place = b.add(b.mul(b.add(k, whole(lane)), whole(machine.panel)), whole(v * width))
                e.store(vector, e.at(a["panel"], place))
        with e.count(a["inner"], b.mul(squares, whole(width))) as k:
            for lane, source in enumerate(sources):
                place = b.add(b.mul(k, whole(machine.panel)), whole(v * width + lane))
                e.store(e.load(e.at(source, k), FLOAT), e.at(a["panel"], place))
    return e.done()


def transposed(e: Emitter, vectors: list[Value]) -> list[Value]:
    """A square of numbers turned over: in each round pairs of vectors exchange halves of ever smaller blocks."""
    block = e.width // 2
    while block:
        result = list(vectors)
        for low in range(e.width):
            if not low & block:
                pair = vectors[low], vectors[low | block]
                result[low], result[low | block] = _exchanged(e, pair, block)
        vectors, block = result, block // 2
    return vectors


def added_up(e: Emitter, vectors: list[Value]) -> Value:
    """A vector of the sums of the numbers of each vector of a square: it is turned over, and added up on the way."""
    block = e.width // 2
    while block:
        vectors = [_folded(e, pair, block) for pair in zip(vectors[:block], vectors[block:], strict=True)]
        block //= 2
    return vectors[0]


def _folded(e: Emitter, pair: tuple[Value, Value], block: int) -> Value:
    """Of every two blocks of so many numbers the sum: of the first vector in the one's place, of the second in the
    other's."""
    width, order = e.width, ir.VectorType(SHORT, e.width)
    kept = [place + width if place & block else place for place in range(width)]
    moved = [place - block + width if place & block else place + block for place in range(width)]
    return e.builder.fadd(
        *(e.builder.shuffle_vector(*pair, ir.Constant(order, each)) for each in (kept, moved))
    )


def _exchanged(e: Emitter, pair: tuple[Value, Value], block: int) -> tuple[Value, Value]:
    """Two vectors after they have exchanged every other block of so many numbers."""
    width, order = e.width, ir.VectorType(SHORT, e.width)
    upper = [(place - block + width) if place & block else place for place in range(width)]
    lower = [place + width if place & block else place + block for place in range(width)]
    first, second = (e.builder.shuffle_vector(*pair, ir.Constant(order, places)) for places in (upper, lower))
    return first, second
