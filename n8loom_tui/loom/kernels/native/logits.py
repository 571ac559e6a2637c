"""The code that goes through a vocabulary: the largest logits, the sums of exponentials, the loudest noise."""

from __future__ import annotations

from llvmlite import ir

from .elementwise import SMALLEST, exponential
from .emitter import Emitter, Value, Variable, whole
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
    """The largest of each column, and of all."""
    b, a = e.builder, e.arguments
    lowest = e.constant(float("-inf"))
    best = Variable(e, lowest)
    with e.count(a["line"], step=e.width) as column:
        within = b.sub(a["line"], column)
        highest = Variable(e, lowest)
        with e.count(lines) as number:
            place = b.add(b.mul(number, a["line"]), column)
            mask = e.below(e.least(within, b.sub(a["size"], place)))
            highest.set(e.larger(e.load_some(e.at(logits, place), mask, lowest), highest.get()))
        e.store_some(highest.get(), e.at(into, column), e.below(within))
        best.set(e.larger(highest.get(), best.get()))
    return e.largest(best.get())


def _sums(e: Emitter, logits: Value, begin: Value, stop: Value, best: Value) -> tuple[Value, Value]:
    """Of a stretch. What is no number makes sums that are none."""
    b, least = e.builder, e.constant(SMALLEST)
    total, product = Variable(e, e.constant(0.0)), Variable(e, e.constant(0.0))
    with e.count(stop, begin, step=e.width) as place:
        mask = e.below(b.sub(stop, place))
        below = b.fsub(e.load_some(e.at(logits, place), mask, e.constant(float("-inf"))), best)
        below = b.select(b.fcmp_ordered("<", below, least), least, below)
        share = exponential(e, below)
        total.set(b.fadd(total.get(), share))
        product.set(e.fma(share, below, product.get()))
    return e.added(total.get()), e.added(product.get())


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
        loud = b.bitcast(b.icmp_unsigned(">=", x, least), ir.IntType(e.width))
        with b.if_then(b.icmp_unsigned("!=", loud, ir.Constant(loud.type, 0)), likely=False):
            found.add(whole(1))
            e.store(b.sdiv(place, whole(e.width)), e.at(a["found"], found.get(), 8))
    e.store(found.get(), a["found"])
    return e.done()
