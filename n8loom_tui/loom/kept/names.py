"""What files are called: by a hash over the token ids from the root of the path down to where they begin and end.

The name is all that is looked at to find a file. It is made from what is wanted, and files of any other name are
left alone; nothing that a file says is ever used as a path.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SUFFIX = ".safetensors"
_KEYS = re.compile(r"k-(\d{1,9})-(\d{1,9})-(\d{1,10})-([0-9a-f]{32})-([0-9a-f]{32})" + re.escape(SUFFIX))
_STATE = re.compile(r"s-(\d{1,9})-([0-9a-f]{32})" + re.escape(SUFFIX))


class Chain:
    """Hashes over the first tokens of a path. Quickest when they are asked for from the front on."""

    def __init__(self, path: Sequence[int]) -> None:
        """
        Raises:
            OverflowError: a token id is negative or needs more than 32 bits.
        """
        self.packed = np.asarray(path, dtype="<u4").tobytes()
        self._known: dict[int, str] = {}
        self._running = hashlib.blake2b(digest_size=16)
        self._position = 0

    def at(self, position: int) -> str:
        """The hash over the first `position` tokens, 32 hex digits."""
        if position not in self._known:
            if position < self._position:
                self._running = hashlib.blake2b(digest_size=16)
                self._position = 0
            self._running.update(self.packed[4 * self._position : 4 * position])
            self._position = position
            self._known[position] = self._running.copy().hexdigest()
        return self._known[position]


@dataclass(frozen=True, slots=True)
class Name:
    """A file's: of the keys and values of `path[start:stop]`, or of the state behind `path[:stop]`.

    `before` and `whole` are the hashes over `path[:start]` and `path[:stop]`; `first` is the span's first token. A
    state has none of these but `whole`, and begins where it ends.
    """

    start: int
    stop: int
    whole: str
    before: str = ""
    first: int = 0

    @property
    def is_state(self) -> bool:
        """Whether it is a state's."""
        return not self.before

    def __str__(self) -> str:
        if self.is_state:
            return f"s-{self.stop}-{self.whole}{SUFFIX}"
        return f"k-{self.start}-{self.stop - self.start}-{self.first}-{self.before}-{self.whole}{SUFFIX}"

    @staticmethod
    def of_keys(path: Sequence[int], chain: Chain, start: int, stop: int) -> Name:
        """The name of what is kept of `path[start:stop]`."""
        return Name(start, stop, chain.at(stop), chain.at(start), path[start])

    @staticmethod
    def of_state(chain: Chain, position: int) -> Name:
        """The name of the state behind a path's first `position` tokens."""
        return Name(position, position, chain.at(position))

    @staticmethod
    def parse(text: str) -> Name | None:
        """The opposite of `str`; None for a file that is not one of these."""
        if match := _KEYS.fullmatch(text):
            start, length, first = map(int, match.group(1, 2, 3))
            name = Name(start, start + length, match[5], match[4], first) if length else None
        elif match := _STATE.fullmatch(text):
            name = Name(int(match[1]), int(match[1]), match[2])
        else:
            return None
        return name if str(name) == text else None
