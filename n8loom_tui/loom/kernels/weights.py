"""A linear layer's weights, and what multiplies rows with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .codes import Codes, Quantised, packed_codes
from .native import Code, Machine, Stored, code, product_of
from .native.interface import dots_room, panel_room, room
from .workspace import FLOAT, Floats, Workspace, address, aligned

Step = tuple[int, tuple[int, ...]]
"""The address of a function as a step of a program, and what it takes."""
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
        codes: Codes | None = None,
    ) -> None:
        """`packed`: the same in panels, `[panels, inputs, panel]`, stored as said. `codes`: the same, quantised."""
        if bias is not None and bias.shape != array.shape[:1]:
            raise ValueError(f"a bias of {bias.shape} does not fit {array.shape}")
        self.array = array
        self.bias = bias
        self._packed = packed
        self._stored = stored
        self.codes = codes

    @staticmethod
    def of(
        array: Floats,
        bias: Floats | None = None,
        *,
        quantised: Quantised | Codes | None = None,
        pack: bool = False,
    ) -> Weight:
        """
        Args:
            quantised: what the weights were unpacked from, or the codes that it was packed to before.
            pack: keep a second copy in the form that products are fastest with, if there is code for them. It takes
                half the memory where 16 bits hold the very same numbers; of quantised ones a sixth, in any case.
        """
        known = code()
        if known is None:
            return Weight(array, bias)
        if quantised is not None:
            codes = (
                packed_codes(quantised, array, known.machine)
                if isinstance(quantised, Quantised)
                else quantised
            )
            if codes is not None:
                return Weight(array, bias, codes=codes)
        if not pack:
            return Weight(array, bias)
        stored = exact_storage(array, known.machine)
        return Weight(array, bias, _packed(array, known.machine, stored), stored)

    @property
    def outputs(self) -> int:
        return len(self.array)

    @property
    def beside(self) -> str:
        """How its product puts the rows side by side: what finds them like this need not do it again."""
        return "lines" if self._coded is None else "vectors"

    @property
    def _coded(self) -> int | None:
        """The product with the codes; None without them, or where it can't be compiled."""
        return product_of(self.codes.lying) if self.codes is not None else None

    def of_rows(self, x: Floats) -> Floats:
        """`x · weightᵀ + bias`, in NumPy: `[rows, inputs]` to `[rows, outputs]`."""
        out: Floats = x @ self.array.T
        if self.bias is not None:
            out += self.bias
        return out

    def step(
        self,
        x: int,
        rows: int,
        out: int,
        out_step: int,
        space: Workspace,
        *,
        adding: bool = False,
        gathered: bool = False,
        taken: int = 0,
    ) -> Step:
        """The step of a program that makes `out = x · weightᵀ`, or adds it. The bias is not in it.

        Where the product for the form that the weights are kept in can't be compiled, they are taken as they were
        given. It computes in `space`: two of one space must not run at the same time.

        Args:
            x: address of `[rows, inputs]`.
            gathered: whether the last product in this space had the same rows, and put them side by side alike.
            out: address of the first row, floats from one to the next.
            taken: address of a whole number, zero, if several threads do the same step together, each in a space of
                its own.
        """
        known = code()
        assert known is not None
        machine, inputs = known.machine, self.array.shape[1]
        given = (x, rows, inputs, inputs)
        coded = self._coded
        if self.codes is not None and coded is not None:
            panels, lying = self.codes.panels, self.codes.lying
            rooms = [address(space.take(*each)) for each in dots_room(machine, lying, rows, inputs).items()]
            lines = (address(panels), panels.strides[0], self.outputs)
            added = (out, out_step, int(adding), int(not gathered))
            return coded, (*given, *lines, *added, *rooms, taken)
        given = (0 if gathered else x, rows, inputs, inputs)
        into = (out, out_step, int(adding), address(space.take("rows", room(machine, rows, inputs))))
        product, weights, panel = self._uncoded(known, space)
        return product, (*given, *weights, *into, *panel, taken)

    def _uncoded(self, known: Code, space: Workspace) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        """The fastest product with the numbers themselves that there is: its address, how it finds the weights, and
        what room in `space` it takes besides."""
        inputs = self.array.shape[1]
        if self._stored is Stored.FLOAT32 and self._packed is not None:
            size = known.machine.panel * FLOAT
            panels = (address(self._packed), size, inputs * size, self.outputs)
            return known.steps[Stored.FLOAT32.product], panels, ()
        panel = (address(space.take("panel", panel_room(known.machine, inputs))),)
        narrow = product_of(self._stored) if self._packed is not None else None
        if self._packed is not None and narrow is not None:
            return narrow, (address(self._packed), self._packed.strides[0], self.outputs), panel
        across = (address(self.array), self.array.strides[0] // FLOAT, self.outputs)
        return known.steps["crossing"], across, panel


def exact_storage(array: Floats, machine: Machine) -> Stored:
    """The smallest numbers that hold these without a loss."""
    sample = array.ravel()[:SAMPLE]
    for stored, holds in ((Stored.BFLOAT16, _fits_bfloat16), (Stored.FLOAT16, _fits_float16)):
        if stored is Stored.FLOAT16 and not machine.halves:
            continue
        many = max(1, SAMPLE // max(1, array.shape[1]))
        if holds(sample) and all(holds(array[first : first + many]) for first in range(0, len(array), many)):
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
        some: npt.NDArray[Any] = array[number * panel : (number + 1) * panel].T
        into[:, some.shape[1] :] = 0
        if stored is Stored.BFLOAT16:
            some = np.ascontiguousarray(some).view(np.uint32) >> np.uint32(16)
        into[:, : some.shape[1]] = some
    return packed
