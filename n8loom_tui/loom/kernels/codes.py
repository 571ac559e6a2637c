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
from .native.interface import AT_ONCE, WIDTHS, Lying
from .workspace import Floats, aligned

AFFINE = "affine"
CHUNK = 1 << 14
"""How many inputs, of as many outputs as a panel has, are packed at a time."""


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
    lying: Lying


def packed_codes(quantised: Quantised, array: Floats, machine: Machine) -> Codes | None:
    """The codes of weights, `[outputs, inputs]`, in panels; None if they do not give the very same numbers, or do not
    fit."""
    lying = Lying(quantised.bits, quantised.group, machine.width)
    outputs, inputs = array.shape
    scales, biases = (np.array(part.astype(mx.float32)) for part in (quantised.scales, quantised.biases))
    stored = np.array(quantised.codes, copy=False).view(np.uint8)
    if (
        not lying.fits
        or inputs % lying.inputs
        or scales.shape != (outputs, inputs // lying.group)
        or stored.shape != (outputs, inputs * lying.bits // 8)
    ):
        return None
    kind = _kind(lying)
    blocks, at_once = inputs // lying.inputs, machine.panel // AT_ONCE
    memory = aligned((-(-outputs // machine.panel), at_once * blocks * kind.itemsize), np.uint8)
    memory[-1:] = 0
    panels = memory.view(kind).reshape(-1, blocks)
    some = max(1, CHUNK // inputs) * machine.panel
    for first in range(0, outputs, some):
        part = slice(first, min(outputs, first + some))
        codes = stored[part]
        if lying.bits == 4:
            codes = np.stack([codes & 15, codes >> 4], axis=-1)
        codes = codes.reshape(-1, inputs // lying.group, lying.group)
        if not _same(codes, scales[part], biases[part], array[part]):
            return None
        into = panels[first // AT_ONCE :][: -(-len(codes) // AT_ONCE)]
        into["codes"] = _lines(_whole(codes).reshape(-1, blocks, lying.units, 4, lying.width), lying)
        for number, values in enumerate((scales, biases)):
            by_block = _whole(values[part]).reshape(-1, AT_ONCE, blocks, lying.groups)
            into["scales"][..., number] = by_block.transpose(0, 2, 3, 1)
    return Codes(memory, lying)


def _kind(lying: Lying) -> np.dtype[Any]:
    """A block, as `Lying` says."""
    line = (4, lying.width) if lying.bits == 8 else (lying.width,)
    return np.dtype(
        [
            ("scales", "f4", (lying.groups, AT_ONCE, 2)),
            ("codes", "u1" if lying.bits == 8 else "u2", (lying.units, AT_ONCE, *line)),
        ]
    )


def _whole(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """With rows of zeros behind the last, up to a multiple of `AT_ONCE`."""
    return np.pad(rows, [(0, -len(rows) % AT_ONCE)] + [(0, 0)] * (rows.ndim - 1))


def _lines(codes: npt.NDArray[np.uint8], lying: Lying) -> npt.NDArray[Any]:
    """Codes, `[outputs, blocks, units, 4, width]`, as they lie: `[…, blocks, units, AT_ONCE, line]`."""
    together = codes.reshape(-1, AT_ONCE, *codes.shape[1:]).transpose(0, 2, 3, 1, 4, 5)
    if lying.bits == 8:
        return together
    places = np.arange(0, 16, 4, dtype=np.uint16)[:, None]
    lines: npt.NDArray[Any] = np.bitwise_or.reduce(together.astype(np.uint16) << places, axis=-2)
    return lines


def _same(codes: npt.NDArray[np.uint8], scales: Floats, biases: Floats, wanted: Floats) -> bool:
    found = codes.astype(np.float32) * scales[..., None] + biases[..., None]
    return np.array_equal(found.reshape(wanted.shape), wanted)
