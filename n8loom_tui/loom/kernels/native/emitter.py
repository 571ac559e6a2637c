"""Writes a function's code for LLVM: loops, variables, vectors.

Variables are places in memory to begin with; LLVM puts them into registers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from .machine import Machine

WHOLE = ir.IntType(64)
SHORT = ir.IntType(32)
BYTE = ir.IntType(8)
BIT = ir.IntType(1)
FLOAT = ir.FloatType()
POINTER = ir.PointerType()
Value = Any
"""A value in the code that is being written, of LLVM's."""


def whole(number: int) -> Value:
    """A constant."""
    return ir.Constant(WHOLE, number)


def real(number: float) -> Value:
    """A constant, a float32."""
    return ir.Constant(FLOAT, number)


class Variable:
    """A place whose content changes."""

    def __init__(self, emitter: Emitter, start: Value) -> None:
        self._builder = emitter.builder
        with self._builder.goto_entry_block():
            self._place = self._builder.alloca(start.type)
        self.set(start)

    def get(self) -> Value:
        return self._builder.load(self._place)

    def set(self, value: Value) -> None:
        self._builder.store(value, self._place)

    def add(self, value: Value) -> None:
        self.set(self._builder.add(self.get(), value))


class Emitter:
    """A function that takes whole numbers (addresses are some) and gives nothing."""

    def __init__(self, module: ir.Module, name: str, arguments: Sequence[str], width: int) -> None:
        """`width`: how many float32 numbers a vector has."""
        kind = ir.FunctionType(ir.VoidType(), [WHOLE] * len(arguments))
        self.function = ir.Function(module, kind, name)
        self.width = width
        self.vector = ir.VectorType(FLOAT, width)
        self.wholes = ir.VectorType(WHOLE, width)
        self._module = module
        entry = self.function.append_basic_block("entry")
        self.builder = ir.IRBuilder(self.function.append_basic_block("body"))
        ir.IRBuilder(entry).branch(self.builder.block)
        for argument, given in zip(self.function.args, arguments, strict=True):
            argument.name = given
        self.arguments: dict[str, Value] = dict(zip(arguments, self.function.args, strict=True))

    def done(self) -> ir.Function:
        """The function, complete."""
        self.builder.ret_void()
        return self.function

    # ------------------------------------------------------------------ flow

    @contextmanager
    def count(self, stop: Value, start: Value | None = None, step: int = 1) -> Iterator[Value]:
        """A loop over `range(start, stop, step)`: gives the number of the turn."""
        b = self.builder
        turn = Variable(self, start if start is not None else whole(0))
        head, body, tail = (self.function.append_basic_block(name) for name in ("head", "turn", "after"))
        b.branch(head)
        b.position_at_end(head)
        b.cbranch(b.icmp_signed("<", turn.get(), stop), body, tail)
        b.position_at_end(body)
        yield turn.get()
        turn.add(whole(step))
        b.branch(head)
        b.position_at_end(tail)

    @contextmanager
    def as_long_as(self, holds: Callable[[], Value]) -> Iterator[None]:
        """A loop. `holds` gives the code that tells, before each turn, whether there is one."""
        b = self.builder
        head, body, tail = (self.function.append_basic_block(name) for name in ("head", "turn", "after"))
        b.branch(head)
        b.position_at_end(head)
        b.cbranch(holds(), body, tail)
        b.position_at_end(body)
        yield
        b.branch(head)
        b.position_at_end(tail)

    def call(self, function: ir.Function, arguments: Sequence[Value]) -> None:
        self.builder.call(function, arguments)

    def least(self, a: Value, b: Value) -> Value:
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def most(self, a: Value, b: Value) -> Value:
        return self.builder.select(self.builder.icmp_signed(">", a, b), a, b)

    def sum(self, *values: Value) -> Value:
        total = values[0]
        for value in values[1:]:
            total = self.builder.add(total, value)
        return total

    def product(self, *values: Value) -> Value:
        total = values[0]
        for value in values[1:]:
            total = self.builder.mul(total, value)
        return total

    # ---------------------------------------------------------------- memory

    def at(self, base: Value, index: Value, size: int = 4) -> Value:
        """The address `index` things of so many bytes after another one."""
        return self.builder.add(base, self.builder.mul(index, whole(size)))

    def load(self, address: Value, kind: ir.Type, align: int = 4) -> Value:
        return self.builder.load(self.builder.inttoptr(address, POINTER), align=align, typ=kind)

    def store(self, value: Value, address: Value, align: int = 4) -> None:
        self.builder.store(value, self.builder.inttoptr(address, POINTER), align=align)

    def prefetch(self, address: Value) -> None:
        """Ask for what is there. It need not be memory of ours."""
        function = self._declared("llvm.prefetch.p0", ir.VoidType(), [POINTER, SHORT, SHORT, SHORT])
        how = [ir.Constant(SHORT, number) for number in (0, 2, 1)]  # to read, into the second cache, data
        self.builder.call(function, [self.builder.inttoptr(address, POINTER), *how])

    def below(self, count: Value) -> Value:
        """Which places of a vector are among the first `count`."""
        places = ir.Constant(self.wholes, list(range(self.width)))
        return self.builder.icmp_signed("<", places, self.everywhere(count))

    def load_some(self, address: Value, mask: Value | None, otherwise: Value) -> Value:
        """A vector, of which only the places in `mask` are read. None: all of it."""
        if mask is None:
            return self.load(address, self.vector)
        name = f"llvm.masked.load.v{self.width}f32.p0"
        kinds = [POINTER, SHORT, ir.VectorType(BIT, self.width), self.vector]
        function = self._declared(name, self.vector, kinds)
        where = self.builder.inttoptr(address, POINTER)
        return self.builder.call(function, [where, ir.Constant(SHORT, 4), mask, otherwise])

    def store_some(self, value: Value, address: Value, mask: Value | None) -> None:
        """Write the places of a vector that are in `mask`. None: all of it."""
        if mask is None:
            self.store(value, address)
            return
        name = f"llvm.masked.store.v{self.width}f32.p0"
        kinds = [self.vector, POINTER, SHORT, ir.VectorType(BIT, self.width)]
        function = self._declared(name, ir.VoidType(), kinds)
        where = self.builder.inttoptr(address, POINTER)
        self.builder.call(function, [value, where, ir.Constant(SHORT, 4), mask])

    # --------------------------------------------------------------- vectors

    def pause(self, machine: Machine) -> None:
        """A moment for a thread that looks again and again."""
        if machine.x86:
            self.builder.call(self._declared("llvm.x86.sse2.pause", ir.VoidType(), []), [])

    def as_real(self, bits: Value) -> Value:
        """The float32 of these bits."""
        return self.builder.bitcast(self.builder.trunc(bits, SHORT), FLOAT)

    def root(self, number: Value) -> Value:
        """The square root of a float32."""
        return self.builder.call(self._declared("llvm.sqrt.f32", FLOAT, [FLOAT]), [number])

    def everywhere(self, value: Value) -> Value:
        """A vector of one number."""
        kind = ir.VectorType(value.type, self.width)
        empty = ir.Constant(kind, ir.Undefined)
        one = self.builder.insert_element(empty, value, ir.Constant(SHORT, 0))
        return self.builder.shuffle_vector(one, empty, ir.Constant(ir.VectorType(SHORT, self.width), None))

    def looked_up(self, table: Value, places: Value) -> Value:
        """The numbers of a vector of 16 at some places, of which the lowest four bits count (AVX-512)."""
        kinds = [self.vector, ir.VectorType(SHORT, self.width)]
        function = self._declared("llvm.x86.avx512.permvar.sf.512", self.vector, kinds)
        return self.builder.call(function, [table, places])

    def gathered(self, values: Sequence[Value]) -> Value:
        """A vector of these numbers."""
        vector = ir.Constant(self.vector, ir.Undefined)
        for place, value in enumerate(values):
            vector = self.builder.insert_element(vector, value, ir.Constant(SHORT, place))
        return vector

    def constant(self, number: float) -> Value:
        """A vector of one number that is known."""
        return ir.Constant(self.vector, [number] * self.width)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """`a · b + c`, rounded once."""
        return self._vector_function("llvm.fma", a, b, c)

    def larger(self, a: Value, b: Value) -> Value:
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def largest(self, vector: Value) -> Value:
        """The largest number of a vector."""
        return self._folded(vector, self.larger)

    def _folded(self, vector: Value, join: Callable[[Value, Value], Value]) -> Value:
        b, half = self.builder, self.width // 2
        empty = ir.Constant(self.vector, ir.Undefined)
        while half:
            order = [(place + half) % self.width for place in range(self.width)]
            other = b.shuffle_vector(vector, empty, ir.Constant(ir.VectorType(SHORT, self.width), order))
            vector = join(vector, other)
            half //= 2
        return b.extract_element(vector, ir.Constant(SHORT, 0))

    def added(self, vector: Value) -> Value:
        """The sum of a vector's numbers, always in the same order."""
        return self._folded(vector, self.builder.fadd)

    def _vector_function(self, name: str, *arguments: Value) -> Value:
        function = self._declared(f"{name}.v{self.width}f32", self.vector, [self.vector] * len(arguments))
        return self.builder.call(function, arguments)

    def _declared(self, name: str, gives: ir.Type, takes: Sequence[ir.Type]) -> ir.Function:
        known = self._module.globals.get(name)
        return known if known is not None else ir.Function(self._module, ir.FunctionType(gives, takes), name)
