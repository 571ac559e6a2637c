"""The code that takes threads through a step together: one function after the other, and waiting for the others."""

from __future__ import annotations

import sys

from llvmlite import ir

from .emitter import POINTER, SHORT, WHOLE, Emitter, Variable, whole
from .interface import ABORTED, BARRIER, PROGRAM
from .machine import Machine

SPINS = 4000
"""How often a thread looks whether the others have come before it sleeps: some 70 µs."""
NAP = 20
"""Microseconds it then sleeps before it looks again."""
TIMER_SLACK, SLACK = 29, 1000
"""On Linux, what sets by how many nanoseconds a sleep may be longer than asked for, and how many these are.

By 50 µs if it isn't told. Who slept is then late at the next barrier too, where the others fall asleep over it.
"""
ARRIVED, ROUND = 0, 8
"""Which numbers of a barrier's state say how many have come, and how often all have. Each has a cache line."""


def emit_barrier(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code of a barrier: who comes waits until `count` have come.

    Whoever waits long sleeps, so that on a core that another program has too no more than a moment is lost.
    """
    e = Emitter(module, name, BARRIER, machine.width)
    b, a = e.builder, e.arguments
    arrived, rounds, aborted = (
        b.inttoptr(e.at(a["state"], whole(place), 8), POINTER) for place in (ARRIVED, ROUND, ABORTED)
    )
    before = b.load_atomic(rounds, "acquire", 8, typ=WHOLE)
    come = b.add(b.atomic_rmw("add", arrived, whole(1), "acq_rel"), whole(1))
    look, wait, sleep, after = (
        e.function.append_basic_block(block) for block in ("look", "wait", "sleep", "after")
    )
    spins = Variable(e, whole(0))
    with b.if_then(b.icmp_signed("==", come, a["count"])):
        b.atomic_rmw("xchg", arrived, whole(0), "acq_rel")
        b.atomic_rmw("xchg", rounds, b.add(before, whole(1)), "acq_rel")
    b.branch(look)
    b.position_at_end(look)
    same = b.icmp_signed("==", b.load_atomic(rounds, "acquire", 8, typ=WHOLE), before)
    going_on = b.icmp_signed("==", b.load_atomic(aborted, "acquire", 8, typ=WHOLE), whole(0))
    b.cbranch(b.and_(same, going_on), wait, after)
    b.position_at_end(wait)
    e.pause(machine)
    spins.add(whole(1))
    b.cbranch(b.icmp_signed("<", spins.get(), whole(SPINS)), look, sleep)
    b.position_at_end(sleep)
    _nap(e, module)
    b.branch(look)
    b.position_at_end(after)
    return e.done()


def _nap(e: Emitter, module: ir.Module) -> None:
    """Code that sleeps. What it sets for that is as the thread had it afterwards."""
    b = e.builder
    nap = ir.Function(module, ir.FunctionType(SHORT, [SHORT]), "usleep")
    if not sys.platform.startswith("linux"):
        b.call(nap, [ir.Constant(SHORT, NAP)])
        return
    control = ir.Function(module, ir.FunctionType(SHORT, [SHORT], var_arg=True), "prctl")
    b.call(control, [ir.Constant(SHORT, TIMER_SLACK), whole(SLACK)])
    b.call(nap, [ir.Constant(SHORT, NAP)])
    b.call(control, [ir.Constant(SHORT, TIMER_SLACK), whole(0)])


def emit_step(module: ir.Module, machine: Machine, function: ir.Function) -> ir.Function:
    """A function as a step of a program: it takes the address of what the function takes."""
    e = Emitter(module, f"{function.name} step", ["given"], machine.width)
    places = range(len(function.args))
    e.call(function, [e.load(e.at(e.arguments["given"], whole(place), 8), WHOLE) for place in places])
    return e.done()


def emit_run(module: ir.Module, machine: Machine, name: str) -> ir.Function:
    """The code that does the steps of a program."""
    e = Emitter(module, name, PROGRAM, machine.width)
    b, a = e.builder, e.arguments
    kind = ir.FunctionType(ir.VoidType(), [WHOLE])
    with e.count(a["count"]) as number:
        step = e.at(a["steps"], b.mul(number, whole(2)), 8)
        function, given = (e.load(e.at(step, whole(part), 8), WHOLE) for part in range(2))
        b.call(b.inttoptr(function, ir.PointerType(kind)), [given])
    return e.done()
