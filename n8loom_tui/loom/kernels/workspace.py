"""What one thread computes in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
FLOAT = 4
"""Bytes of a float32."""
LINE = 64
"""Bytes that the processor fetches together."""


def address(array: npt.NDArray[Any]) -> int:
    """Where an array's first element lies."""
    return int(array.__array_interface__["data"][0])


class Layers(list[Floats]):
    """One array of each layer, where it is asked for more than once where they lie and how large they are."""

    @classmethod
    def of(cls, packed: Floats) -> Layers:
        """What lies side by side in one array."""
        layers = cls(packed)
        layers.places = address(packed) + np.arange(len(packed)) * packed.strides[0]
        return layers

    @cached_property
    def places(self) -> npt.NDArray[np.int64]:
        return np.array([address(array) for array in self], dtype=np.int64)

    @cached_property
    def steps(self) -> npt.NDArray[np.int64]:
        """Bytes from one thing in an array to the next."""
        return np.array([array.strides[0] for array in self], dtype=np.int64)

    @cached_property
    def sizes(self) -> npt.NDArray[np.int64]:
        """The arrays' shapes, `[layers, dimensions]`."""
        return np.array([array.shape for array in self], dtype=np.int64)


def as_layers(arrays: Sequence[Floats]) -> Layers:
    """The same with what is known of them."""
    return arrays if isinstance(arrays, Layers) else Layers(arrays)


def addresses(arrays: Sequence[Floats]) -> npt.NDArray[np.int64]:
    """Where the arrays' first elements lie."""
    return as_layers(arrays).places


def aligned(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """A contiguous array, its content undefined, that begins where a cache line does."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + LINE, dtype=np.uint8)
    first = -address(memory) % LINE
    return memory[first : first + size].view(dtype).reshape(shape)


class Workspace:
    """Buffers that are used again and again, so that no step has to ask the system for memory.

    Two threads must not share one."""

    def __init__(self) -> None:
        self._buffers: dict[str, Floats] = {}
        self.moves = 0
        """How often a buffer was given up for a larger one: what has been told of its place holds no more."""

    @property
    def nbytes(self) -> int:
        """Size of the buffers in bytes."""
        return sum(buffer.nbytes for buffer in self._buffers.values())

    def take(self, name: str, *shape: int) -> Floats:
        """A contiguous array of that shape, its content undefined. It is the same memory at every call."""
        size = math.prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            self.moves += 1
            buffer = self._buffers[name] = aligned((size + size // 4,), np.float32)
        return buffer[:size].reshape(shape)
