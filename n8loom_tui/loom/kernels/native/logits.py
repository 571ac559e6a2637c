"""The code that goes through a whole vocabulary: the largest logits, the sums of exponentials, the loudest noise."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from .elementwise import SMALLEST, exponential
from .emitter import BIT, WHOLE, Emitter, Value, Variable, whole
from .interface import LOUD, WEIGHING
from .machine import Machine

ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
"""SplitMix64's finaliser, but for its last step: by how much it shifts, and what it multiplies by."""


def emit_weighing(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code that finds the largest logits of rows and sums up the exponentials, as `WEIGHING` says."""
    e = Emitter(module, name, WEIGHING, machine.width)
    b, a = e.builder, e.arguments
    lines = b.sdiv(b.add(a["size"], b.sub(a["line"], whole(1))), a["line"])
    with e.count(a["high"], a["low"]) as row:
        logits = e.at(a["table"], b.mul(row, a["size"]))
        best = _folded(e, logits, lines, e.at(a["maxima"], b.mul(row, a["line"])))
        e.store(best, e.at(a["best"], row))
        with e.count(lines) as number:
            begin = b.mul(number, a["line"])
            stop = e.least(a["size"], b.add(begin, a["line"]))
            total, product = _sums(e, logits, begin, stop, e.everywhere(best))
            place = b.add(b.mul(row, lines), number)
            e.store(total, e.at(a["sums"], place))
            e.store(product, e.at(a["products"], place))
    return e.done()


def _folded(e: Emitter, logits: Value, lines: Value, into: Value) -> Value:
    """The largest of each column, and of all. Line by line, as they lie in memory."""
    b, a = e.builder, e.arguments
    lowest = e.constant(float("-inf"))

    def clear(column: Value, mask: Value | None) -> None:
        e.store_some(lowest, e.at(into, column), mask)

    _vectors(e, whole(0), a["line"], clear)
    with e.count(lines) as number:
        line = e.at(logits, b.mul(number, a["line"]))

        def compare(column: Value, mask: Value | None) -> None:
            place, lowest_there = e.at(into, column), e.load_some(e.at(into, column), mask, lowest)
            e.store_some(e.larger(e.load_some(e.at(line, column), mask, lowest), lowest_there), place, mask)

        _vectors(e, whole(0), e.least(a["line"], b.sub(a["size"], b.mul(number, a["line"]))), compare)
    best = Variable(e, lowest)

    def take(column: Value, mask: Value | None) -> None:
        best.set(e.larger(e.load_some(e.at(into, column), mask, lowest), best.get()))

    _vectors(e, whole(0), a["line"], take)
    return e.largest(best.get())


def _sums(e: Emitter, logits: Value, begin: Value, stop: Value, best: Value) -> tuple[Value, Value]:
    """Of a stretch. What is no number makes sums that are none."""
    b, least = e.builder, e.constant(SMALLEST)
    total, product = Variable(e, e.constant(0.0)), Variable(e, e.constant(0.0))

    def add(place: Value, mask: Value | None) -> None:
        below = b.fsub(e.load_some(e.at(logits, place), mask, e.constant(float("-inf"))), best)
        below = b.select(b.fcmp_ordered("<", below, least), least, below)
        share = exponential(e, below)
        total.set(b.fadd(total.get(), share))
        product.set(e.fma(share, below, product.get()))

    _vectors(e, begin, stop, add)
    return e.added(total.get()), e.added(product.get())


def _vectors(e: Emitter, begin: Value, stop: Value, write: Callable[[Value, Value | None], None]) -> None:
    """Code for each whole vector of a stretch, and (with a mask) for what is left behind them."""
    b = e.builder
    left = b.srem(b.sub(stop, begin), whole(e.width))
    last = b.sub(stop, left)
    with e.count(last, begin, step=e.width) as place:
        write(place, None)
    with b.if_then(b.icmp_signed("!=", left, whole(0)), likely=False):
        write(last, e.below(left))


def emit_loud(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code that finds the tokens with a loud noise, as `LOUD` says; it is that of `noise.loud`."""
    e = Emitter(module, name, LOUD, machine.width)
    b, a = e.builder, e.arguments
    first = b.add(e.everywhere(a["counter"]), ir.Constant(e.wholes, list(range(e.width))))
    least, found = e.everywhere(a["least"]), Variable(e, whole(0))
    with e.count(a["size"], step=e.width) as place:
        x = b.add(first, e.everywhere(place))
        for shift, factor in ROUNDS:
            x = b.xor(x, b.lshr(x, ir.Constant(e.wholes, [shift] * e.width)))
            x = b.mul(x, ir.Constant(e.wholes, [factor] * e.width))
        there = b.and_(b.icmp_unsigned(">=", x, least), e.below(b.sub(a["size"], place)))
        bits = Variable(e, b.zext(b.bitcast(there, ir.IntType(e.width)), WHOLE))
        with (
            b.if_then(b.icmp_unsigned("!=", bits.get(), whole(0)), likely=False),
            e.count(b.ctpop(bits.get())),
        ):
            found.add(whole(1))
            token = b.add(place, b.cttz(bits.get(), ir.Constant(BIT, 0)))
            e.store(token, e.at(a["found"], found.get(), 8))
            bits.set(b.and_(bits.get(), b.sub(bits.get(), whole(1))))
    e.store(found.get(), a["found"])
    return e.done()
