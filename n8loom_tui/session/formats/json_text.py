"""JSON that nobody vouches for, into Python's values: bounded in size, depth and memory.

Python's own parser is fast, but it recurses, and so stops at some hundred brackets inside brackets: a chain of nodes is
deeper. So the brackets are found first, in one pass of a regular expression that cannot backtrack. Python's parser gets
pieces that are known to be shallow and short, and what lies above them is put together here, on a stack of our own.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass, field
from typing import Any

from n8loom_tui.garbage import no_collector

from .limits import DEEPEST, LONGEST_PIECE, MOST_MEMORY, MOST_NAMES
from .tally import Tally

SHALLOW = 150
"""Brackets inside brackets that Python's parser is trusted with. Its own limit lies at some hundred."""
SHORT = 4 * 1024 * 1024
"""Bytes of a piece. As text it may take four times as much."""
OBJECT, ARRAY, SCALAR = 190, 72, 64
"""Bytes of memory that a value takes, about, as long as it is small."""

_NEXT = re.compile(rb'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+([\[\]{}"]|\Z)', re.DOTALL)
"""Up to the next bracket outside of texts. A quote is found only where a text has no end."""
_OPENING, _CLOSING, _QUOTE = frozenset(b"[{"), frozenset(b"]}"), ord('"')
_BRACKET = ord("[")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

REPEATED = "Names that came twice in one object, of which the last was taken"
TOO_MUCH = "it holds so many values that they would fill the memory"
NOT_UTF8 = "Bytes that are not UTF-8, shown as �"


class JsonError(ValueError):
    """It is not JSON, or more of it than is taken. The message says where."""


def parse(data: bytes, tally: Tally) -> Any:
    """The value of a whole file. What is odd about it, but can be read, is counted in `tally`.

    Raises:
        JsonError: it isn't JSON, or too large or too deep.
    """
    data = as_utf8(data)
    if not data.strip():
        raise JsonError("there is nothing in it")
    if fills_memory(data):
        raise JsonError(TOO_MUCH)
    with no_collector():
        return _Builder(data, _pieces(data), Decoder(tally)).build()


def fills_memory(data: bytes) -> bool:
    """Whether the values of JSON would take more memory than they may."""
    return data.count(b"{") * OBJECT + data.count(b"[") * ARRAY + data.count(b",") * SCALAR > MOST_MEMORY


def as_utf8(data: bytes) -> bytes:
    """The bytes without their byte order mark; of UTF-16, in UTF-8."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            body = data[len(bom) :] if encoding == "utf-8" else data
            return body if encoding == "utf-8" else body.decode(encoding, "replace").encode()
    return data


class Decoder:
    """Python's parser for pieces that are shallow. Counts what it had to mend."""

    def __init__(self, tally: Tally) -> None:
        self.last_name = ""
        """The last name in the object that was decoded last."""
        self._tally = tally
        self._plain = json.JSONDecoder(strict=False, object_pairs_hook=self._object)
        self._careful = json.JSONDecoder(strict=False, object_pairs_hook=self._object, parse_int=_whole)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if pairs:
            self.last_name = pairs[-1][0]
        if len(found) != len(pairs):
            self.repeated(len(pairs) - len(found))
        return found

    def repeated(self, count: int) -> None:
        """Count names that came again in an object."""
        self._tally.mended[REPEATED] += count

    def decode(self, piece: bytes, at: int = 0) -> Any:
        """The value of a piece, which stands `at` this byte.

        Raises:
            JsonError: it has none.
        """
        if len(piece) > LONGEST_PIECE and len(piece.strip()) > LONGEST_PIECE:
            raise JsonError(f"the text near byte {at:,} is longer than any that is taken")
        text = self.text(piece)
        try:
            try:
                return self._plain.decode(text)
            except json.JSONDecodeError:
                raise
            except ValueError:  # Python's int() refuses thousands of digits
                return self._careful.decode(text)
        except json.JSONDecodeError as error:
            place = at + len(text[: error.pos].encode("utf-8", "replace"))
            raise JsonError(f"it is not JSON near byte {place:,}: {error.msg}") from None
        except RecursionError:
            raise JsonError(f"it is nested too deep at byte {at:,}") from None

    def text(self, piece: bytes) -> str:
        """A piece as text; what is not UTF-8 is marked, and counted."""
        try:
            return piece.decode()
        except UnicodeDecodeError:
            text = piece.decode("utf-8", "replace")
            self._tally.mended[NOT_UTF8] += text.count("�") - piece.count("�".encode())
            return text


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < 40 else float(digits)


# ------------------------------------------------------------------- the pieces


