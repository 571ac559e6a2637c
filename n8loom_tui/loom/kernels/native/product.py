"""The code of products of few rows: `out[r, j] = Σ x[r, k] · w[k, j]`, sums in registers.

The outputs are computed in panels of two vectors, for up to twelve rows at a time. While one panel is computed
the next is fetched from memory, a little in each turn of the innermost loop, so that neither waits for the other.

Every sum adds up its products one by one, in the order of `k`: what comes out for a row does not depend on the
rows beside it, nor on how outputs are shared out among threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir

from .emitter import BYTE, FLOAT, SHORT, Emitter, Value, Variable, whole
from .interface import CROSSING, GATHER, MULTIPLY, PACKING, PRODUCT, QUANTISED, UNPACKING, Stored
from .machine import VECTORS, Machine


class Blocks:
    """Rows in blocks that fit the registers, as even as can be."""

    def __init__(self, e: Emitter, machine: Machine, rows: Value) -> None:
        b = e.builder
        self.number = b.sdiv(b.add(rows, whole(machine.rows - 1)), whole(machine.rows))
        self._rows = rows
        self._e = e

    def bounds(self, number: Value) -> tuple[Value, Value]:
        """The first row of a block, and how many it has."""
        b = self._e.builder
        first = b.sdiv(b.mul(self._rows, number), self.number)
        last = b.sdiv(b.mul(self._rows, b.add(number, whole(1))), self.number)
        return first, b.sub(last, first)


def by_count(e: Emitter, count: Value, most: int, write: Callable[[int], None]) -> None:
    """Code of its own for each count from 1 to `most`."""
    b = e.builder
    after = e.function.append_basic_block("counted")
    choice = b.switch(count, after)
    for number in range(1, most + 1):
        block = e.function.append_basic_block(f"count{number}")
        choice.add_case(whole(number), block)
        b.position_at_end(block)
        write(number)
        b.branch(after)
    b.position_at_end(after)


def emit_gather(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code that puts the rows of each block side by side: `[inner, count]`."""
    e = Emitter(module, name, GATHER, machine.width)
    blocks = Blocks(e, machine, e.arguments["rows"])
    with e.count(blocks.number) as number:
        _gather(e, machine, *blocks.bounds(number))
    return e.done()


def emit_multiply(module: ir.Module, machine: Machine, name: str, stored: Stored) -> ir.Function:
    """The code of a product of rows that were gathered, with a matrix that is stored like this."""
    e = Emitter(module, name, MULTIPLY, machine.width)
    b, a = e.builder, e.arguments
    blocks = Blocks(e, machine, a["rows"])
    panels = b.sdiv(b.add(a["outputs"], whole(machine.panel - 1)), whole(machine.panel))
    ahead = b.sdiv(a["panel_step"], e.most(b.mul(blocks.number, a["inner"]), whole(1)))
    with e.count(panels) as panel:
        weights = b.add(a["w"], b.mul(panel, a["panel_step"]))
        done = b.mul(panel, whole(machine.panel))
        left = b.sub(a["outputs"], done)
        with e.count(blocks.number) as number:
            first, count = blocks.bounds(number)
            rows = e.at(a["space"], b.mul(first, a["inner"]))
            into = e.at(a["out"], b.add(b.mul(first, a["out_step"]), done))
            fetched = e.sum(weights, a["panel_step"], e.product(number, a["inner"], ahead))

            def tile(count: int) -> None:
                masks = [e.below(b.sub(left, whole(v * machine.width))) for v in range(VECTORS)]
                places = [
                    [
                        e.at(into, b.add(b.mul(whole(r), a["out_step"]), whole(v * machine.width)))
                        for v in range(VECTORS)
                    ]
                    for r in range(count)
                ]
                zero = e.constant(0.0)
                present = [
                    e.below(b.mul(b.sub(left, whole(v * machine.width)), a["adding"])) for v in range(VECTORS)
                ]
                sums = [
                    Variable(e, e.load_some(place, mask, zero))
                    for row in places
                    for place, mask in zip(row, present, strict=True)
                ]
                with e.count(a["inner"]) as k:
                    e.prefetch(b.add(fetched, b.mul(k, ahead)))
                    here = b.add(weights, b.mul(k, a["w_step"]))
                    factors = [_vector(e, here, v, stored, masks[v]) for v in range(VECTORS)]
                    line = e.at(rows, b.mul(k, whole(count)))
                    for r in range(count):
                        one = e.everywhere(e.load(e.at(line, whole(r)), FLOAT))
                        for total, factor in zip(sums[r * VECTORS :], factors, strict=False):
                            total.set(e.fma(one, factor, total.get()))
                for r, row in enumerate(places):
                    for total, place, mask in zip(sums[r * VECTORS :], row, masks, strict=False):
                        e.store_some(total.get(), place, mask)

            by_count(e, count, machine.rows, tile)
    return e.done()


