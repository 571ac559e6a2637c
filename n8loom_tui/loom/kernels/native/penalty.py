"""The code that moves the few tokens that a repetition penalty acts on."""

from __future__ import annotations

from llvmlite import ir

from .emitter import FLOAT, WHOLE, Emitter, Value, Variable, real, whole
from .interface import MOVING, NOTHING, SAYING
from .machine import Machine
from .ranking import key_of

LOW = 0xFFFFFFFF


def emit_saying(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code that looks up the logits of tokens that were said, as `SAYING` says."""
    e = Emitter(module, name, SAYING, machine.width)
    b, a = e.builder, e.arguments
    found, last = Variable(e, whole(0)), Variable(e, whole(-1))
    with e.count(a["count"]) as number:
        place = e.load(e.at(a["places"], number, 8), WHOLE)
        row, token = b.lshr(place, whole(32)), b.and_(place, whole(LOW))
        new = b.and_(b.icmp_signed("!=", place, last.get()), b.icmp_signed("<", token, a["size"]))
        last.set(place)
        with b.if_then(new):
            logits = e.at(a["table"], b.mul(e.load(e.at(a["rows"], row, 8), WHOLE), a["size"]))
            before, penalty = (
                e.load(e.at(*where), FLOAT) for where in ((logits, token), (a["penalties"], row))
            )
            below = b.fcmp_ordered("<", before, real(0.0))
            after = b.select(below, b.fmul(before, penalty), b.fdiv(before, penalty))
            whole_ones, real_ones = {"numbers": row, "tokens": token}, {"before": before, "after": after}
            for size, values in ((8, whole_ones), (4, real_ones)):
                for given, value in values.items():
                    e.store(value, e.at(a[given], found.get(), size))
            found.add(whole(1))
    e.store(found.get(), a["found"])
    return e.done()


def emit_moving(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code that takes tokens out of rows of keys and puts them in anew, as `MOVING` says."""
    e = Emitter(module, name, MOVING, machine.width)
    b, a = e.builder, e.arguments
    with e.count(a["count"]) as number:
        row, token = (e.load(e.at(a[given], number, 8), WHOLE) for given in ("numbers", "tokens"))
        before, after = (e.load(e.at(a[given], number), FLOAT) for given in ("before", "after"))
        edge = e.load(e.at(a["edges"], row), FLOAT)
        moved = e.at(a["moved"], b.mul(row, a["room"]), 8)
        with b.if_then(b.fcmp_ordered(">=", before, edge)):
            keys, key = e.at(a["keys"], b.mul(row, a["step"]), 8), key_of(e, before, token)
            place = _place(e, keys, a["width"], key)
            with b.if_then(b.icmp_signed("<", place, a["width"])):
                there = b.icmp_signed("==", e.load(e.at(keys, place, 8), WHOLE), key)
                with b.if_then(there):
                    e.store(whole(NOTHING), e.at(moved, place, 8))
        with b.if_then(b.fcmp_ordered(">", after, edge)):
            length = e.at(a["lengths"], row, 8)
            free = e.load(length, WHOLE)
            e.store(key_of(e, after, token), e.at(moved, free, 8))
            e.store(b.add(free, whole(1)), length)
    return e.done()


def _place(e: Emitter, keys: Value, count: Value, key: Value) -> Value:
    """How many of sorted keys are smaller than one."""
    b = e.builder
    low, high = Variable(e, whole(0)), Variable(e, count)
    with e.as_long_as(lambda: b.icmp_signed("<", low.get(), high.get())):
        middle = b.lshr(b.add(low.get(), high.get()), whole(1))
        smaller = b.icmp_unsigned("<", e.load(e.at(keys, middle, 8), WHOLE), key)
        low.set(b.select(smaller, b.add(middle, whole(1)), low.get()))
        high.set(b.select(smaller, high.get(), middle))
    return low.get()