def _pieces(data: bytes) -> dict[int, int]:
    """Where pieces begin and end: the largest brackets that are shallow and short.

    Raises:
        JsonError: brackets don't match, a text has no end, or it is too deep.
    """
    pieces: dict[int, int] = {}
    starts: list[int] = []
    heights: list[int] = []
    found: list[list[tuple[int, int]]] = []
    for match in _NEXT.finditer(data):
        at = match.start(1)
        if at == len(data):
            break
        mark = data[at]
        if mark in _OPENING:
            if len(starts) == DEEPEST:
                raise JsonError(f"it is nested more than {DEEPEST:,} deep")
            starts.append(at)
            heights.append(1)
            found.append([])
            continue
        if mark == _QUOTE:
            raise JsonError(f"it breaks off: the text at byte {at:,} has no end")
        if not starts or data[starts[-1]] + 2 != mark:  # in ASCII, a bracket closes two places after it opens
            raise JsonError(f"it is not JSON: nothing was opened for the {chr(mark)!r} at byte {at:,}")
        start, height, inner = starts.pop(), heights.pop(), found.pop()
        small = height <= SHALLOW and at - start < SHORT
        if not small:
            pieces.update(inner)
        if starts:
            heights[-1] = max(heights[-1], height + 1)
            if small:
                found[-1].append((start, at + 1))
            continue
        if small:
            pieces[start] = at + 1
        if data[at + 1 :].strip():
            raise JsonError(f"there is more behind its end at byte {at + 1:,}")
        return pieces
    if starts:
        raise JsonError(f"it breaks off: what opens at byte {starts[-1]:,} is never closed")
    return pieces


# ------------------------------------------------------------ what lies above them


@dataclass(slots=True)
class _Open:
    """A bracket too large for Python's parser, as far as it is read. `begun`: something stands in it already, so a
    comma has to come first."""

    array: bool
    items: list[Any] = field(default_factory=list)
    pairs: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    begun: bool = False

    def put(self, value: Any) -> None:
        if self.array:
            self.items.append(value)
        else:
            self.pairs[self.key] = value  # a name that came before: the last counts
        self.begun = True

    def value(self) -> Any:
        return self.items if self.array else self.pairs


class _Builder:
    """Puts together what lies above the pieces. Runs of neighbouring pieces are parsed at once."""

    def __init__(self, data: bytes, pieces: dict[int, int], decoder: Decoder) -> None:
        self._data = data
        self._pieces = pieces
        self._decoder = decoder

    def build(self) -> Any:
        """The whole value.

        Raises:
            JsonError: it has none.
        """
        data = self._data
        first = self._bracket(0)
        if first == len(data) or first in self._pieces:
            return self._decoder.decode(data)
        if data[:first].strip():
            raise JsonError("it is not JSON at byte 0")
        stack = [_Open(data[first] == _BRACKET)]
        run = at = first + 1
        while True:
            place = self._bracket(at)
            top = stack[-1]
            end = self._pieces.get(place)
            if end is not None:
                at = end
                if at - run > SHORT:
                    self._take(top, run, at)
                    run = at
            elif data[place] in _OPENING:
                self._lead_in(top, run, place)
                stack.append(_Open(data[place] == _BRACKET))
                run = at = place + 1
            else:
                self._take(top, run, place)
                stack.pop()
                if not stack:
                    return top.value()
                stack[-1].put(top.value())
                run = at = place + 1

    def _bracket(self, at: int) -> int:
        match = _NEXT.match(self._data, at)
        assert match is not None
        return match.start(1)

    def _take(self, top: _Open, start: int, end: int) -> None:
        """Enter what stands between two places of a bracket: whole values."""
        body = self._behind_comma(top, start, end)
        if not body:
            return
        if top.array:
            top.items += self._decoder.decode(b"[" + body + b"]", start)
        else:
            self._enter(top, self._decoder.decode(b"{" + body + b"}", start))
        top.begun = True

    def _lead_in(self, top: _Open, start: int, end: int) -> None:
        """Enter what stands before a bracket inside this one: whole values, and the bracket's own key or comma."""
        body = self._behind_comma(top, start, end, leads=True)
        if top.array:
            if body and not body.endswith(b","):
                raise JsonError(f"it is not JSON at byte {end:,}: a comma is missing")
            if body:
                values = self._decoder.decode(b"[" + body[:-1] + b"]", start)
                if not values:
                    raise JsonError(f"it is not JSON at byte {start:,}: nothing stands before a comma")
                top.items += values
            return
        if not body.endswith(b":"):
            raise JsonError(f"it is not JSON at byte {end:,}: a name is missing")
        pairs = self._decoder.decode(b"{" + body + b"null}", start)
        top.key = self._decoder.last_name
        pairs.pop(top.key)
        self._enter(top, pairs)

    def _behind_comma(self, top: _Open, start: int, end: int, *, leads: bool = False) -> bytes:
        """The bytes between two places, without the comma that has to stand first where something went before."""
        body = self._data[start:end].strip()
        if not top.array and body.count(b",") > MOST_NAMES:
            raise JsonError(f"an object in it has more than {MOST_NAMES:,} names")
        if not top.begun or not (body or leads):
            return body
        if not body.startswith(b","):
            raise JsonError(f"it is not JSON at byte {start:,}: a comma is missing")
        body = body[1:].strip()
        if not body and not leads:
            raise JsonError(f"it is not JSON at byte {end:,}: nothing follows a comma")
        return body

    def _enter(self, top: _Open, pairs: dict[str, Any]) -> None:
        before = len(top.pairs)
        top.pairs.update(pairs)
        if again := before + len(pairs) - len(top.pairs):
            self._decoder.repeated(again)
