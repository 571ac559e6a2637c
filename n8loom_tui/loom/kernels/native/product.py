"""The code of products of few rows: `out[r, j] = Σ x[r, k] · w[k, j]`, sums in registers.

The outputs are computed in panels of two vectors, for up to twelve rows at a time. While one panel is computed
the next is fetched from memory, a little in each turn of the innermost loop, so that neither waits for the other.

Every sum adds up its products one by one, in the order of `k`: what comes out for a row does not depend on the
rows beside it, nor on how outputs are shared out among threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from llvmlite import ir

from .emitter import FLOAT, POINTER, Emitter, Value, Variable, whole
from .interface import (
    CROSSING,
    GATHER,
    MULTIPLY,
    PRODUCT,
    STRETCH,
    WIDENED,
)
from .machine import VECTORS, Machine
from .panels import transposed

ROWS_OF_LINES = 4
"""To unpack lines takes about as long as to multiply them with so many rows."""


class Blocks:
    """Rows in blocks that fit the registers, as even as can be."""

    def __init__(self, e: Emitter, most: int, rows: Value) -> None:
        """`most`: how many rows a block has at most."""
        b = e.builder
        self.number = b.sdiv(b.add(rows, whole(most - 1)), whole(most))
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
    blocks = Blocks(e, machine.rows, e.arguments["rows"])
    with e.count(blocks.number) as number:
        _gather(e, machine, *blocks.bounds(number))
    return e.done()


def emit_multiply(module: ir.Module, machine: Machine, name: str, *, ragged: bool) -> ir.Function:
    """The code that multiplies rows that were gathered with a stretch of a panel.

    Args:
        ragged: whether the panel may have fewer outputs than there is room for. What is beyond them is neither read
            nor written.
    """
    e = Emitter(module, name, MULTIPLY, machine.width)
    b, a, zero = e.builder, e.arguments, e.constant(0.0)
    blocks = Blocks(e, machine.rows, a["rows"])
    ahead = b.sdiv(a["ahead_size"], e.most(b.mul(blocks.number, a["count"]), whole(1)))
    adding = b.icmp_signed("!=", a["adding"], whole(0))
    starts = [whole(v * machine.width) for v in range(VECTORS)]
    masks = [e.below(b.sub(a["outputs"], start)) if ragged else None for start in starts]

    with e.count(blocks.number) as number:
        first, count = blocks.bounds(number)
        rows = e.at(a["space"], b.add(b.mul(first, a["inner"]), b.mul(a["begin"], count)))
        into = e.at(a["out"], b.mul(first, a["out_step"]))
        fetched = b.add(a["ahead"], e.product(number, a["count"], ahead))

        def tile(count: int) -> None:
            places = [
                (e.at(into, b.add(b.mul(whole(r), a["out_step"]), whole(v * machine.width))), r, v)
                for r in range(count)
                for v in range(VECTORS)
            ]
            sums = [
                Variable(e, b.select(adding, e.load_some(place, masks[v], zero), zero))
                for place, _, v in places
            ]
            with e.count(a["count"]) as k:
                e.prefetch(b.add(fetched, b.mul(k, ahead)))
                here = b.add(a["w"], b.mul(k, a["w_step"]))
                factors = [
                    e.load_some(e.at(here, start), mask, zero)
                    for start, mask in zip(starts, masks, strict=True)
                ]
                line = e.at(rows, b.mul(k, whole(count)))
                ones = [e.everywhere(e.load(e.at(line, whole(r)), FLOAT)) for r in range(count)]
                for total, (_, r, v) in zip(sums, places, strict=True):
                    total.set(e.fma(ones[r], factors[v], total.get()))
            for total, (place, _, v) in zip(sums, places, strict=True):
                e.store_some(total.get(), place, masks[v])

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
        turned = [transposed(e, lines[some : some + width]) for some in range(0, len(lines), width)]
        for lane, parts in enumerate(zip(*turned, strict=True)):
            place = e.at(room, b.mul(b.add(k, whole(lane)), count))
            for number, vector in enumerate(parts):
                e.store(vector, e.at(place, whole(number * width)))
    with e.count(a["inner"], b.mul(squares, whole(width))) as k:
        place = e.at(room, b.mul(k, count))
        with e.count(count) as row:
            source = e.at(a["x"], b.mul(b.add(first, row), a["x_step"]))
            e.store(e.load(e.at(source, k), FLOAT), e.at(place, row))


@dataclass(frozen=True, slots=True)
class Parts:
    """What products are made of: rows gathered, and multiplied with a stretch of a panel, whole or not."""

    gather: ir.Function
    whole: ir.Function
    ragged: ir.Function


def emit_parts(module: ir.Module, machine: Machine) -> Parts:
    """The code that all products of a module share."""
    return Parts(
        emit_gather(module, machine, "gather"),
        emit_multiply(module, machine, "multiply", ragged=False),
        emit_multiply(module, machine, "multiply ragged", ragged=True),
    )


@dataclass(frozen=True, slots=True)
class Stretch:
    """Part of the panel of a number: `count` lines from `begin` on."""

    number: Value
    begin: Value
    count: Value


Lines = tuple[Value, Value]
"""The address of a stretch's first line, and bytes from one to the next."""
Memory = tuple[Value, Value]
"""An address, and how many bytes there."""


