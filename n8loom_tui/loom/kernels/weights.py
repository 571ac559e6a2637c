"""A linear layer's weights, and what multiplies rows with them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .native import AT_ONCE, Function, Machine, Stored, code, product_of, room
from .workspace import FLOAT, Floats, Workspace, address, aligned

Call = Callable[[], Any]
"""A function with what it is called with. Compiled code lets go of the interpreter's lock while it runs."""
SAMPLE = 1 << 16
"""How many numbers tell most weights that cannot be stored in 16 bits."""


class Weight:
    """A linear layer's weights, `[outputs, inputs]`, and its bias."""

    def __init__(
        self,
        array: Floats,
        bias: Floats | None = None,
        packed: npt.NDArray[Any] | None = None,
        stored: Stored = Stored.FLOAT32,
    ) -> None:
        """`packed`: the same in panels, `[panels, inputs, panel]`, stored as said."""
        self.array = array
        self.bias = bias
        self._packed = packed
        self._stored = stored

    @staticmethod
    def of(array: Floats, bias: Floats | None = None, *, pack: bool = False) -> Weight:
        """`pack`: keep a second copy in the form that products are fastest with, if there is code for them.

        It takes half the memory where 16 bits hold the very same numbers.
        """
        known = code()
        if not pack or known is None:
            return Weight(array, bias)
        stored = exact_storage(array, known.machine)
        return Weight(array, bias, _packed(array, known.machine, stored), stored)

    @property
    def outputs(self) -> int:
        return len(self.array)

    def share(self, number: int, count: int) -> Weight:
        """The outputs of the share `number` of `count`. Nothing is copied."""
        low, high = cut(self.outputs, number, count)
        panel = panel_width()
        packed = None if self._packed is None else self._packed[low // panel : -(-high // panel)]
        bias = self.bias[low:high] if self.bias is not None else None
        return Weight(self.array[low:high], bias, packed, self._stored)

    def call(self, x: Floats, out: Floats, space: Workspace) -> Call:
        """What makes `out = x · weightᵀ`: `x [rows, inputs]`, contiguous, and `out [rows, outputs]`.

        It computes in `space`: two of one space must not run at the same time.
        """
        known = code()
        if known is None:
            return partial(np.matmul, x, self.array.T, out=out)
        (rows, inputs), into = x.shape, out.strides[0] // FLOAT
        panel = known.machine.panel
        gathered = space.take("rows", room(known.machine, rows, inputs))
        given = (address(x), rows, inputs, inputs)
        if self._packed is None:
            panels = space.take("panels", AT_ONCE * panel * inputs)
            matrix = (address(self.array), self.array.strides[0] // FLOAT, self.outputs)
            rooms = (gathered, panels)
            return _call(known.crossing, (*given, *matrix, address(out), into, *map(address, rooms)), rooms)
        step = panel * self._packed.itemsize
        matrix = (address(self._packed), step, inputs * step, self.outputs)
        product = product_of(self._stored)
        return _call(product, (*given, *matrix, address(out), into, 0, address(gathered)), (gathered,))

    def apply(self, x: Floats, out: Floats, space: Workspace) -> Floats:
        """`out = x · weightᵀ + bias`. Returns `out`."""
        self.call(x, out, space)()
        if self.bias is not None:
            out += self.bias
        return out


def _call(function: Function, arguments: tuple[int, ...], rooms: tuple[Floats, ...]) -> Call:
    """A call that keeps alive what it computes in, should the workspace need more room later."""

    def call() -> None:
        function(*arguments)

    call.rooms = rooms  # type: ignore[attr-defined]
    return call


def panel_width() -> int:
    """How many outputs are computed at the same time."""
    known = code()
    return known.machine.panel if known is not None else 1


def cut(outputs: int, number: int, count: int) -> tuple[int, int]:
    """Of so many outputs the share `number` of `count`: from which to which, in whole panels."""
    panel = panel_width()
    panels = -(-outputs // panel)
    low, high = (panels * share // count * panel for share in (number, number + 1))
    return min(low, outputs), min(high, outputs)


def exact_storage(array: Floats, machine: Machine) -> Stored:
    """The smallest numbers that hold these without a loss."""
    sample = array.ravel()[:SAMPLE]
    for stored, holds in ((Stored.BFLOAT16, _fits_bfloat16), (Stored.FLOAT16, _fits_float16)):
        if stored is Stored.FLOAT16 and not machine.halves:
            continue
        if holds(sample) and all(holds(row) for row in array):
            return stored
    return Stored.FLOAT32


def _fits_bfloat16(numbers: Floats) -> bool:
    return not bool((np.ascontiguousarray(numbers).view(np.uint32) & np.uint32(0xFFFF)).any())


@np.errstate(over="ignore")
def _fits_float16(numbers: Floats) -> bool:
    return bool((numbers.astype(np.float16) == numbers).all())


def _packed(array: Floats, machine: Machine, stored: Stored) -> npt.NDArray[Any]:
    """Weights in panels. What the last one has too much is zero."""
    outputs, inputs = array.shape
    panel = machine.panel
    kinds: dict[Stored, Any] = {
        Stored.FLOAT32: np.float32,
        Stored.FLOAT16: np.float16,
        Stored.BFLOAT16: np.uint16,
    }
    packed = aligned((-(-outputs // panel), inputs, panel), kinds[stored])
    for number, into in enumerate(packed):
        some = array[number * panel : (number + 1) * panel].T
        into[:, some.shape[1] :] = 0
        if stored is Stored.BFLOAT16:
            some = np.ascontiguousarray(some).view(np.uint32) >> np.uint32(16)
        into[:, : some.shape[1]] = some
    return packed
