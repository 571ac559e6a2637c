"""What the processor has, and code compiled for it while the program runs.

A product of a few rows with a model's weights waits for memory as long as it computes: no BLAS fetches the weights
of the next product beforehand, and none takes 16-bit ones. So these loops are written here, once for every width of
vectors, and compiled for the processor at hand with LLVM (llvmlite). Where there is no llvmlite NumPy computes.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

try:
    import llvmlite.binding as llvm
    from llvmlite import ir
except (ImportError, OSError):  # a platform without the wheel
    llvm = None

OFF = "N8LOOM_NATIVE"
"""Set to 0 it keeps to NumPy."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What code is made for.

    `width`: float32 numbers in a vector. `rows`: how many rows of a product are computed at the same time, in
    registers. `halves`: 16-bit floats can be read.
    """

    width: int
    rows: int
    halves: bool
    x86: bool = True

    @property
    def panel(self) -> int:
        """How many outputs are computed at the same time."""
        return VECTORS * self.width


VECTORS = 2
"""How many vectors a panel has. With the `rows` below all sums stay in registers."""


@cache
def machine() -> Machine | None:
    """The processor, if code can be compiled for it."""
    if llvm is None or os.environ.get(OFF) == "0":
        return None
    try:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        has = llvm.get_host_cpu_features()
        architecture = llvm.get_default_triple().partition("-")[0]
    except RuntimeError:
        return None
    if architecture == "aarch64":
        return Machine(width=4, rows=12, halves=True, x86=False)
    if architecture != "x86_64" or not (has.get("avx2") and has.get("fma")):
        return None
    if has.get("avx512f") and has.get("avx512vl"):
        return Machine(width=16, rows=12, halves=True)
    return Machine(width=8, rows=6, halves=bool(has.get("f16c")))


Function = Callable[..., None]
"""Machine code. It takes addresses and whole numbers, and lets go of the interpreter's lock while it runs."""
_lock = Lock()
_engines: list[Any] = []
"""They own the code, and live as long as the process."""


def compiled(module: ir.Module, functions: Sequence[ir.Function]) -> dict[str, int]:
    """The addresses of a module's functions, by name."""
    with _lock:
        target = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(),
            features=llvm.get_host_cpu_features().flatten(),
            opt=3,
            reloc="pic",
            codemodel="jitdefault",
        )
        module.triple = llvm.get_default_triple()
        code = llvm.parse_assembly(str(module))
        code.verify()
        options = llvm.create_pipeline_tuning_options(speed_level=2)
        options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
        passes = llvm.create_pass_builder(target, options)
        passes.getModulePassManager().run(code, passes)
        engine = llvm.create_mcjit_compiler(code, target)
        engine.finalize_object()
        _engines.append(engine)
        return {function.name: engine.get_function_address(function.name) for function in functions}


def callable_at(address: int, count: int) -> Function:
    """The machine code there, which takes so many whole numbers."""
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * count)(address)
