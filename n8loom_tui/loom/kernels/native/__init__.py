"""Loops that are compiled for the processor at hand: products with packed weights, and attention."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from .interface import AT_ONCE, PLAN, Stored, room, rooms
from .machine import Function, Machine, compiled, machine, names_of

__all__ = ["AT_ONCE", "PLAN", "Code", "Function", "Machine", "Stored", "code", "product_of", "room", "rooms"]


@dataclass(frozen=True, slots=True)
class Code:
    """Functions that were compiled. What they take is told where they are emitted."""

    machine: Machine
    product: Function
    crossing: Function
    attention: Function


@cache
def code() -> Code | None:
    """What computes with float32, compiled at the first call (some tenths of a second); None where nothing can be."""
    here = machine()
    if here is None:
        return None
    from llvmlite import ir

    from .attention import Parts, emit_attention
    from .product import emit_crossing, emit_packing, emit_product

    module = ir.Module("float32")
    product = emit_product(module, here, "product", Stored.FLOAT32)
    packing = emit_packing(module, here, "packing")
    crossing = emit_crossing(module, here, "crossing", product, packing)
    attention = emit_attention(module, here, "attention", Parts(product, crossing))
    return Code(here, **compiled(module, names_of([product, crossing, attention])))


@cache
def product_of(stored: Stored) -> Function:
    """The product with a matrix that is stored like this. Only where there is `code`."""
    known = code()
    assert known is not None
    if stored is Stored.FLOAT32:
        return known.product
    from llvmlite import ir

    from .product import emit_product

    module = ir.Module(stored)
    return compiled(module, names_of([emit_product(module, known.machine, "product", stored)]))["product"]
