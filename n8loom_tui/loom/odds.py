"""What is known of each token of a node: its logprob, the alternatives, the entropy. Compact, and plain Python.

A hundred thousand nodes have millions of tokens, and hardly any of them is ever looked at. So the odds of a
node that does not grow are one run of bytes, as they are stored, and lists are made when they are asked for.

The bytes: how many alternatives a token has room for (1 byte), the width of their token ids (1: 2 or 4); then for
all tokens, little endian: logprobs (float32), entropies (float32), the alternatives' token ids, and their logprobs
(16 bits: -1024 times the logprob; 65535 where there is none).
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

from .bounds import MOST_ALTERNATIVES
from .protocol import Alternative

STEPS = 1024
"""Alternatives' logprobs are kept to one part in so many of a nat."""
_NONE = 65535
_LEAST = (_NONE - 1) / -STEPS
_BIG_ENDIAN = sys.byteorder == "big"
_HEADER = 2


def _code(logprob: float) -> int:
    return _NONE if math.isnan(logprob) else round(-max(min(logprob, 0.0), _LEAST) * STEPS)


def _logprob(value: float) -> float:
    """A logprob out of bytes that may say anything."""
    return value if value <= 0 else math.nan


def _entropy(value: float) -> float:
    return value if 0 <= value < math.inf else math.nan


def _little(values: array[Any]) -> bytes:
    """Numbers as bytes, little endian."""
    if _BIG_ENDIAN:
        values = values[:]
        values.byteswap()
    return values.tobytes()


def _halves(values: array[int], high: bool) -> memoryview:
    """The lower 16 bits of 32 bit numbers, or the higher ones. To look at, or to write to."""
    return memoryview(values).cast("B").cast("H")[high != _BIG_ENDIAN :: 2]


def _narrowed(values: array[int]) -> array[int] | None:
    """The same numbers in 16 bits each, if they have room there."""
    spare = _halves(values, high=True).tobytes()
    if spare.count(0) < len(spare):
        return None
    narrow: array[int] = array("H")
    narrow.frombytes(_halves(values, high=False).tobytes())
    return narrow


def _widened(narrow: array[int]) -> array[int]:
    """Numbers of 16 bits in 32 bits each."""
    values = array("I", bytes(4 * len(narrow)))
    _halves(values, high=False)[:] = memoryview(narrow)
    return values


class _Columns:
    """The odds of a node that grows: an array for each part, a row for each token."""

    __slots__ = ("codes", "entropies", "logprobs", "room", "tokens")

    def __init__(self, room: int) -> None:
        self.room = room
        self.logprobs = array("f")
        self.entropies = array("f")
        self.tokens = array("I")
        self.codes = array("H")

    def append(self, logprob: float, alternatives: Sequence[Alternative], entropy: float) -> None:
        if len(alternatives) > self.room:
            self._widen(len(alternatives))
        self.logprobs.append(logprob)
        self.entropies.append(entropy)
        self.tokens.extend(other.token for other in alternatives)
        self.codes.extend(_code(other.logprob) for other in alternatives)
        missing = self.room - len(alternatives)
        self.tokens.extend(repeat(0, missing))
        self.codes.extend(repeat(_NONE, missing))

    def _widen(self, room: int) -> None:
        """Make room for more alternatives a token."""
        old, more = self.room, room - self.room
        tokens, codes = self.tokens, self.codes
        self.room, self.tokens, self.codes = room, array("I"), array("H")
        for start in range(0, len(self.logprobs) * old, old) if old else repeat(0, len(self.logprobs)):
            self.tokens += tokens[start : start + old] + array("I", repeat(0, more))
            self.codes += codes[start : start + old] + array("H", repeat(_NONE, more))

    def part(self, start: int, stop: int) -> _Columns:
        part = _Columns(self.room)
        part.logprobs, part.entropies = self.logprobs[start:stop], self.entropies[start:stop]
        part.tokens = self.tokens[start * self.room : stop * self.room]
        part.codes = self.codes[start * self.room : stop * self.room]
        return part

    def row(self, index: int) -> tuple[float, tuple[Alternative, ...], float]:
        span = slice(index * self.room, (index + 1) * self.room)
        alternatives = tuple(
            Alternative(token, code / -STEPS)
            for token, code in zip(self.tokens[span], self.codes[span], strict=True)
            if code != _NONE
        )
        return _logprob(self.logprobs[index]), alternatives, _entropy(self.entropies[index])

    def pack(self) -> bytes:
        narrow = _narrowed(self.tokens)
        tokens = self.tokens if narrow is None else narrow
        parts = (_little(self.logprobs), _little(self.entropies), _little(tokens), _little(self.codes))
        return bytes((self.room, tokens.itemsize)) + b"".join(parts)

    @staticmethod
    def unpack(data: bytes) -> _Columns:
        room, width = data[0], data[1]
        count = count_of(data)
        columns = _Columns(room)
        narrow: array[int] = array("H")
        at = _HEADER
        for part, items in (
            (columns.logprobs, count),
            (columns.entropies, count),
            (narrow if width == 2 else columns.tokens, count * room),
            (columns.codes, count * room),
        ):
            size = items * part.itemsize
            part.frombytes(data[at : at + size])
            if _BIG_ENDIAN:
                part.byteswap()
            at += size
        if width == 2:
            columns.tokens = _widened(narrow)
        return columns


