"""Loops that are compiled for the processor at hand, and programs of them for threads that go together.

A step of a program is a function and the whole numbers that it takes: addresses, sizes, the bits of a float32.
`interface` says what each takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from threading import Lock, Thread
from typing import TYPE_CHECKING, TypeVar

from .interface import LOOKING, LOUD, MOVING, PROGRAM, RANKING, SAYING, WEIGHING, Lying, Stored
from .machine import Function, Machine, callable_at, compiled, machine

if TYPE_CHECKING:
    from llvmlite import ir

__all__ = [
    "Code",
    "Function",
    "Machine",
    "Stored",
    "choosing",
    "code",
    "prepare",
    "product_of",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Code:
    """What was compiled. `steps`: the addresses of functions as steps of a program, by name."""

    machine: Machine
    run: Function
    steps: dict[str, int]


_compiling = Lock()


def code() -> Code | None:
    """What computes with float32, compiled at the first call (some seconds); None where nothing can be."""
    with _compiling:
        return _code()


def prepare(*, steps: bool = False, codes: Sequence[tuple[int, int]] = ()) -> None:
    """Begin to compile, on a thread of its own, what chooses tokens, and what takes `steps` if that is to come.

    Args:
        codes: the bits and groups of the quantised weights that are to be multiplied.
    """
    Thread(target=_prepare, args=(steps, codes), name="compiling").start()


def _prepare(steps: bool, codes: Sequence[tuple[int, int]]) -> None:
    known = code() if steps else None
    if known is not None:
        for bits, group in codes:
            lying = Lying(bits, group, known.machine.width)
            if lying.fits:
                product_of(lying)
    choosing()


@cache
def _code() -> Code | None:
    here = machine()
    return _attempted(_compiled_for, here) if here is not None else None


def _attempted(compiles: Callable[[Machine], T], here: Machine) -> T | None:
    try:
        return compiles(here)
    except RuntimeError:  # LLVM's, say of a system that lets nothing be compiled
        return None


def _compiled_for(here: Machine) -> Code:
    from llvmlite import ir

    from .attention import Products, emit_attention
    from .elementwise import emit_bias, emit_gate, emit_norm, emit_turn
    from .few import emit_few_scores, emit_few_weighed
    from .flow import emit_barrier, emit_run, emit_step
    from .panels import emit_packing
    from .product import emit_crossing, emit_parts, emit_product

    module = ir.Module("float32")
    parts = emit_parts(module, here)
    product = emit_product(module, here, Stored.FLOAT32.product, parts)
    crossing = emit_crossing(module, here, "crossing", parts, emit_packing(module, here, "packing"))
    products = Products(
        product,
        crossing,
        emit_few_scores(module, here, "few scores"),
        emit_few_weighed(module, here, "few weighed"),
    )
    functions = [
        product,
        crossing,
        emit_attention(module, here, "attention", products),
        emit_norm(module, here, "norm"),
        emit_turn(module, here, "turn"),
        emit_gate(module, here, "gate"),
        emit_bias(module, here, "bias"),
        emit_barrier(module, here, "barrier"),
    ]
    steps = {function.name: emit_step(module, here, function) for function in functions}
    run = emit_run(module, here, "run")
    addresses = compiled(module, [run, *steps.values()])
    found = {name: addresses[step.name] for name, step in steps.items()}
    return Code(here, callable_at(addresses[run.name], len(PROGRAM)), found)


def product_of(kind: Stored | Lying) -> int | None:
    """The address of the product with a matrix of 16-bit numbers that are stored like this, or of codes that lie like
    this, as a step; compiled at the first call (about a second). None where it can't be."""
    known = code()
    with _compiling:
        return _product_of(kind, known.machine) if known is not None else None


@cache
def _product_of(kind: Stored | Lying, here: Machine) -> int | None:
    if isinstance(kind, Stored):
        return _attempted(partial(_compiled_widened, kind), here)
    return _attempted(partial(_compiled_coded, kind), here)


def _compiled_widened(stored: Stored, here: Machine) -> int:
    from llvmlite import ir

    from .panels import emit_widening
    from .product import emit_parts, emit_widened

    module = ir.Module(stored)
    widening = emit_widening(module, here, "widening", stored)
    product = emit_widened(module, here, stored.product, emit_parts(module, here), widening)
    return _compiled_step(module, here, product)


def _compiled_coded(lying: Lying, here: Machine) -> int:
    from llvmlite import ir

    from .dots import emit_quantised

    module = ir.Module(str(lying))
    return _compiled_step(module, here, emit_quantised(module, here, "quantised", lying))


def _compiled_step(module: ir.Module, here: Machine, function: ir.Function) -> int:
    """The address of a module's function, as a step of a program."""
    from .flow import emit_step

    step = emit_step(module, here, function)
    return compiled(module, [step])[step.name]


@dataclass(frozen=True, slots=True)
class Choosing:
    """What goes through a vocabulary, each function as `interface` says. It is for every model, on any device."""

    machine: Machine
    weigh: Function
    rank: Function
    look: Function
    loud: Function
    say: Function
    move: Function


def choosing() -> Choosing | None:
    """What was compiled at the first call (some 0.1 s); None where nothing can be."""
    with _compiling:
        return _choosing()


@cache
def _choosing() -> Choosing | None:
    here = machine()
    return _attempted(choosing_for, here) if here is not None else None


def choosing_for(here: Machine) -> Choosing:
    """What goes through a vocabulary, compiled for a processor."""
    from llvmlite import ir

    from .logits import emit_loud, emit_weighing
    from .penalty import emit_moving, emit_saying
    from .ranking import emit_looking, emit_ranking

    module = ir.Module("choosing")
    weigh, rank = emit_weighing(module, here, "weighing"), emit_ranking(module, here, "ranking")
    takes = {
        weigh: WEIGHING,
        rank: RANKING,
        emit_looking(module, here, "looking", weigh, rank): LOOKING,
        emit_loud(module, here, "loud"): LOUD,
        emit_saying(module, here, "saying"): SAYING,
        emit_moving(module, here, "moving"): MOVING,
    }
    found = compiled(module, list(takes))
    return Choosing(
        here, *(callable_at(found[function.name], len(names)) for function, names in takes.items())
    )
