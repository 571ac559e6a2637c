"""Reads and checks the header of a GGUF file, without MLX and without trusting a byte of it.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian).
Every count is checked against what the file can hold before anything is allocated, and every tensor's
bytes are checked to lie within the file; so MLX's own reader, which maps the file and believes its
header, is only given files on which it cannot run off the end.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO, TypeAlias

from n8loom_tui.models.errors import ModelError

Scalar: TypeAlias = int | float | bool | str
Value: TypeAlias = Scalar | list[str] | list[int] | list[float]

MAGIC = b"GGUF"
READABLE = ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0")
"""The names of the tensor types that can be loaded."""

_MAX_HEADER = 1 << 29  # bytes; the largest vocabularies take about 20 MB
_MAX_DIMENSIONS = 4
_MAX_ELEMENTS = 1 << 48
_DEFAULT_ALIGNMENT = 32
_SMALLEST_ENTRY = 8 + 4 + 1  # a metadata key's length, its type, one byte of value
_SMALLEST_TENSOR = 8 + 4 + 8 + 4 + 8  # a name's length, dimensions, one extent, type, offset


class _Kind(IntEnum):
    """Types of metadata values."""

    UINT8 = 0
    INT8 = 1
    UINT16 = 2
    INT16 = 3
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    UINT64 = 10
    INT64 = 11
    FLOAT64 = 12


_FIXED: dict[_Kind, str] = {
    _Kind.UINT8: "<u1",
    _Kind.INT8: "<i1",
    _Kind.UINT16: "<u2",
    _Kind.INT16: "<i2",
    _Kind.UINT32: "<u4",
    _Kind.INT32: "<i4",
    _Kind.FLOAT32: "<f4",
    _Kind.BOOL: "?",
    _Kind.UINT64: "<u8",
    _Kind.INT64: "<i8",
    _Kind.FLOAT64: "<f8",
}

# Tensor types by number: name, elements per block, bytes per block.
_TENSOR_TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 36),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor's entry: `shape` in row-major order (as MLX has it), `offset` from the file's start."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class GgufFile:
    """A checked header: the metadata by key, and the tensors by name."""

    path: Path
    metadata: dict[str, Value]
    tensors: dict[str, Tensor]

    @property
    def architecture(self) -> str:
        """`general.architecture`, such as `llama`."""
        return self.text("general.architecture")

    def text(self, key: str, default: str | None = None) -> str:
        """A string value. Raises ModelError if it is of another type, or missing without a default."""
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self.broken(f"{key} is not text")
        return value

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole-number value; raises as `text` does."""
        value = self._get(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.broken(f"{key} is not one whole number")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A numeric value; raises as `text` does."""
        value = self._get(key, default)
        if not isinstance(value, int | float):
            raise self.broken(f"{key} is not a number")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """A yes-or-no value; raises as `text` does."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self.broken(f"{key} is not a yes or no")
        return value

    def array(self, key: str) -> list[str] | list[int] | list[float] | None:
        """A list value, `None` if missing; raises as `text` does."""
        value = self.metadata.get(key)
        if value is not None and not isinstance(value, list):
            raise self.broken(f"{key} is not a list")
        return value

    def broken(self, what: str) -> ModelError:
        """The error that says `what` is wrong with this file."""
        return ModelError(f"{self.path.name} is not a usable GGUF file: {what}")

    def _get(self, key: str, default: Value | None) -> Value:
        value = self.metadata.get(key, default)
        if value is None:
            raise self.broken(f"{key} is missing")
        return value


def read_gguf(path: Path) -> GgufFile:
    """Read and check the header of the file at `path`; the tensors' bytes are not read.

    Raises ModelError: not a GGUF file, damaged, cut short, of an unknown version or byte order.
    """
    try:
        with path.open("rb") as file:
            return _Reader(path, file, os.fstat(file.fileno()).st_size).read()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error


class _Reader:
    """Reads one header from front to back, never past the file's end or `_MAX_HEADER`."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.path = path
        self.file = file
        self.size = size
        self.at = 0

    def read(self) -> GgufFile:
        if self.size < 24:
            raise self.broken("it is too short")
        if self.take(4) != MAGIC:
            raise self.broken("it does not begin with GGUF")
        version = self.unsigned(4)
        if version not in (2, 3):
            what = "it is big-endian" if version in (2 << 24, 3 << 24) else f"version {version} is unknown"
            raise self.broken(f"{what} (versions 2 and 3, little-endian, are read)")
        tensor_count = self.count(_SMALLEST_TENSOR)
        entry_count = self.count(_SMALLEST_ENTRY)
        metadata: dict[str, Value] = {}
        for _ in range(entry_count):
            key = self.string()
            if key in metadata:
                raise self.broken(f"the key {key} occurs twice")
            kind = self.kind()
            if key == "general.alignment" and kind is not _Kind.UINT32:
                raise self.broken("its alignment is of the wrong type")  # readers would disagree on it
            metadata[key] = self.value(kind)
        entries = [self.tensor() for _ in range(tensor_count)]
        return GgufFile(self.path, metadata, self.place(entries, metadata))

    def place(self, entries: list[Tensor], metadata: dict[str, Value]) -> dict[str, Tensor]:
        """Turn offsets within the data section into offsets within the file, and check them."""
        alignment = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 20 or alignment & (alignment - 1):
            raise self.broken("its alignment is not a power of two")
        start = -(-self.at // alignment) * alignment
        tensors: dict[str, Tensor] = {}
        for entry in entries:
            placed = Tensor(entry.name, entry.shape, entry.type, start + entry.offset, entry.nbytes)
            if entry.name in tensors:
                raise self.broken(f"the tensor {entry.name} occurs twice")
            if entry.offset % alignment:
                raise self.broken(f"the tensor {entry.name} is not aligned")
            if placed.offset + placed.nbytes > self.size:
                missing = placed.offset + placed.nbytes - self.size
                raise self.broken(f"it is cut short, at least {missing} bytes are missing; fetch it again")
            tensors[entry.name] = placed
        return tensors

    def tensor(self) -> Tensor:
        name = self.string()
        dimensions = self.unsigned(4)
        if not 1 <= dimensions <= _MAX_DIMENSIONS:
            raise self.broken(f"the tensor {name} has {dimensions} dimensions")
        shape = tuple(self.unsigned(8) for _ in range(dimensions))
        number = self.unsigned(4)
        if number not in _TENSOR_TYPES:
            raise self.broken(f"the tensor {name} is of the unknown type {number}")
        kind, block, block_bytes = _TENSOR_TYPES[number]
        elements = 1
        for extent in shape:
            elements *= extent
            if extent < 1 or elements > _MAX_ELEMENTS:
                raise self.broken(f"the tensor {name} has an impossible shape")
        if shape[0] % block:
            raise self.broken(f"the rows of {name} do not divide into blocks of {kind}")
        return Tensor(name, shape[::-1], kind, self.unsigned(8), elements // block * block_bytes)

    def value(self, kind: _Kind) -> Value:
        if kind is _Kind.STRING:
            return self.string()
        if kind is not _Kind.ARRAY:
            return self.numbers(kind, 1)[0]
        inner = self.kind()
        if inner is _Kind.ARRAY:
            raise self.broken("it holds lists of lists")
        if inner is _Kind.STRING:
            return [self.string() for _ in range(self.count(8))]
        return self.numbers(inner)

    def numbers(self, kind: _Kind, count: int | None = None) -> list[int] | list[float]:
        """So many numbers; None: as many as are told in front of them."""
        import numpy as np  # not at the top: it would keep the app's first picture waiting

        dtype = np.dtype(_FIXED[kind])
        count = self.count(dtype.itemsize) if count is None else count
        found: list[int] | list[float] = np.frombuffer(self.take(count * dtype.itemsize), dtype).tolist()
        return found

    def kind(self) -> _Kind:
        number = self.unsigned(4)
        try:
            return _Kind(number)
        except ValueError:
            raise self.broken(f"a metadata value is of the unknown type {number}") from None

    def string(self) -> str:
        # Vocabularies hold pieces of characters in a few files: keep what cannot be decoded visible.
        return self.take(self.count(1)).decode("utf-8", "replace")

    def count(self, item_bytes: int) -> int:
        """A number of items of at least `item_bytes` bytes each: bounded by what is left of the file."""
        number = self.unsigned(8)
        if number * item_bytes > min(self.size, _MAX_HEADER) - self.at:
            raise self.broken("it is damaged or cut short: a length points past its end")
        return number

    def unsigned(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def take(self, length: int) -> bytes:
        if length > min(self.size, _MAX_HEADER) - self.at:
            raise self.broken("its header is cut short; fetch it again")
        data = self.file.read(length)
        if len(data) != length:
            raise self.broken("its header is cut short; fetch it again")
        self.at += length
        return data

    def broken(self, what: str) -> ModelError:
        return ModelError(f"{self.path.name} is not a usable GGUF file: {what}")