def _gather(e: Emitter, machine: Machine, first: Value, count: Value) -> None:
    """What a square writes beyond `count` the next one overwrites, as they come in the order of their places."""
    b, a, width = e.builder, e.arguments, e.width
    room = e.at(a["space"], b.mul(first, a["inner"]))
    last = b.sub(count, whole(1))
    rows = [b.add(first, e.least(whole(lane), last)) for lane in range(-(-machine.rows // width) * width)]
    sources = [e.at(a["x"], b.mul(row, a["x_step"])) for row in rows]
    squares = b.sdiv(a["inner"], whole(width))
    with e.count(squares) as square:
        k = b.mul(square, whole(width))
        lines = [e.load(e.at(source, k), e.vector) for source in sources]
        turned = [_transposed(e, lines[some : some + width]) for some in range(0, len(lines), width)]
        for lane, parts in enumerate(zip(*turned, strict=True)):
            place = e.at(room, b.mul(b.add(k, whole(lane)), count))
            for number, vector in enumerate(parts):
                e.store(vector, e.at(place, whole(number * width)))
    with e.count(a["inner"], b.mul(squares, whole(width))) as k:
        place = e.at(room, b.mul(k, count))
        with e.count(count) as row:
            source = e.at(a["x"], b.mul(b.add(first, row), a["x_step"]))
            e.store(e.load(e.at(source, k), FLOAT), e.at(place, row))


def _vector(e: Emitter, address: Value, number: int, stored: Stored, mask: Value) -> Value:
    """A panel's vector of one `k`, as float32. What is 16-bit is packed, and has no end within a panel."""
    b = e.builder
    place = b.add(address, whole(number * e.width * stored.size))
    if stored is Stored.FLOAT32:
        return e.load_some(place, mask, e.constant(0.0))
    if stored is Stored.FLOAT16:
        return b.fpext(e.load(place, ir.VectorType(ir.HalfType(), e.width), align=2), e.vector)
    upper = e.load(place, ir.VectorType(ir.IntType(16), e.width), align=2)
    wide = ir.VectorType(SHORT, e.width)
    shift = ir.Constant(wide, [16] * e.width)
    return b.bitcast(b.shl(b.zext(upper, wide), shift), e.vector)


def emit_product(
    module: ir.Module, machine: Machine, name: str, gather: ir.Function, multiply: ir.Function
) -> ir.Function:
    """The code of a product with a matrix in panels."""
    e = Emitter(module, name, PRODUCT, machine.width)
    a = e.arguments
    e.call(gather, [a[given] for given in GATHER])
    e.call(multiply, [a[given] for given in MULTIPLY])
    return e.done()


def _panel_by_panel(
    e: Emitter, machine: Machine, parts: Parts, make: Callable[[Value, Value], None]
) -> ir.Function:
    """The code of a product whose panels are made one after the other; `make` is told which, and its first output."""
    b, a, panel = e.builder, e.arguments, machine.panel
    e.call(parts.gather, [a[given] for given in GATHER])
    with e.count(b.sdiv(b.add(a["outputs"], whole(panel - 1)), whole(panel))) as number:
        first = b.mul(number, whole(panel))
        left = e.least(whole(panel), b.sub(a["outputs"], first))
        make(number, first)
        given = a | {"w": a["panel"], "w_step": whole(4 * panel), "panel_step": whole(0)}
        given |= {"outputs": left, "out": e.at(a["out"], first)}
        e.call(parts.multiply, [given[name] for name in MULTIPLY])
    return e.done()


@dataclass(frozen=True, slots=True)
class Parts:
    """What products are made of: rows gathered, and multiplied with float32."""

    gather: ir.Function
    multiply: ir.Function


def emit_crossing(
    module: ir.Module, machine: Machine, name: str, parts: Parts, packing: ir.Function
) -> ir.Function:
    """The code of a product with a matrix that is not packed."""
    e = Emitter(module, name, CROSSING, machine.width)
    b, a = e.builder, e.arguments

    def pack(_number: Value, first: Value) -> None:
        rows = e.at(a["w"], b.mul(first, a["w_step"]))
        left = e.least(whole(machine.panel), b.sub(a["outputs"], first))
        e.call(packing, [rows, a["inner"], a["w_step"], left, a["panel"]])

    return _panel_by_panel(e, machine, parts, pack)


def emit_quantised(
    module: ir.Module, machine: Machine, name: str, parts: Parts, unpacking: ir.Function
) -> ir.Function:
    """The code of a product with quantised weights."""
    e = Emitter(module, name, QUANTISED, machine.width)
    b, a = e.builder, e.arguments

    def unpack(number: Value, _first: Value) -> None:
        codes = b.add(a["w"], b.mul(number, a["panel_step"]))
        e.call(unpacking, [codes, a["inner"], a["group"], a["panel"]])

    return _panel_by_panel(e, machine, parts, unpack)


def emit_unpacking(module: ir.Module, machine: Machine, name: str, width: int) -> ir.Function:
    """The code that makes a panel, `[inner, panel]`, of codes of `width` bits, 4 or 8: `scale · code + bias`, rounded
    after each operation, as MLX does."""
    e = Emitter(module, name, UNPACKING, machine.width)
    b, a = e.builder, e.arguments
    small, wide = ir.VectorType(BYTE, e.width), ir.VectorType(SHORT, e.width)
    line = machine.panel * width // 8
    size = b.add(whole(2 * 4 * machine.panel), b.mul(a["group"], whole(line)))
    with e.count(b.sdiv(a["inner"], a["group"])) as number:
        begin = b.add(a["codes"], b.mul(number, size))
        scales = [e.load(e.at(begin, whole(v * e.width)), e.vector) for v in range(VECTORS)]
        biases = [e.load(e.at(begin, whole(machine.panel + v * e.width)), e.vector) for v in range(VECTORS)]
        codes = e.at(begin, whole(2 * machine.panel))
        into = e.at(a["panel"], e.product(number, a["group"], whole(machine.panel)))
        with e.count(a["group"]) as k:
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
            turned = _transposed(e, [e.load(e.at(source, k), e.vector) for source in sources])
            for lane, vector in enumerate(turned):
                place = b.add(b.mul(b.add(k, whole(lane)), whole(machine.panel)), whole(v * width))
                e.store(vector, e.at(a["panel"], place))
        with e.count(a["inner"], b.mul(squares, whole(width))) as k:
            for lane, source in enumerate(sources):
                place = b.add(b.mul(k, whole(machine.panel)), whole(v * width + lane))
                e.store(e.load(e.at(source, k), FLOAT), e.at(a["panel"], place))
    return e.done()


def _transposed(e: Emitter, vectors: list[Value]) -> list[Value]:
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
