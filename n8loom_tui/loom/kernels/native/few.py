"""The code of attention where few queries look at keys and values that nobody else does: a branch's own columns.

Nothing is put side by side beforehand: keys are turned over in registers while they are multiplied, and what the next
part needs is fetched from memory meanwhile. Sums are added up in the order that `product` does.
"""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from n8loom_tui.loom.kernels.workspace import FLOAT as BYTES
from n8loom_tui.loom.kernels.workspace import LINE

from .emitter import FLOAT, Emitter, Value, Variable, whole
from .interface import FEW
from .machine import VECTORS, Machine
from .panels import transposed
from .product import by_count

MOST = 8
"""How many queries are few: code for more would take longer to compile than it saves."""


def most_queries(machine: Machine) -> int:
    """How many queries the code below is for at most: their sums are in registers."""
    return min(MOST, machine.rows)


def emit_few_scores(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code of `out[r, c] = Σ x[r, k] · w[c, k]`, for up to `most_queries` rows."""
    e = Emitter(module, name, FEW, machine.width)
    b, a, width = e.builder, e.arguments, machine.width
    last = b.sub(a["columns"], whole(1))

    def tile(count: int) -> None:
        with e.count(a["columns"], step=width) as column:
            columns = [e.least(b.add(column, whole(lane)), last) for lane in range(width)]
            offsets = [b.mul(each, b.mul(a["dim"], whole(BYTES))) for each in columns]
            sums = [Variable(e, e.constant(0.0)) for _ in range(count)]

            xs = [b.add(a["x"], b.mul(whole(row * BYTES), a["x_step"])) for row in range(count)]

            def add(k: Value, lines: Sequence[Value]) -> None:
                for x, total in zip(xs, sums, strict=True):
                    here, value = e.at(x, k), total.get()
                    for lane, line in enumerate(lines):
                        one = e.load(b.add(here, whole(lane * BYTES)), FLOAT)
                        value = e.fma(e.everywhere(one), line, value)
                    total.set(value)

            squares = b.sdiv(a["dim"], whole(width))
            with e.count(squares) as square:
                k = b.mul(square, whole(width))
                for offset in offsets:
                    e.prefetch(e.at(b.add(a["ahead"], offset), k))
                rows = [e.load(e.at(b.add(a["w"], offset), k), e.vector) for offset in offsets]
                add(k, transposed(e, rows))
            with e.count(a["dim"], b.mul(squares, whole(width))) as k:
                add(k, [e.gathered([e.load(e.at(b.add(a["w"], offset), k), FLOAT) for offset in offsets])])
            mask = e.below(b.sub(a["columns"], column))
            for row, total in enumerate(sums):
                place = e.at(a["out"], b.add(b.mul(whole(row), a["out_step"]), column))
                e.store_some(total.get(), place, mask)

    by_count(e, a["rows"], most_queries(machine), tile)
    return e.done()


def emit_few_weighed(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code of `out[r, d] += Σ x[r, c] · w[c, d]`, for up to `most_queries` rows."""
    e = Emitter(module, name, FEW, machine.width)
    b, a = e.builder, e.arguments

    def tile(count: int) -> None:
        vectors = VECTORS if 2 * count > machine.rows else 2 * VECTORS
        size = whole(vectors * machine.width)
        with e.count(b.sdiv(b.add(a["dim"], b.sub(size, whole(1))), size)) as part:
            first = b.mul(part, size)
            left = b.sub(a["dim"], first)
            with b.if_else(b.icmp_signed(">=", left, size)) as (then, otherwise):
                with then:
                    _weighed(e, count, vectors, first, None)
                with otherwise:
                    _weighed(e, count, vectors, first, left)

    by_count(e, a["rows"], most_queries(machine), tile)
    return e.done()


def _weighed(e: Emitter, count: int, vectors: int, first: Value, left: Value | None) -> None:
    """Code for some vectors of the outputs from `first` on, all of them whole if `left` is none."""
    b, a, zero = e.builder, e.arguments, e.constant(0.0)
    starts = [whole(number * e.width) for number in range(vectors)]
    masks = [e.below(b.sub(left, start)) if left is not None else None for start in starts]
    places = [
        (e.at(a["out"], e.sum(b.mul(whole(row), a["out_step"]), first, start)), mask)
        for row in range(count)
        for start, mask in zip(starts, masks, strict=True)
    ]
    sums = [Variable(e, e.load_some(place, mask, zero)) for place, mask in places]
    with e.count(a["columns"]) as column:
        offset = b.mul(b.add(b.mul(column, a["dim"]), first), whole(BYTES))
        for byte in range(0, vectors * e.width * BYTES, LINE):
            e.prefetch(e.sum(a["ahead"], offset, whole(byte)))
        line = b.add(a["w"], offset)
        factors = [
            e.load_some(e.at(line, start), mask, zero) for start, mask in zip(starts, masks, strict=True)
        ]
        for row in range(count):
            x = e.everywhere(e.load(e.at(a["x"], b.add(b.mul(whole(row), a["x_step"]), column)), FLOAT))
            for number, factor in enumerate(factors):
                total = sums[row * vectors + number]
                total.set(e.fma(x, factor, total.get()))
    for total, (place, mask) in zip(sums, places, strict=True):
        e.store_some(total.get(), place, mask)
