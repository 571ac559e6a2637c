"""What one thread computes in."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")


class Workspace:
    """Buffers that are used again and again, so that no step has to ask the system for memory, and what is prepared
    for them. Two threads must not share one."""

    def __init__(self) -> None:
        self._buffers: dict[str, npt.NDArray[np.float32]] = {}
        self._prepared: dict[Hashable, Any] = {}

    @property
    def nbytes(self) -> int:
        """Size of the buffers in bytes."""
        return sum(buffer.nbytes for buffer in self._buffers.values())

    def take(self, name: str, *shape: int) -> npt.NDArray[np.float32]:
        """A contiguous array of that shape, its content undefined. It is the same memory at every call."""
        size = math.prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            buffer = self._buffers[name] = np.empty(size + size // 4, dtype=np.float32)
        return buffer[:size].reshape(shape)

    def prepared(self, key: Hashable, prepare: Callable[[], T]) -> T:
        """What was prepared under that key, now if not before. The key stands for nothing else."""
        found: T | None = self._prepared.get(key)
        if found is None:
            found = self._prepared[key] = prepare()
        return found
