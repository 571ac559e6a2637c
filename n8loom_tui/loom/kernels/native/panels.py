"""The code that gets a panel's lines ready to be multiplied: float32, `[lines, panel]`."""

from __future__ import annotations

from llvmlite import ir

from .emitter import BYTE, FLOAT, SHORT, Emitter, Value, whole
from .interface import PACKING, UNPACKING, WIDENING, Stored
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


def emit_unpacking(module: ir.Module, machine: Machine, name: str, width: int) -> ir.Function:
    """The code that makes a panel, `[inner, panel]`, of codes of `width` bits, 4 or 8: `scale · code + bias`, rounded
    after each operation, as MLX does."""
    e = Emitter(module, name, UNPACKING, machine.width)
    b, a = e.builder, e.arguments
    small, wide = ir.VectorType(BYTE, e.width), ir.VectorType(SHORT, e.width)
    line = machine.panel * width // 8
    size = b.add(whole(2 * 4 * machine.panel), b.mul(a["group"], whole(line)))
    ahead = b.sdiv(a["ahead_size"], a["count"])
    with e.count(b.sdiv(a["count"], a["group"])) as number:
        begin = b.add(a["codes"], b.mul(number, size))
        scales = [e.load(e.at(begin, whole(v * e.width)), e.vector) for v in range(VECTORS)]
        biases = [e.load(e.at(begin, whole(machine.panel + v * e.width)), e.vector) for v in range(VECTORS)]
        codes = e.at(begin, whole(2 * machine.panel))
        fetched = b.add(a["ahead"], e.product(number, a["group"], ahead))
        into = e.at(a["panel"], e.product(number, a["group"], whole(machine.panel)))
        with e.count(a["group"]) as k:
            e.prefetch(b.add(fetched, b.mul(k, ahead)))
            place = b.add(codes, b.mul(k, whole(line)))
            for v in range(VECTORS):
                if width == 8:
                    code = b.zext(e.load(b.add(place, whole(v * e.width)), small, align=1), wide)
                else:
                    code = b.zext(e.load(place, small, align=1), wide)
                    shift = ir.Constant(wide, [4 * v] * e.width)
                    code = b.and_(b.lshr(code, shift), ir.Constant(wide, [15] * e.width))
                value = b.fadd(b.fmul(b.uitofp(code, e.vector), scales[v]), biases[v])
                e.store(value, e.at(into, b.add(b.mul(k, whole(machine.panel)), whole(v * e.width))))
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
    width, order = e.width, ir.VectorType(SHORT, e.width)
    block = width // 2
    while block:
        result = list(vectors)
        for low in range(width):
            if low & block:
                continue
            high = low | block
            upper = [(place - block + width) if place & block else place for place in range(width)]
            lower = [place + width if place & block else place + block for place in range(width)]
            pair = vectors[low], vectors[high]
            result[low] = e.builder.shuffle_vector(*pair, ir.Constant(order, upper))
            result[high] = e.builder.shuffle_vector(*pair, ir.Constant(order, lower))
        vectors, block = result, block // 2
    return vectors
