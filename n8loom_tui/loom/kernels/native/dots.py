"""The code of products with quantised weights: `out[r, j] = Σ x[r, k] · (scale · code + bias)`.

A vector holds numbers of one output, which have a scale and a bias in common: codes of 4 bits are looked up among the
sixteen numbers that they can stand for. Few rows are multiplied with a vector as soon as it is unpacked; for many
rows those of some outputs are unpacked first, and stay in the first cache meanwhile.

Every sum is made in a vector, in the order of `k`, whose numbers are added up at the end, always in the same order:
what comes out for a row does not depend on the rows beside it, nor on how outputs are shared out among threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from llvmlite import ir

from n8loom_tui.loom.kernels.workspace import LINE

from .emitter import BYTE, FLOAT, SHORT, Emitter, Value, Variable, whole
from .interface import (
    AT_ONCE,
    BESIDE,
    DOTS_FEW,
    DOTS_MANY,
    FOLD,
    QUANTISED,
    TILE,
    UNPACK,
    Lying,
    longest_stretch,
    rows_at_once,
)
from .machine import VECTORS, Machine
from .panels import added_up
from .product import Blocks, Panels, by_count

AHEAD = 4
"""How many times `AT_ONCE` outputs what is fetched is ahead of what is computed."""


class _Unpacker:
    """Writes what makes vectors of weights."""

    def __init__(self, e: Emitter, machine: Machine, lying: Lying) -> None:
        self._e, self._lying = e, lying
        self._looked_up = machine.x86 and e.width == 16 and lying.bits == 4
        self._wide = ir.VectorType(SHORT, e.width)

    def block(self, block: Value, each: Callable[[int, Value, Value], None]) -> None:
        """Code for all weights of a block: `each` is given an output, which of its inputs the first is, a vector."""
        e, b, lying = self._e, self._e.builder, self._lying
        codes = b.add(block, whole(lying.groups * AT_ONCE * 2 * 4))
        with e.count(whole(lying.units)) as unit:
            first = b.mul(unit, whole(lying.unit))
            lines = b.add(codes, b.mul(unit, whole(AT_ONCE * lying.line)))
            for output in range(AT_ONCE):
                for place, weight in self._line(block, b.add(lines, whole(output * lying.line)), output):
                    each(output, b.add(first, whole(place)), weight)

    def _line(self, block: Value, line: Value, output: int) -> Iterator[tuple[int, Value]]:
        """Code for one output's weights in a unit: which input the first is, a vector."""
        e, b, lying = self._e, self._e.builder, self._lying
        stored = self._four_bits(line) if lying.bits == 4 else None
        make: Callable[[Value], Value] | None = None
        for number in range(lying.unit // e.width):
            place = number * e.width
            if place % lying.group == 0:
                group = (
                    block if lying.units > 1 else b.add(block, whole(place // lying.group * AT_ONCE * 2 * 4))
                )
                scale, bias = (
                    e.everywhere(e.load(e.at(group, whole(2 * output + part)), FLOAT)) for part in range(2)
                )
                make = self._numbers(scale, bias)
            assert make is not None
            if stored is not None:
                code = b.lshr(stored, ir.Constant(self._wide, [4 * number] * e.width)) if number else stored
            else:
                code = self._eight_bits(b.add(line, whole(place)))
            yield place, make(code)

    def _four_bits(self, line: Value) -> Value:
        kind = ir.VectorType(ir.IntType(16), self._e.width)
        return self._e.builder.zext(self._e.load(line, kind, align=2), self._wide)

    def _eight_bits(self, line: Value) -> Value:
        kind = ir.VectorType(BYTE, self._e.width)
        return self._e.builder.zext(self._e.load(line, kind, align=1), self._wide)

    def _numbers(self, scale: Value, bias: Value) -> Callable[[Value], Value]:
        """What makes numbers of codes: `scale · code + bias`, rounded after each operation, as MLX does."""
        e, b = self._e, self._e.builder
        if self._looked_up:
            all_codes = ir.Constant(e.vector, [float(code) for code in range(e.width)])
            table = b.fadd(b.fmul(all_codes, scale), bias)
            return lambda code: e.looked_up(table, code)

        def computed(code: Value) -> Value:
            if self._lying.bits == 4:
                code = b.and_(code, ir.Constant(self._wide, [15] * e.width))
            return b.fadd(b.fmul(b.sitofp(code, e.vector), scale), bias)

        return computed


@dataclass(frozen=True, slots=True)
class _Totals:
    """Sums while they are in registers."""

    e: Emitter
    places: list[list[Value]]
    values: list[list[Variable]]

    @staticmethod
    def of(e: Emitter, sums: Value, count: int, begun: Value | None = None) -> _Totals:
        """The sums of so many rows, zero unless they have been begun."""
        b, zero = e.builder, e.constant(0.0)
        places = [
            [e.at(sums, whole((row * VECTORS * e.width + output) * e.width)) for row in range(count)]
            for output in range(AT_ONCE)
        ]

        def start(place: Value) -> Value:
            return zero if begun is None else b.select(begun, e.load(place, e.vector), zero)

        return _Totals(e, places, [[Variable(e, start(place)) for place in some] for some in places])

    def add(self, output: int, row: int, x: Value, weight: Value) -> None:
        total = self.values[output][row]
        total.set(self.e.fma(x, weight, total.get()))

    def put(self) -> None:
        for places, values in zip(self.places, self.values, strict=True):
            for place, value in zip(places, values, strict=True):
                self.e.store(value.get(), place)


def _emit_few(module: ir.Module, machine: Machine, name: str, lying: Lying) -> ir.Function:
    """The code that unpacks weights and multiplies rows with them in registers."""
    e = Emitter(module, name, DOTS_FEW, machine.width)
    b, a = e.builder, e.arguments
    unpacker = _Unpacker(e, machine, lying)

    def tile(count: int) -> None:
        totals = _Totals.of(e, a["sums"], count)
        with e.count(a["count"]) as number:
            offset = b.mul(number, whole(lying.nbytes))
            for byte in range(0, lying.nbytes, LINE):
                e.prefetch(e.sum(a["ahead"], offset, whole(byte)))
            rows = [
                e.at(a["x"], b.add(b.mul(whole(row), a["x_step"]), b.mul(number, whole(lying.inputs))))
                for row in range(count)
            ]

            def multiply(output: int, place: Value, weight: Value) -> None:
                for row, start in enumerate(rows):
                    totals.add(output, row, e.load(e.at(start, place), e.vector), weight)

            unpacker.block(b.add(a["w"], offset), multiply)
        totals.put()

    by_count(e, a["rows"], rows_at_once(machine), tile)
    return e.done()


def _emit_unpack(module: ir.Module, machine: Machine, name: str, lying: Lying) -> ir.Function:
    """The code that unpacks weights: `[inputs / width, AT_ONCE, width]`."""
    e = Emitter(module, name, UNPACK, machine.width)
    b, a = e.builder, e.arguments
    unpacker = _Unpacker(e, machine, lying)
    with e.count(a["count"]) as number:
        offset = b.mul(number, whole(lying.nbytes))
        into = e.at(a["unpacked"], b.mul(number, whole(lying.inputs * AT_ONCE)))

        def put(output: int, place: Value, weight: Value) -> None:
            e.store(weight, e.at(into, b.add(b.mul(place, whole(AT_ONCE)), whole(output * e.width))))

        unpacker.block(b.add(a["w"], offset), put)
    return e.done()


def _emit_fold(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code that adds up the sums of a vector of outputs, `[rows, width]`."""
    e = Emitter(module, name, FOLD, machine.width)
    b, a = e.builder, e.arguments
    mask = e.below(a["outputs"])
    seen = b.and_(mask, e.everywhere(b.icmp_signed("!=", a["adding"], whole(0))))
    with e.count(a["rows"]) as row:
        sums = e.at(a["sums"], b.mul(row, whole(machine.panel * e.width)))
        total = added_up(e, [e.load(e.at(sums, whole(lane * e.width)), e.vector) for lane in range(e.width)])
        into = e.at(a["out"], b.mul(row, a["out_step"]))
        before = e.load_some(into, seen, e.constant(0.0))
        e.store_some(b.fadd(total, before), into, mask)
    return e.done()


def _emit_beside(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code that puts vectors of the rows that are multiplied together side by side: `[inner / width, count, width]`
    for each block of `count` rows."""
    e = Emitter(module, name, BESIDE, machine.width)
    b, a = e.builder, e.arguments
    blocks = Blocks(e, rows_at_once(machine), a["rows"])
    with e.count(blocks.number) as number:
        first, count = blocks.bounds(number)
        room = e.at(a["beside"], b.mul(first, a["inner"]))
        with e.count(count) as row:
            source = e.at(a["x"], b.mul(b.add(first, row), a["x_step"]))
            into = e.at(room, b.mul(row, whole(e.width)))
            with e.count(a["inner"], step=e.width) as place:
                e.store(e.load(e.at(source, place), e.vector), e.at(into, b.mul(place, count)))
    return e.done()


def _emit_many(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code that multiplies rows that were put side by side with weights that were unpacked."""
    e = Emitter(module, name, DOTS_MANY, machine.width)
    b, a = e.builder, e.arguments
    begun = b.icmp_signed("!=", a["begun"], whole(0))
    blocks = Blocks(e, rows_at_once(machine), a["rows"])
    vectors = b.sdiv(a["count"], whole(e.width))
    turns = e.most(b.mul(b.sub(a["last"], a["first"]), vectors), whole(1))
    ahead = b.sdiv(b.add(a["ahead_size"], b.sub(turns, whole(1))), turns)
    with e.count(b.sub(a["last"], a["first"])) as turn:
        number = b.add(a["first"], turn)
        first, count = blocks.bounds(number)
        begin = b.add(b.mul(first, a["inner"]), b.mul(a["begin"], count))
        x = e.at(a["beside"], begin)
        before, _ = blocks.bounds(a["first"])
        fetched = b.add(a["ahead"], e.product(turn, vectors, ahead))
        sums = e.at(a["sums"], b.mul(b.sub(first, before), whole(machine.panel * e.width)))

        def tile(count: int) -> None:
            totals = _Totals.of(e, sums, count, begun)
            with e.count(a["count"], step=e.width) as place:
                e.prefetch(b.add(fetched, b.mul(b.sdiv(place, whole(e.width)), ahead)))
                here = e.at(a["unpacked"], b.mul(place, whole(AT_ONCE)))
                weights = [e.load(e.at(here, whole(output * e.width)), e.vector) for output in range(AT_ONCE)]
                lines = e.at(x, b.mul(place, whole(count)))
                for row in range(count):
                    line = e.load(e.at(lines, whole(row * e.width)), e.vector)
                    for output, weight in enumerate(weights):
                        totals.add(output, row, line, weight)
            totals.put()

        by_count(e, count, rows_at_once(machine), tile)
    return e.done()


@dataclass(frozen=True, slots=True)
class _Functions:
    beside: ir.Function
    few: ir.Function
    unpack: ir.Function
    many: ir.Function
    fold: ir.Function


def emit_quantised(module: ir.Module, machine: Machine, name: str, lying: Lying) -> ir.Function:
    """The code of a product with quantised weights."""
    functions = _Functions(
        _emit_beside(module, machine, f"{name} beside"),
        _emit_few(module, machine, f"{name} few", lying),
        _emit_unpack(module, machine, f"{name} unpack", lying),
        _emit_many(module, machine, f"{name} many"),
        _emit_fold(module, machine, f"{name} fold"),
    )
    return _Product(module, machine, name, lying, functions).write()


class _Product:
    """Goes through the panels."""

    def __init__(
        self, module: ir.Module, machine: Machine, name: str, lying: Lying, functions: _Functions
    ) -> None:
        self.e = Emitter(module, name, QUANTISED, machine.width)
        self._machine, self._lying, self._functions = machine, lying, functions
        self._blocks = self.e.builder.sdiv(self.e.arguments["inner"], whole(lying.inputs))
        self._parts = whole(machine.panel // AT_ONCE)

    def write(self) -> ir.Function:
        e, b, a, machine = self.e, self.e.builder, self.e.arguments, self._machine
        with b.if_else(b.icmp_signed("<=", a["rows"], whole(rows_at_once(machine)))) as (few, many):
            with few, Panels(e, machine).each() as panels:
                self._few(panels)
                self._fold(panels[0], whole(0), a["rows"])
            with many:
                with b.if_then(b.icmp_signed("!=", a["gather"], whole(0))):
                    e.call(self._functions.beside, [a[given] for given in BESIDE])
                blocks = Blocks(e, rows_at_once(machine), a["rows"])
                tiles = b.sdiv(b.add(blocks.number, whole(TILE - 1)), whole(TILE))
                with Panels(e, machine).each() as panels, e.count(tiles) as turn:
                    begin = b.mul(turn, whole(TILE))
                    end = e.least(b.add(begin, whole(TILE)), blocks.number)
                    self._many(panels, begin, end)
                    first, last = (blocks.bounds(number)[0] for number in (begin, end))
                    self._fold(panels[0], first, b.sub(last, first))
        return e.done()

    def _fold(self, number: Value, first: Value, rows: Value) -> None:
        """Code that adds up the sums of some rows from the first on."""
        e, b, a, machine = self.e, self.e.builder, self.e.arguments, self._machine
        with e.count(whole(VECTORS)) as half:
            begin = b.add(b.mul(number, whole(machine.panel)), b.mul(half, whole(machine.width)))
            left = b.sub(a["outputs"], begin)
            with b.if_then(b.icmp_signed(">", left, whole(0))):
                sums = e.at(a["sums"], b.mul(half, whole(machine.width * machine.width)))
                into = e.at(a["out"], b.add(b.mul(first, a["out_step"]), begin))
                e.call(self._functions.fold, [sums, rows, into, a["out_step"], left, a["adding"]])

    def _codes(self, panels: tuple[Value, Value], part: Value) -> tuple[Value, Value]:
        """Where the codes of some outputs are, and those that are fetched meanwhile."""
        e, b, a = self.e, self.e.builder, self.e.arguments
        size = b.mul(self._blocks, whole(self._lying.nbytes))
        later = b.add(part, whole(AHEAD))
        panel = b.select(b.icmp_signed("<", later, self._parts), *panels)
        places = (panels[0], part), (panel, b.srem(later, self._parts))
        w, ahead = (e.sum(a["w"], b.mul(n, a["panel_step"]), b.mul(place, size)) for n, place in places)
        return w, ahead

    def _few(self, panels: tuple[Value, Value]) -> None:
        e, b, a = self.e, self.e.builder, self.e.arguments
        with e.count(self._parts) as part:
            w, ahead = self._codes(panels, part)
            sums = e.at(a["sums"], b.mul(part, whole(AT_ONCE * e.width)))
            e.call(self._functions.few, [a["x"], a["rows"], a["x_step"], w, self._blocks, sums, ahead])

    def _many(self, panels: tuple[Value, Value], first: Value, last: Value) -> None:
        """Code for the blocks of rows from the first up to the last."""
        e, b, a, lying = self.e, self.e.builder, self.e.arguments, self._lying
        stretch = whole(longest_stretch(lying) // lying.inputs)
        turns = b.sdiv(b.add(self._blocks, b.sub(stretch, whole(1))), stretch)
        of_x = (a["beside"], a["rows"], a["inner"], first, last)
        with e.count(turns) as turn, e.count(self._parts) as part:
            w, ahead = self._codes(panels, part)
            begin = b.mul(turn, stretch)
            count = e.least(stretch, b.sub(self._blocks, begin))
            offset = b.mul(begin, whole(lying.nbytes))
            e.call(self._functions.unpack, [b.add(w, offset), count, a["unpacked"]])
            inputs = (b.mul(begin, whole(lying.inputs)), b.mul(count, whole(lying.inputs)))
            sums = e.at(a["sums"], b.mul(part, whole(AT_ONCE * e.width)))
            fetched = (b.add(ahead, offset), b.mul(count, whole(lying.nbytes)))
            e.call(
                self._functions.many, [*of_x, a["unpacked"], *inputs, sums, e.least(turn, whole(1)), *fetched]
            )
