"""One file: a safetensors file that says for which model and where in a path it is, signed as a whole.

Nothing in a file is believed. What it must say is known before it is opened, so its header is made again from that
and compared byte for byte; then the signature over the header and all tensors, the token ids one by one, and
whether every number is finite. A key of this folder signs: what somebody else made is refused, as is what was
changed. A file that was torn by a power cut is refused like that, too, which is why nothing is synced to disk.
"""

from __future__ import annotations

import hmac
import json
import math
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

VERSION = "1"
MAX_HEADER = 1 << 20
MAX_FILE = 1 << 29
"""Bytes. No file is ever made so big, but what lies there may be."""
_UNSIGNED = "0" * 64
TOKENS = "tokens"
Raw = npt.NDArray[Any]


class Stored(NamedTuple):
    """How numbers of a type lie in a file: NumPy's type of the same width; the bits of a float's exponent."""

    storage: str
    exponent: int = 0


DTYPES = {
    "F32": Stored("<u4", 0x7F800000),
    "F16": Stored("<u2", 0x7C00),
    "BF16": Stored("<u2", 0x7F80),
    "U8": Stored("u1"),
    "I8": Stored("i1"),
    "BOOL": Stored("?"),
    "U16": Stored("<u2"),
    "I16": Stored("<i2"),
    "U32": Stored("<u4"),
    "I32": Stored("<i4"),
    "U64": Stored("<u8"),
    "I64": Stored("<i8"),
}
"""The types of safetensors that are kept."""


class Refused(Exception):
    """A file is not what it must be; the message says in which way."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor in a file: its name, type (of `DTYPES`) and shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return math.prod(self.shape) * np.dtype(DTYPES[self.dtype].storage).itemsize


@dataclass(frozen=True, slots=True)
class Label:
    """What a file says of itself: the model it belongs to, and the span of the path, in tokens."""

    model: str
    start: int
    stop: int
    is_state: bool

    @property
    def tokens(self) -> Tensor:
        """The path's token ids, which come first in the file."""
        return Tensor(TOKENS, "U32", (self.stop,))


class Expected(Protocol):
    """What tensors a model's files hold."""

    def check(self, label: Label, tensors: Sequence[Tensor]) -> None:
        """Raise Refused unless these are the tensors of such a file, but for the token ids."""
        ...


def finite(dtype: str, values: Raw) -> bool:
    """Whether all numbers, given as they are stored, are finite."""
    exponent = DTYPES[dtype].exponent
    if not exponent or not values.size:
        return True
    return bool(np.bitwise_and(values, values.dtype.type(exponent)).max() != exponent)


def header(label: Label, tensors: Sequence[Tensor], signature: str = _UNSIGNED) -> bytes:
    """The file's beginning, up to the first tensor."""
    entries: dict[str, Any] = {
        "__metadata__": {
            "format": "n8loom-kv",
            "version": VERSION,
            "model": label.model,
            "kind": "state" if label.is_state else "keys",
            "start": str(label.start),
            "stop": str(label.stop),
            "signature": signature,
        }
    }
    offset = 0
    for tensor in tensors:
        entries[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + tensor.nbytes],
        }
        offset += tensor.nbytes
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def signed(key: bytes, label: Label, tensors: Sequence[Tensor], data: Sequence[memoryview]) -> bytes:
    """The header of a file with these tensors, signed."""
    digest = hmac.new(key, header(label, tensors), "sha256")
    for part in data:
        digest.update(part)
    return header(label, tensors, digest.hexdigest())


class Reading:
    """An open file whose header is as it must be.

    Raises:
        Refused: it is not.
        OSError: there is none, or it can't be read.
    """

    def __init__(self, path: Path, label: Label, expected: Expected) -> None:
        # Not following links, and not waiting for a pipe's other end.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        self._file = os.fdopen(handle, "rb", buffering=0)
        try:
            self._label = label
            self._begin(os.fstat(handle), expected)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _begin(self, found: os.stat_result, expected: Expected) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise Refused("it is not a file")
        if found.st_size > MAX_FILE:
            raise Refused("it is too big")
        length = int.from_bytes(self._take(8), "little")
        if length > min(MAX_HEADER, found.st_size - 8):
            raise Refused("its header is too long")
        raw = self._take(length)
        self.tensors, self._signature = _parse(raw)
        if self.tensors[:1] != [self._label.tokens]:
            raise Refused("it is of another path")
        expected.check(self._label, self.tensors[1:])
        if header(self._label, self.tensors, self._signature)[8:] != raw:
            raise Refused("its header is not the one that it must have")
        if found.st_size != 8 + length + sum(tensor.nbytes for tensor in self.tensors):
            raise Refused("it is cut off, or too long")

    def _take(self, count: int) -> bytearray:
        buffer = bytearray(count)
        view, got = memoryview(buffer), 0
        while got < count:
            more = self._file.readinto(view[got:])
            if not more:
                raise Refused("it is cut off")
            got += more
        return buffer

    def tokens(self) -> list[int]:
        """The path's token ids, as the file says. The first thing to be read; nothing vouches for it yet."""
        values: list[int] = np.frombuffer(self._take(self._label.tokens.nbytes), dtype="<u4").tolist()
        return values

    def contents(self, key: bytes) -> tuple[list[int], dict[str, Raw]]:
        """The path's token ids, and the tensors as they are stored, by name.

        Raises:
            Refused: the signature is not right, or a number is not finite.
        """
        data = self._take(sum(tensor.nbytes for tensor in self.tensors))
        digest = hmac.new(key, header(self._label, self.tensors), "sha256")
        digest.update(data)
        if not hmac.compare_digest(digest.hexdigest(), self._signature):
            raise Refused("its signature is wrong")
        found: dict[str, Raw] = {}
        offset = 0
        for tensor in self.tensors:
            part = memoryview(data)[offset : offset + tensor.nbytes]
            values = np.frombuffer(part, dtype=DTYPES[tensor.dtype].storage).reshape(tensor.shape)
            if not finite(tensor.dtype, values):
                raise Refused("it holds what is no number")
            found[tensor.name] = values
            offset += tensor.nbytes
        return found.pop(TOKENS).tolist(), found


def _parse(raw: bytes | bytearray) -> tuple[list[Tensor], str]:
    """The tensors that a header names, and its signature."""
    try:
        entries = json.loads(raw)
        signature = entries.pop("__metadata__")["signature"]
        tensors = [
            Tensor(str(name), entry["dtype"], tuple(entry["shape"])) for name, entry in entries.items()
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Refused("its header cannot be read") from None
    if not (isinstance(signature, str) and len(signature) == len(_UNSIGNED) and signature.isascii()):
        raise Refused("it is not signed")
    for tensor in tensors:
        if not isinstance(tensor.dtype, str) or tensor.dtype not in DTYPES:
            raise Refused("it holds numbers of an unknown type")
        if not all(type(extent) is int and 0 <= extent < 1 << 40 for extent in tensor.shape):
            raise Refused("it holds a tensor of no sensible shape")
    return tensors, signature