class Panels:
    """The numbers of a product's panels, one after the other, or those among them that no other thread has taken."""

    def __init__(self, e: Emitter, machine: Machine) -> None:
        b, a = e.builder, e.arguments
        self._e = e
        self._count = b.sdiv(b.add(a["outputs"], whole(machine.panel - 1)), whole(machine.panel))
        self._next = Variable(e, whole(0))
        self._own = Variable(e, whole(0))

    def _take(self) -> None:
        e, b = self._e, self._e.builder
        taken = e.arguments["taken"]
        with b.if_else(b.icmp_signed("!=", taken, whole(0))) as (shared, alone):
            with shared:
                self._next.set(b.atomic_rmw("add", b.inttoptr(taken, POINTER), whole(1), "monotonic"))
            with alone:
                self._next.set(self._own.get())
                self._own.add(whole(1))

    @contextmanager
    def each(self) -> Iterator[tuple[Value, Value]]:
        """Code for each panel: its number, and that of the next one, or again its own if it is the last."""
        e, b = self._e, self._e.builder
        head, body, tail = (e.function.append_basic_block(name) for name in ("take", "panel", "taken"))
        self._take()
        b.branch(head)
        b.position_at_end(head)
        number = self._next.get()
        b.cbranch(b.icmp_signed("<", number, self._count), body, tail)
        b.position_at_end(body)
        self._take()
        following = self._next.get()
        yield number, b.select(b.icmp_signed("<", following, self._count), following, number)
        b.branch(head)
        b.position_at_end(tail)


def _multiply(
    e: Emitter,
    machine: Machine,
    parts: Parts,
    lines: Callable[[Stretch, Memory], Lines],
    ahead: Callable[[Stretch], Memory],
    rows_of_lines: int = ROWS_OF_LINES,
) -> ir.Function:
    """The code of a product, panel by panel, each in stretches that the first cache holds.

    Args:
        lines: writes what gets a stretch ready, and fetches something meanwhile.
        ahead: writes where what is fetched lies, for a stretch that comes later.
        rows_of_lines: to get lines ready takes about as long as to multiply so many rows.
    """
    b, a, panel = e.builder, e.arguments, machine.panel
    with b.if_then(b.icmp_signed("!=", a["x"], whole(0))):
        e.call(parts.gather, [a[given] for given in GATHER])
    size = whole(STRETCH)
    with Panels(e, machine).each() as (number, following):
        first = b.mul(number, whole(panel))
        left = e.least(whole(panel), b.sub(a["outputs"], first))
        with e.count(b.sdiv(b.add(a["inner"], b.sub(size, whole(1))), size)) as turn:
            begin = b.mul(turn, size)
            count = e.least(size, b.sub(a["inner"], begin))
            fetched, size_fetched = ahead(Stretch(following, begin, count))
            early = b.sdiv(b.mul(size_fetched, whole(rows_of_lines)), b.add(a["rows"], whole(rows_of_lines)))
            w, w_step = lines(Stretch(number, begin, count), (fetched, early))
            adding = b.select(b.icmp_signed("==", turn, whole(0)), a["adding"], whole(1))
            given = a | {"begin": begin, "count": count, "w": w, "w_step": w_step, "outputs": left}
            given |= {"out": e.at(a["out"], first), "adding": adding}
            given |= {"ahead": b.add(fetched, early), "ahead_size": b.sub(size_fetched, early)}
            values = [given[name] for name in MULTIPLY]
            with b.if_else(b.icmp_signed("==", left, whole(panel))) as (then, otherwise):
                with then:
                    e.call(parts.whole, values)
                with otherwise:
                    e.call(parts.ragged, values)
    return e.done()


def emit_product(module: ir.Module, machine: Machine, name: str, parts: Parts) -> ir.Function:
    """The code of a product with a matrix in panels, float32."""
    e = Emitter(module, name, PRODUCT, machine.width)
    b, a = e.builder, e.arguments

    def numbers(stretch: Stretch) -> Value:
        return e.sum(a["w"], b.mul(stretch.number, a["panel_step"]), b.mul(stretch.begin, a["w_step"]))

    def ahead(stretch: Stretch) -> Memory:
        return numbers(stretch), b.mul(stretch.count, a["w_step"])

    def lines(stretch: Stretch, _: Memory) -> Lines:
        return numbers(stretch), a["w_step"]

    return _multiply(e, machine, parts, lines, ahead, rows_of_lines=0)


def emit_widened(
    module: ir.Module, machine: Machine, name: str, parts: Parts, widening: ir.Function
) -> ir.Function:
    """The code of a product with a matrix in panels of 16-bit numbers."""
    e = Emitter(module, name, WIDENED, machine.width)
    b, a = e.builder, e.arguments
    step = whole(2 * machine.panel)

    def numbers(stretch: Stretch) -> Value:
        return e.sum(a["w"], b.mul(stretch.number, a["panel_step"]), b.mul(stretch.begin, step))

    def lines(stretch: Stretch, fetched: Memory) -> Lines:
        e.call(widening, [numbers(stretch), stretch.count, a["panel"], *fetched])
        return a["panel"], whole(4 * machine.panel)

    def ahead(stretch: Stretch) -> Memory:
        return numbers(stretch), b.mul(stretch.count, step)

    return _multiply(e, machine, parts, lines, ahead)


def emit_crossing(
    module: ir.Module, machine: Machine, name: str, parts: Parts, packing: ir.Function
) -> ir.Function:
    """The code of a product with a matrix that is not packed."""
    e = Emitter(module, name, CROSSING, machine.width)
    b, a = e.builder, e.arguments

    def lines(stretch: Stretch, _: Memory) -> Lines:
        first = b.mul(stretch.number, whole(machine.panel))
        rows = e.at(a["w"], b.add(b.mul(first, a["w_step"]), stretch.begin))
        left = e.least(whole(machine.panel), b.sub(a["outputs"], first))
        e.call(packing, [rows, stretch.count, a["w_step"], left, a["panel"]])
        return a["panel"], whole(4 * machine.panel)

    return _multiply(e, machine, parts, lines, lambda _: (a["panel"], whole(0)))