def count_of(data: bytes) -> int:
    """How many tokens packed odds are of.

    Raises:
        ValueError: these are no packed odds.
    """
    if len(data) < _HEADER or data[0] > MOST_ALTERNATIVES or data[1] not in {2, 4}:
        raise ValueError("not the odds of tokens")
    count, rest = divmod(len(data) - _HEADER, 8 + data[0] * (data[1] + 2))
    if rest:
        raise ValueError("not the odds of tokens")
    return count


def _packed_row(data: bytes, index: int) -> tuple[float, tuple[Alternative, ...], float]:
    """One token's row of packed odds, without a look at the others."""
    count, room, width = count_of(data), data[0], data[1]
    if not 0 <= index < count:
        raise IndexError(index)
    (logprob,) = struct.unpack_from("<f", data, _HEADER + 4 * index)
    (entropy,) = struct.unpack_from("<f", data, _HEADER + 4 * (count + index))
    tokens_at = _HEADER + 8 * count
    tokens = struct.unpack_from(
        f"<{room}{'H' if width == 2 else 'I'}", data, tokens_at + index * room * width
    )
    codes = struct.unpack_from(f"<{room}H", data, tokens_at + count * room * width + index * room * 2)
    alternatives = tuple(
        Alternative(token, code / -STEPS) for token, code in zip(tokens, codes, strict=True) if code != _NONE
    )
    return _logprob(logprob), alternatives, _entropy(entropy)


class Odds:
    """The odds of a span of tokens, an entry each. Made by `of` and `unpack`."""

    __slots__ = ("_columns", "_packed")

    def __init__(self) -> None:
        """Of no token yet."""
        self._columns: _Columns | None = _Columns(0)
        self._packed = b""

    @classmethod
    def of(
        cls,
        logprobs: Iterable[float],
        alternatives: Iterable[Sequence[Alternative]] = (),
        entropies: Iterable[float] = (),
    ) -> Odds:
        """From a list each; one that is not given is not known."""
        odds = cls()
        for logprob, others, entropy in zip(
            logprobs,
            alternatives or repeat(()),
            entropies or repeat(math.nan),
            strict=False,
        ):
            odds.append(logprob, others, entropy)
        return odds

    @classmethod
    def unpack(cls, data: bytes) -> Odds:
        """The odds of `pack`. They are not looked into before they are asked for.

        Raises:
            ValueError: these are not such bytes.
        """
        odds = cls.__new__(cls)
        count_of(data)
        odds._columns, odds._packed = None, data
        return odds

    @classmethod
    def joined(cls, parts: Iterable[tuple[Odds | None, int]]) -> Odds | None:
        """The odds of spans that follow each other, given with the number of their tokens."""
        known = list(parts)
        if all(odds is None for odds, _ in known):
            return None
        joined = _Columns(0)
        for odds, count in known:
            columns = odds._unpacked() if odds is not None else None
            for index in range(count):
                joined.append(*(columns.row(index) if columns is not None else (math.nan, (), math.nan)))
        return cls._having(joined)

    def pack(self) -> bytes:
        """As bytes. From then on they are kept so."""
        if self._columns is not None:
            self._packed, self._columns = self._columns.pack(), None
        return self._packed

    @property
    def blank(self) -> bool:
        """Whether nothing is known of any token."""
        columns = self._unpacked()
        known = (value for value in (*columns.logprobs, *columns.entropies) if not math.isnan(value))
        return next(known, None) is None and all(code == _NONE for code in columns.codes)

    def __len__(self) -> int:
        return len(self._columns.logprobs) if self._columns is not None else count_of(self._packed)

    def append(self, logprob: float, alternatives: Sequence[Alternative], entropy: float) -> None:
        """Add a token."""
        if self._columns is None:
            self._columns = _Columns.unpack(self._packed)
        self._columns.append(logprob, alternatives, entropy)

    def part(self, start: int, stop: int) -> Odds:
        """The tokens from `start` up to `stop`."""
        return self._having(self._unpacked().part(start, stop))

    @property
    def logprobs(self) -> list[float]:
        """The tokens' logprobs; NaN where not known."""
        return list(map(_logprob, self._unpacked().logprobs))

    @property
    def entropies(self) -> list[float]:
        """The entropies of the tokens' positions, in nats; NaN where not known."""
        return list(map(_entropy, self._unpacked().entropies))

    @property
    def alternatives(self) -> list[tuple[Alternative, ...]]:
        """What could stand in the tokens' places, best first; empty where not known."""
        columns = self._unpacked()
        return [columns.row(index)[1] for index in range(len(columns.logprobs))]

    def at(self, index: int) -> tuple[float, tuple[Alternative, ...], float]:
        """One token's logprob, alternatives and entropy."""
        if self._columns is None:
            return _packed_row(self._packed, index)
        return self._columns.row(index)

    def _unpacked(self) -> _Columns:
        return self._columns if self._columns is not None else _Columns.unpack(self._packed)

    @classmethod
    def _having(cls, columns: _Columns) -> Odds:
        odds = cls()
        odds._columns = columns
        return odds
