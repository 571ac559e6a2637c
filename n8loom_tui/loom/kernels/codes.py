"""Quantised weights as they were stored, beside the float32 ones that they were unpacked to.

Products wait for memory as long as rows are few, and codes are a sixth of it. They are unpacked again, a panel at a
time, to the very same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .native import Machine
from .native.interface import WIDTHS
from .workspace import Floats, aligned

AFFINE = "affine"


@dataclass(frozen=True, slots=True, eq=False)
class Quantised:
    """A layer's weights as MLX quantises them: `scale · code + bias` for every `group` of inputs.

    `codes`: `[outputs, inputs · bits / 32]`, 32-bit. `scales`, `biases`: `[outputs, inputs / group]`.
    """

    codes: mx.array
    scales: mx.array
    biases: mx.array
    group: int
    bits: int

    @staticmethod
    def of(layer: Any) -> Quantised | None:
        """A quantised layer's weights, if they are of a kind that there is code for."""
        if (
            getattr(layer, "mode", AFFINE) != AFFINE
            or layer.bits not in WIDTHS
            or layer.get("biases") is None
        ):
            return None
        return Quantised(layer.weight, layer.scales, layer.biases, int(layer.group_size), int(layer.bits))


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """Codes in panels, as compiled products take them: bytes, `[panels, …]`."""

    panels: npt.NDArray[np.uint8]
    group: int
    bits: int


def packed_codes(quantised: Quantised, array: Floats, machine: Machine) -> Codes | None:
    """The codes of weights, `[outputs, inputs]`, in panels; None if they do not give the very same numbers."""
    bits, group, panel = quantised.bits, quantised.group, machine.panel
    outputs, inputs = array.shape
    scales, biases = (np.array(part.astype(mx.float32)) for part in (quantised.scales, quantised.biases))
    stored = np.array(quantised.codes, copy=False).view(np.uint8)
    if (
        inputs % group
        or scales.shape != (outputs, inputs // group)
        or stored.shape != (outputs, inputs * bits // 8)
    ):
        return None
    line = np.dtype((np.uint8, (group, panel * bits // 8)))
    kind = np.dtype([("scales", "f4", (panel,)), ("biases", "f4", (panel,)), ("codes", line)])
    count = -(-outputs // panel)
    memory = aligned((count, inputs // group * kind.itemsize), np.uint8)
    memory[-1:] = 0
    for number, into in enumerate(memory.view(kind)):
        some = slice(number * panel, min(outputs, (number + 1) * panel))
        codes = stored[some]
        if bits == 4:
            codes = np.stack([codes & 15, codes >> 4], axis=-1)
        codes = codes.reshape(-1, inputs // group, group)
        if not _same(codes, scales[some], biases[some], array[some]):
            return None
        width = len(codes)
        into["scales"][:, :width], into["biases"][:, :width] = scales[some].T, biases[some].T
        lines = np.zeros((inputs // group, group, panel), dtype=np.uint8)
        lines[..., :width] = codes.transpose(1, 2, 0)
        half = panel // 2
        into["codes"] = lines if bits == 8 else lines[..., :half] | lines[..., half:] << 4
    return Codes(memory, group, bits)


def _same(codes: npt.NDArray[np.uint8], scales: Floats, biases: Floats, wanted: Floats) -> bool:
    found = codes.astype(np.float32) * scales[..., None] + biases[..., None]
    return np.array_equal(found.reshape(wanted.shape), wanted)
