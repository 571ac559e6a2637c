"""Files of other looms, changed at random: cut off, bits turned, bytes put in, values swapped."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from support import loom_files

_ODD: list[Any] = [
    None, True, -1, 10**30, 1e308, "", "a1", "\ud800", "\0" * 9, [], {}, [[[]]], {"children": 1}, "x" * 5000,
    [0] * 300,
]  # fmt: skip
_BYTES = [
    b'"',
    b"\\",
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b":",
    b"\xff",
    b"\xc3",
    b"\0",
    b" " * 2000,
    b"1" * 5000,
    b"[" * 999,
]


def mutated(draw: random.Random) -> bytes:
    """One such file."""
    if draw.random() < 0.15:
        data = loom_files.jsonl().encode()
    else:
        value = loom_files.ALL[draw.choice(list(loom_files.ALL))]()
        for _ in range(draw.choice([0, 1, 1, 2, 5])):
            value = _restructured(draw, value)
        data = json.dumps(
            value, ensure_ascii=draw.random() < 0.5, indent=draw.choice([None, None, 2])
        ).encode("utf-8", "surrogatepass")
    for _ in range(draw.choice([0, 0, 1, 2, 4])):
        data = _bent(draw, data)
    return data


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """Where the values of a file stand: in which table or list, under which key."""
    places: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        holder = stack.pop()
        keys = (
            list(holder)
            if isinstance(holder, dict)
            else range(len(holder))
            if isinstance(holder, list)
            else ()
        )
        places += [(holder, key) for key in keys]
        stack += [holder[key] for key in keys]
    return places


def _restructured(draw: random.Random, value: Any) -> Any:
    """The value with something in it replaced, taken out, doubled, or swapped with something else of it."""
    places = places_in(value)
    if not places:
        return value
    holder, key = draw.choice(places)
    match draw.randrange(5):
        case 0:
            holder[key] = copy.deepcopy(draw.choice(_ODD))
        case 1:
            del holder[key]
        case 2:
            other, place = draw.choice(places)
            holder[key] = json.loads(json.dumps(other[place]))
        case 3 if isinstance(holder, list):
            holder.insert(0, json.loads(json.dumps(holder[key])))
        case _:
            for _ in range(draw.choice([1, 20, 60])):
                holder[key] = {"text": "deeper", "children": [holder[key]]}
    return value


def _bent(draw: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    place = draw.randrange(len(changed) + 1)
    match draw.randrange(4):
        case 0:
            del changed[place:]
        case 1 if place < len(changed):
            changed[place] ^= 1 << draw.randrange(8)
        case 2:
            changed[place:place] = draw.choice(_BYTES)
        case _:
            del changed[place : place + draw.choice([1, 3, 200])]
    return bytes(changed)
