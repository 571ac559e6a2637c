"""The code of attention: many rows over spans that they share, and over columns of their own.

Head by head, for some rows at a time so that all stays in the caches: scores of all parts side by side, a softmax,
the values' weighted sum. Every sum follows the order of the path's positions, whatever parts the path lies in:
what comes out for a row is the same, to the bit, among others and alone, read at once and token by token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from .elementwise import exponential
from .emitter import FLOAT, WHOLE, Emitter, Value, Variable, real, whole
from .few import most_queries
from .interface import ATTENTION, PLAN, SPAN
from .machine import Machine

AHEAD = 16 << 10
"""By how many bytes what is fetched is ahead of what is computed, within a part that is longer."""


_Call = tuple[ir.Function, Sequence[Value]]
"""A function, and what it is given."""


@dataclass(frozen=True, slots=True)
class Products:
    """The functions that attention is made of."""

    product: ir.Function
    crossing: ir.Function
    few_scores: ir.Function
    few_weighed: ir.Function


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of a path: keys and values of a head, which columns of the scores, which rows of the tile.

    `ahead`: which keys and values are wanted soon.
    """

    keys: Value
    values: Value
    ahead: tuple[Value, Value]
    start: Value
    width: Value
    low: Value
    rows: Value


class _Attention:
    def __init__(self, module: ir.Module, machine: Machine, name: str, parts: Products) -> None:
        self.e = Emitter(module, name, ATTENTION, machine.width)
        self._machine, self._parts = machine, parts
        plan = self.e.arguments["plan"]
        self.p = {
            name: self.e.load(self.e.at(plan, whole(place), 8), WHOLE) for place, name in enumerate(PLAN)
        }

    def write(self) -> ir.Function:
        e, p = self.e, self.p
        b = e.builder
        tiles = b.sdiv(b.add(p["rows"], b.sub(p["tile"], whole(1))), p["tile"])
        with e.count(p["heads"]) as head, e.count(tiles) as number:
            first = b.mul(number, p["tile"])
            last = e.least(p["rows"], b.add(first, p["tile"]))
            self._each_part(head, first, last, self._score)
            with e.count(last, first) as row:
                self._soften(row, b.sub(row, first))
            self._clear(b.sub(last, first))
            self._each_part(head, first, last, self._weigh)
            self._put(head, first, last)
        return e.done()

    # ------------------------------------------------------------------ parts

    def _each_part(
        self, head: Value, first: Value, last: Value, write: Callable[[Value, Value, _Part], None]
    ) -> None:
        """Code for each span that has rows in the tile, and for each row's own columns."""
        e, p = self.e, self.p
        b = e.builder
        with e.count(p["span_count"]) as number:
            span = self._span(number)
            low, high = e.most(span["low"], first), e.least(span["high"], last)
            with b.if_then(b.icmp_signed("<", low, high)):
                after = e.least(b.add(number, whole(1)), b.sub(p["span_count"], whole(1)))
                here, following = (self._keys_and_values(head, which) for which in (number, after))
                ahead = self._ahead(here, following, span["width"])
                part = (span["start"], span["width"], low, b.sub(high, low))
                write(head, first, _Part(*here, ahead, *part))
        with b.if_then(b.icmp_signed("!=", e.arguments["own_keys"], whole(0))), e.count(last, first) as row:
            after = e.least(b.add(row, whole(1)), b.sub(p["rows"], whole(1)))
            here, following = (self._own(head, which) for which in (row, after))
            length = self._of_row("lengths", row)
            ahead = self._ahead(here, following, length)
            write(head, first, _Part(*here, ahead, p["own_columns"], length, row, whole(1)))

    def _ahead(self, here: tuple[Value, Value], following: tuple[Value, Value], width: Value) -> Any:
        """What is fetched while a part is computed: more of it, or what follows it."""
        b = self.e.builder
        long = b.icmp_signed(">", self.e.at(whole(0), b.mul(width, self.p["dim"])), whole(AHEAD))
        pairs = zip(here, following, strict=True)
        return tuple(b.select(long, b.add(mine, whole(AHEAD)), after) for mine, after in pairs)

    def _keys_and_values(self, head: Value, number: Value) -> tuple[Value, Value]:
        """Where a span's are."""
        e, b, span = self.e, self.e.builder, self._span(number)
        place = e.at(e.arguments["places"], b.mul(number, whole(2)), 8)
        keys, values = (e.load(e.at(place, whole(which), 8), WHOLE) for which in range(2))
        return e.at(keys, b.mul(head, span["key_step"])), e.at(values, b.mul(head, span["value_step"]))

    def _own(self, head: Value, row: Value) -> tuple[Value, Value]:
        """Where a row's own keys and values are."""
        e, b, p = self.e, self.e.builder, self.p
        place = b.add(b.mul(self._of_row("order", row), p["heads"]), head)
        offset = e.product(place, e.arguments["own_room"], p["dim"])
        return e.at(e.arguments["own_keys"], offset), e.at(e.arguments["own_values"], offset)

    def _span(self, number: Value) -> dict[str, Value]:
        e = self.e
        base = e.at(self.p["spans"], e.builder.mul(number, whole(len(SPAN))), 8)
        return {name: e.load(e.at(base, whole(place), 8), WHOLE) for place, name in enumerate(SPAN)}

    def _of_row(self, name: str, row: Value) -> Value:
        return self.e.load(self.e.at(self.p[name], row, 8), WHOLE)

    def _scores_at(self, row: Value, column: Value) -> Value:
        """Where the scores of a row of the tile are."""
        b = self.e.builder
        return self.e.at(
            self.p["scores"], b.add(self.e.product(row, self.p["group"], self.p["columns"]), column)
        )

    # ------------------------------------------------------------------ steps

    def _score(self, head: Value, first: Value, part: _Part) -> None:
        e, p = self.e, self.p
        b = e.builder
        row = b.add(b.mul(head, p["rows"]), part.low)
        queries = e.at(p["queries"], e.product(row, p["group"], p["dim"]))
        into = self._scores_at(b.sub(part.low, first), part.start)
        count = b.mul(part.rows, p["group"])
        of_queries, of_keys = (queries, count, p["dim"]), (part.keys, p["dim"], part.width)
        room = (into, p["columns"], whole(0), p["space"], p["panel"], whole(0))
        few = (*of_queries, part.keys, part.width, p["dim"], into, p["columns"], part.ahead[0])
        many = (*of_queries, p["dim"], *of_keys, *room)
        self._call(count, (self._parts.few_scores, few), (self._parts.crossing, many))

    def _weigh(self, _head: Value, first: Value, part: _Part) -> None:
        e, p = self.e, self.p
        b = e.builder
        row = b.sub(part.low, first)
        scores, count = self._scores_at(row, part.start), b.mul(part.rows, p["group"])
        into = e.at(p["weighted"], e.product(row, p["group"], p["dim"]))
        steps = (b.mul(p["dim"], whole(4)), whole(4 * self._machine.panel))
        room = (into, p["dim"], whole(1), p["space"], whole(0))
        few = (scores, count, p["columns"], part.values, part.width, p["dim"], into, p["dim"], part.ahead[1])
        many = (scores, count, part.width, p["columns"], part.values, *steps, p["dim"], *room)
        self._call(count, (self._parts.few_weighed, few), (self._parts.product, many))

    def _call(self, count: Value, few: _Call, many: _Call) -> None:
        """Code that calls what is for few queries, or for more."""
        b = self.e.builder
        are_few = b.icmp_signed("<=", count, whole(most_queries(self._machine)))
        with b.if_else(are_few) as blocks:
            for block, call in zip(blocks, (few, many), strict=True):
                with block:
                    self.e.call(*call)

    def _clear(self, rows: Value) -> None:
        e, p = self.e, self.p
        with e.count(e.product(rows, p["group"], p["dim"])) as place:
            e.store(real(0.0), e.at(p["weighted"], place))

    def _put(self, head: Value, first: Value, last: Value) -> None:
        """What was weighed, divided by the weights' sum, to where it is wanted."""
        e, p = self.e, self.p
        b = e.builder
        size = b.mul(p["group"], p["dim"])
        with e.count(last, first) as row:
            source = e.at(p["weighted"], b.mul(b.sub(row, first), size))
            into = e.at(e.arguments["out"], b.mul(b.add(b.mul(row, p["heads"]), head), size))
            with e.count(p["group"]) as query:
                total = e.load(e.at(p["totals"], b.add(b.mul(b.sub(row, first), p["group"]), query)), FLOAT)
                begin = b.mul(query, p["dim"])
                with e.count(p["dim"], step=e.width) as place:
                    mask = e.below(b.sub(p["dim"], place))
                    value = e.load_some(e.at(source, b.add(begin, place)), mask, e.constant(0.0))
                    e.store_some(b.fdiv(value, e.everywhere(total)), e.at(into, b.add(begin, place)), mask)

    # ---------------------------------------------------------------- softmax

    def _soften(self, row: Value, inside: Value) -> None:
        """Scores of a row become weights, whose sum is kept; those of columns that it does not see, zero."""
        e, p = self.e, self.p
        b = e.builder
        with e.count(p["group"]) as query:
            line = e.at(p["scores"], b.mul(b.add(b.mul(inside, p["group"]), query), p["columns"]))
            most = Variable(e, e.constant(float("-inf")))

            def compare(address: Value, mask: Value | None) -> None:
                most.set(e.larger(e.load_some(address, mask, e.constant(float("-inf"))), most.get()))

            self._each_stretch(row, line, compare)
            top = e.everywhere(e.largest(most.get()))
            total = Variable(e, e.constant(0.0))

            def raise_(address: Value, mask: Value | None) -> None:
                share = exponential(e, b.fsub(e.load_some(address, mask, e.constant(0.0)), top))
                if mask is not None:
                    share = b.select(mask, share, e.constant(0.0))
                e.store_some(share, address, mask)
                total.set(b.fadd(total.get(), share))

            self._each_stretch(row, line, raise_)
            e.store(e.added(total.get()), e.at(p["totals"], b.add(b.mul(inside, p["group"]), query)))
            self._hide(row, line)

    def _each_stretch(self, row: Value, line: Value, write: Callable[[Value, Value | None], None]) -> None:
        """Code for each vector of what a row sees. Its places are those of the positions, whatever part they lie in.

        `write` is given a mask where not all of a vector is seen.
        """
        e, p = self.e, self.p
        b = e.builder

        def vectors(column: Value, position: Value, count: Value) -> None:
            skipped = b.srem(position, whole(e.width))
            base = e.at(line, b.sub(column, skipped))
            stop = b.add(count, skipped)
            begun = b.select(b.icmp_signed("==", skipped, whole(0)), whole(0), whole(e.width))
            with b.if_then(b.icmp_signed("!=", skipped, whole(0))):
                write(base, b.and_(e.below(stop), b.not_(e.below(skipped))))
            end = b.sub(stop, b.srem(stop, whole(e.width)))
            with e.count(end, begun, step=e.width) as place:
                write(e.at(base, place), None)
            with b.if_then(b.icmp_signed("<", e.most(end, begun), stop)):
                write(e.at(base, end), e.below(b.sub(stop, end)))

        with e.count(p["span_count"]) as number:
            span = self._span(number)
            has = b.and_(b.icmp_signed("<=", span["low"], row), b.icmp_signed("<", row, span["high"]))
            with b.if_then(has):
                vectors(span["start"], span["start"], self._visible(number, row))
        with b.if_then(b.icmp_signed("!=", e.arguments["own_keys"], whole(0))):
            vectors(p["own_columns"], self._of_row("own_positions", row), self._of_row("lengths", row))

    def _visible(self, number: Value, row: Value) -> Value:
        e, b = self.e, self.e.builder
        return e.load(e.at(self.p["visible"], b.add(b.mul(number, self.p["rows"]), row), 8), WHOLE)

    def _hide(self, row: Value, line: Value) -> None:
        e, p = self.e, self.p
        b = e.builder
        with e.count(p["span_count"]) as number:
            span = self._span(number)
            has = b.and_(b.icmp_signed("<=", span["low"], row), b.icmp_signed("<", row, span["high"]))
            with b.if_then(has), e.count(span["width"], self._visible(number, row)) as column:
                e.store(real(0.0), e.at(line, b.add(span["start"], column)))


def emit_attention(module: ir.Module, machine: Machine, name: str, parts: Products) -> ir.Function:
    """The code of attention, as `PLAN` and `ATTENTION` say."""
    return _Attention(module, machine, name, parts).write()
