"""Token ids, ends and texts as bytes: small, quick to read, and exact.

A list of whole numbers is one byte for the width (1, 2, 4 or 8) and then each number in that many bytes,
little endian. `ends` are packed as the distance from one to the next.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

LONGEST_JSON = 16 * 1024 * 1024
MOST_BRACKETS = 1_000_000
MOST_COMMAS = 4_000_000
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_BIG_ENDIAN = sys.byteorder == "big"


def pack(numbers: Sequence[int]) -> bytes:
    """Numbers as bytes.

    Raises:
        OverflowError: one of them is negative or needs more than 64 bits.
    """
    if not numbers:
        return b""
    largest = max(numbers)
    width = 8 if largest >> 32 else 1 if largest < 256 else 2 if largest < 65536 else 4
    packed = array(_CODES[width], numbers)
    if _BIG_ENDIAN:
        packed.byteswap()
    return bytes((width,)) + packed.tobytes()


def unpack(blob: bytes) -> list[int]:
    """The numbers of `pack`.

    Raises:
        ValueError: these are not such bytes.
    """
    if not blob:
        return []
    code = _CODES.get(blob[0])
    if code == "B":
        return list(blob[1:])
    if code is None:
        raise ValueError("not a packed list of numbers")
    numbers = array(code, blob[1:])
    if _BIG_ENDIAN:
        numbers.byteswap()
    return numbers.tolist()


def pack_ends(ends: Sequence[int]) -> bytes:
    """Rising numbers as bytes."""
    return pack([*ends[:1], *(after - before for before, after in pairwise(ends))])


def unpack_ends(blob: bytes) -> list[int]:
    """The numbers of `pack_ends`."""
    return list(accumulate(unpack(blob)))


class PackedSpan:
    """Token ids and ends as they are stored, seen to be in order, and unpacked when they are asked for.

    Raises:
        ValueError, TypeError: they are not such bytes, or the ends do not match a text of `length` characters.
    """

    __slots__ = ("_count", "_ends", "_tokens")

    def __init__(self, tokens: bytes, ends: bytes, length: int) -> None:
        self._tokens, self._ends = tokens, ends
        self._count = count = _count(tokens)
        if count != (len(ends) - 1 if ends and ends[0] == 1 else _count(ends)):
            raise ValueError("the ends do not match the tokens")
        last = (sum(ends) - 1 if ends[0] == 1 else unpack_ends(ends)[-1]) if count else 0
        if last > length or (length and not count):
            raise ValueError("the ends do not match the text")

    def __len__(self) -> int:
        return self._count

    def __call__(self) -> tuple[list[int], list[int]]:
        return unpack(self._tokens), unpack_ends(self._ends)


def _count(blob: bytes) -> int:
    """How many numbers were packed."""
    if not blob:
        return 0
    if blob[0] not in _CODES:
        raise ValueError("not a packed list of numbers")
    count, rest = divmod(len(blob) - 1, blob[0])
    if rest:
        raise ValueError("not a packed list of numbers")
    return count


def read_json(text: str) -> Any:
    """The value of JSON that a session holds: never so large that it would fill the memory.

    Raises:
        ValueError, TypeError, RecursionError: it is larger than any that is written, or no JSON.
    """
    fills = len(text) > LONGEST_JSON or text.count("[") + text.count("{") > MOST_BRACKETS
    if fills or text.count(",") > MOST_COMMAS:
        raise ValueError("larger than any that is written")
    return json.loads(text)


def pack_text(text: str) -> bytes:
    """Any `str` as bytes, lone surrogates too."""
    return text.encode("utf-8", "surrogatepass")


def unpack_text(blob: bytes) -> str:
    """The text of `pack_text`.

    Raises:
        UnicodeDecodeError, TypeError: these are not such bytes.
    """
    return str(blob, "utf-8", "surrogatepass")
