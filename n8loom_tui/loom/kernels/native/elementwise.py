"""The code of what is done number by number: norms, rotary positions, gates, exp."""

from __future__ import annotations

from llvmlite import ir

from .emitter import FLOAT, WHOLE, Emitter, Value, Variable, real, whole
from .interface import BIAS, GATE, NORM, TURN
from .machine import Machine

LOG2_E = 1.4426950408889634
LN2 = (0.693359375, -2.12194440e-4)
"""The logarithm of 2 in two parts, of which the first has few digits (Cephes)."""
EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
"""A polynomial for exp between -ln 2/2 and ln 2/2 (Cephes)."""
SMALLEST = -87.3
"""The least number whose exp is a normal float32."""
ROUNDER = 12582912.0
"""Added to a float32 it leaves the nearest whole number in the lowest bits."""


def exponential(e: Emitter, x: Value) -> Value:
    """exp of a vector of numbers up to 88; of what is none, none. What is under `SMALLEST` counts as that."""
    b = e.builder
    least = e.constant(SMALLEST)
    x = b.select(b.fcmp_ordered("<", x, least), least, x)
    shifted = e.fma(x, e.constant(LOG2_E), e.constant(ROUNDER))
    count = b.fsub(shifted, e.constant(ROUNDER))
    rest = e.fma(count, e.constant(-LN2[0]), x)
    rest = e.fma(count, e.constant(-LN2[1]), rest)
    value = e.constant(EXP[0])
    for factor in EXP[1:]:
        value = e.fma(value, rest, e.constant(factor))
    value = b.fadd(e.fma(value, b.fmul(rest, rest), rest), e.constant(1.0))
    wide = ir.VectorType(ir.IntType(32), e.width)
    exponent = b.add(b.bitcast(shifted, wide), ir.Constant(wide, [127] * e.width))
    power = b.bitcast(b.shl(exponent, ir.Constant(wide, [23] * e.width)), e.vector)
    return b.fmul(value, power)


def emit_norm(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code of root mean square normalisation (arXiv:1910.07467)."""
    e = Emitter(module, name, NORM, machine.width)
    b, a = e.builder, e.arguments
    with e.count(a["high"], a["low"]) as row, e.count(a["heads"]) as head:
        begin = b.mul(head, a["dim"])
        source = e.at(a["x"], b.add(b.mul(row, a["x_step"]), begin))
        into = e.at(a["out"], b.add(b.mul(row, a["out_step"]), begin))
        squares = Variable(e, e.constant(0.0))
        with e.count(a["dim"], step=e.width) as place:
            x = e.load_some(e.at(source, place), e.below(b.sub(a["dim"], place)), e.constant(0.0))
            squares.set(e.fma(x, x, squares.get()))
        mean = b.fdiv(e.added(squares.get()), b.sitofp(a["dim"], FLOAT))
        factor = b.fdiv(real(1.0), e.root(b.fadd(mean, e.as_real(a["epsilon"]))))
        with e.count(a["dim"], step=e.width) as place:
            mask = e.below(b.sub(a["dim"], place))
            x = e.load_some(e.at(source, place), mask, e.constant(0.0))
            weight = e.load_some(e.at(a["weight"], place), mask, e.constant(0.0))
            e.store_some(b.fmul(b.fmul(x, e.everywhere(factor)), weight), e.at(into, place), mask)
    return e.done()


def emit_turn(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code that turns queries and keys by their positions and puts keys and values where they are kept."""
    e = Emitter(module, name, TURN, machine.width)
    b, a = e.builder, e.arguments
    scale, one = e.as_real(a["scale"]), real(1.0)
    queries = b.mul(a["heads"], a["group"])
    with e.count(a["high"], a["low"]) as row:
        made = e.at(a["made"], b.mul(row, a["made_step"]))
        angles = b.mul(row, a["dim"])
        kept = e.at(a["kept"], b.mul(row, whole(3)), 8)
        keys, values, step = (e.load(e.at(kept, whole(part), 8), WHOLE) for part in range(3))
        with e.count(a["heads"]) as head:
            line = b.add(b.mul(head, b.sub(a["high"], a["low"])), b.sub(row, a["low"]))
            with e.count(a["group"]) as query:
                number = b.add(b.mul(head, a["group"]), query)
                into = e.at(a["queries"], b.mul(b.add(b.mul(line, a["group"]), query), a["dim"]))
                _turned(e, e.at(made, b.mul(number, a["dim"])), angles, scale, into)
            key = e.at(made, b.mul(b.add(queries, head), a["dim"]))
            _turned(e, key, angles, one, e.at(keys, b.mul(head, step)))
            value = e.at(made, b.mul(e.sum(queries, a["heads"], head), a["dim"]))
            into = e.at(values, b.mul(head, step))
            with e.count(a["dim"], step=e.width) as place:
                mask = e.below(b.sub(a["dim"], place))
                e.store_some(e.load_some(e.at(value, place), mask, e.constant(0.0)), e.at(into, place), mask)
    return e.done()


def _turned(e: Emitter, x: Value, angles: Value, scale: Value, into: Value) -> None:
    b, a = e.builder, e.arguments
    with e.count(a["dim"]) as place:
        partner = e.load(e.at(a["partners"], place, 8), WHOLE)
        angle = b.add(angles, place)
        straight = b.fmul(e.load(e.at(x, place), FLOAT), e.load(e.at(a["cosines"], angle), FLOAT))
        across = b.fmul(e.load(e.at(x, partner), FLOAT), e.load(e.at(a["sines"], angle), FLOAT))
        e.store(b.fmul(b.fadd(straight, across), scale), e.at(into, place))


def emit_gate(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code of the gated part of an MLP."""
    e = Emitter(module, name, GATE, machine.width)
    b, a = e.builder, e.arguments
    with e.count(a["rows"]) as row, e.count(a["columns"], step=e.width) as column:
        mask = e.below(b.sub(a["columns"], column))
        place = b.add(b.mul(row, a["step"]), column)
        gate = e.load_some(e.at(a["gate"], place), mask, e.constant(0.0))
        up = e.load_some(e.at(a["up"], place), mask, e.constant(0.0))
        most = e.constant(-SMALLEST)
        against = b.fneg(gate)
        against = b.select(b.fcmp_ordered(">", against, most), most, against)
        sigmoid = b.fdiv(gate, b.fadd(exponential(e, against), e.constant(1.0)))
        e.store_some(b.fmul(sigmoid, up), e.at(a["gate"], place), mask)
    return e.done()


def emit_bias(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code that adds a bias to rows."""
    e = Emitter(module, name, BIAS, machine.width)
    b, a = e.builder, e.arguments
    with e.count(a["rows"]) as row, e.count(a["columns"], step=e.width) as column:
        mask = e.below(b.sub(a["columns"], column))
        place = e.at(a["out"], b.add(b.mul(row, a["step"]), column))
        bias = e.load_some(e.at(a["bias"], column), mask, e.constant(0.0))
        e.store_some(b.fadd(e.load_some(place, mask, bias), bias), place, mask)
    return e.done()
