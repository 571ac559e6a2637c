"""The code that finds the most probable tokens of a row, and sorts them. Keys are those of `loom.ranking.packed`."""

from __future__ import annotations

from llvmlite import ir

from .emitter import BIT, FLOAT, SHORT, WHOLE, Emitter, Value, Variable, real, whole
from .interface import LOOKING, NOTHING, RANKING, SORTED, WEIGHING
from .machine import Machine

LEAST = -0x7F800000
"""The least float32 that is no infinity, as a whole number that rises as floats do."""
SLACK = 8
"""An edge is near enough where one in so many more columns reach it than have to."""


def emit_looking(
    module: ir.Module, machine: Machine, name: str, weigh: ir.Function, rank: ir.Function
) -> ir.Function:
    """The code that weighs and ranks one row after the other, as `LOOKING` says: each while it is in the cache."""
    e = Emitter(module, name, LOOKING, machine.width)
    with e.count(e.arguments["high"], e.arguments["low"]) as row:
        given = e.arguments | {"low": row, "high": e.builder.add(row, whole(1))}
        e.call(weigh, [given[each] for each in WEIGHING])
        e.call(rank, [given[each] for each in RANKING])
    return e.done()


def emit_ranking(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code that finds the tokens that are ranked highest, as `RANKING` says."""
    e = Emitter(module, name, RANKING, machine.width)
    b, a = e.builder, e.arguments
    unsorted = e.at(a["space"], a["line"])
    with e.count(a["high"], a["low"]) as number:
        row = e.load(e.at(a["rows"], number, 8), WHOLE)
        logits, maxima = e.at(a["table"], b.mul(row, a["size"])), e.at(a["maxima"], b.mul(row, a["line"]))
        keys = e.at(a["keys"], b.mul(number, a["room"]), 8)
        found = _collected(e, logits, maxima, _edge(e, maxima), unsorted)
        e.store(found, e.at(a["found"], number, 8))
        few = e.least(found, a["room"])
        with e.count(
            b.mul(b.sdiv(b.add(few, whole(e.width - 1)), whole(e.width)), whole(e.width)), few
        ) as place:
            e.store(whole(NOTHING), e.at(unsorted, place, 8))
        with e.count(few) as place:
            key = e.load(e.at(unsorted, place, 8), WHOLE)
            with b.if_else(b.icmp_signed("<=", few, whole(SORTED))) as (then, otherwise):
                with then:
                    e.store(key, e.at(keys, _before(e, unsorted, few, key), 8))
                with otherwise:
                    e.store(key, e.at(keys, place, 8))
        with e.count(a["room"], few) as place:
            e.store(whole(NOTHING), e.at(keys, place, 8))
    return e.done()


def _edge(e: Emitter, maxima: Value) -> Value:
    """A number that at least `count` columns of a row reach, and not many more; the least of all where none is known.

    The columns are folded further, and the edge is narrowed down on numbers that rise as floats do.
    """
    b, a = e.builder, e.arguments
    lowest, highest = _folded(e, maxima, a["space"])
    low = Variable(e, e.most(_rising(e, lowest), whole(LEAST)))
    high = Variable(e, b.add(e.most(_rising(e, highest), whole(LEAST)), whole(1)))
    with b.if_then(b.icmp_signed(">", a["count"], a["columns"])):
        low.set(whole(LEAST))
        high.set(whole(LEAST))
    enough = b.add(a["count"], b.sdiv(a["count"], whole(SLACK)))
    with e.as_long_as(lambda: b.icmp_signed(">", b.sub(high.get(), low.get()), whole(1))):
        middle = b.ashr(b.add(low.get(), high.get()), whole(1))
        reached, edge = Variable(e, whole(0)), e.everywhere(_real(e, middle))
        with e.count(a["columns"], step=e.width) as column:
            mask = e.below(b.sub(a["columns"], column))
            reached.add(b.ctpop(_reaching(e, e.at(a["space"], column), mask, edge)))
        with b.if_else(b.icmp_signed(">=", reached.get(), a["count"])) as (then, otherwise):
            with then:
                low.set(middle)
                near = b.icmp_signed("<=", reached.get(), enough)
                high.set(b.select(near, middle, high.get()))
            with otherwise:
                high.set(middle)
    return e.everywhere(_real(e, low.get()))


def _folded(e: Emitter, maxima: Value, into: Value) -> tuple[Value, Value]:
    """Lay a row's columns out in `columns` columns. The least and the largest of these."""
    b, a = e.builder, e.arguments
    none = e.constant(float("-inf"))
    lowest, highest = Variable(e, e.constant(float("inf"))), Variable(e, none)
    with e.count(a["columns"], step=e.width) as column:
        mask = e.below(b.sub(a["columns"], column))
        best = Variable(e, none)
        with e.count(b.sdiv(a["line"], a["columns"])) as turn:
            place = b.add(b.mul(turn, a["columns"]), column)
            best.set(e.larger(e.load_some(e.at(maxima, place), mask, none), best.get()))
        e.store_some(best.get(), e.at(into, column), mask)
        highest.set(e.larger(best.get(), highest.get()))
        lower = b.and_(mask, b.fcmp_ordered("<", best.get(), lowest.get()))
        lowest.set(b.select(lower, best.get(), lowest.get()))
    return b.fneg(e.largest(b.fneg(lowest.get()))), e.largest(highest.get())


def _rising(e: Emitter, number: Value) -> Value:
    """A float32 as a whole number, the larger the larger."""
    return e.builder.sext(_turned(e, e.builder.bitcast(number, SHORT)), WHOLE)


def _real(e: Emitter, rising: Value) -> Value:
    """The float32 again."""
    return e.builder.bitcast(_turned(e, e.builder.trunc(rising, SHORT)), FLOAT)


def _turned(e: Emitter, bits: Value) -> Value:
    b = e.builder
    return b.xor(bits, b.and_(b.ashr(bits, ir.Constant(SHORT, 31)), ir.Constant(SHORT, 0x7FFFFFFF)))


def _collected(e: Emitter, logits: Value, maxima: Value, edge: Value, into: Value) -> Value:
    """The keys of the tokens that reach an edge, up to `room`, and how many these are in all."""
    b, a = e.builder, e.arguments
    lines = b.sdiv(b.add(a["size"], b.sub(a["line"], whole(1))), a["line"])
    found = Variable(e, whole(0))
    with e.count(a["line"], step=e.width) as column:
        within = e.below(b.sub(a["line"], column))
        some = _reaching(e, e.at(maxima, column), within, edge)
        with b.if_then(b.icmp_unsigned("!=", some, whole(0)), likely=False), e.count(lines) as line:
            place = b.add(b.mul(line, a["line"]), column)
            there = b.and_(within, e.below(b.sub(a["size"], place)))
            bits = Variable(e, _reaching(e, e.at(logits, place), there, edge))
            with e.count(b.ctpop(bits.get())):
                token = b.add(place, b.cttz(bits.get(), ir.Constant(BIT, 0)))
                bits.set(b.and_(bits.get(), b.sub(bits.get(), whole(1))))
                with b.if_then(b.icmp_signed("<", found.get(), a["room"])):
                    key = key_of(e, e.load(e.at(logits, token), FLOAT), token)
                    e.store(key, e.at(into, found.get(), 8))
                found.add(whole(1))
    return found.get()


def _reaching(e: Emitter, address: Value, mask: Value, edge: Value) -> Value:
    """Which numbers of a vector reach the edge, as the bits of a whole number."""
    b = e.builder
    reaching = b.fcmp_ordered(">=", e.load_some(address, mask, e.constant(float("-inf"))), edge)
    return b.zext(b.bitcast(b.and_(reaching, mask), ir.IntType(e.width)), WHOLE)


def _before(e: Emitter, keys: Value, count: Value, key: Value) -> Value:
    """How many of `count` keys are smaller than one. Behind them there are larger ones, up to a whole vector."""
    b = e.builder
    smaller, one = Variable(e, whole(0)), e.everywhere(key)
    with e.count(count, step=e.width) as place:
        below = b.icmp_unsigned("<", e.load(e.at(keys, place, 8), e.wholes), one)
        smaller.add(b.zext(b.ctpop(b.bitcast(below, ir.IntType(e.width))), WHOLE))
    return smaller.get()


def key_of(e: Emitter, logit: Value, token: Value) -> Value:
    """The key of a token."""
    b = e.builder
    bits = b.bitcast(b.fadd(logit, real(0.0)), SHORT)  # minus zero and zero are equal
    falling = b.and_(b.not_(b.ashr(bits, ir.Constant(SHORT, 31))), ir.Constant(SHORT, 0x7FFFFFFF))
    return b.or_(b.shl(b.zext(b.xor(bits, falling), WHOLE), whole(32)), token)
