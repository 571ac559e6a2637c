"""The operations on trees, as plain data: what each is, what undoes it, and how it is written down.

An operation names nodes by their ids and holds no text and no tokens: what it takes out of a tree, or off a node, is
kept in a node of the trash. So a step of the history is small whatever it was done to, and nothing is ever lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .packing import pack_text, read_json, unpack_text


class HistoryError(Exception):
    """A step can't be done or undone: what it needs is not there, or not as it was. The trees are as before."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Enter nodes of the trash, side by side from `index` on, below `parent` (None: among the roots)."""

    parent: str | None
    index: int
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Take:
    """Put nodes that hang side by side into the trash, with all below them."""

    parent: str | None
    index: int
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """Put `head` out of the trash between `node` and its parent. It holds the node's first tokens, which the node
    loses; the node's children stay with the node."""

    node: str
    head: str


@dataclass(frozen=True, slots=True)
class Join:
    """Put the tokens of `head` in front of those of `node`, its only child, which takes its place; `head` goes into the
    trash."""

    node: str
    head: str


@dataclass(frozen=True, slots=True)
class Cut:
    """Take the tokens that `tail` holds off the end of `node`. The tail stays in the trash all the time."""

    node: str
    tail: str


@dataclass(frozen=True, slots=True)
class Mend:
    """Put the tokens of `tail` back at the end of `node`."""

    node: str
    tail: str


@dataclass(frozen=True, slots=True)
class Swap:
    """Let a node and one of the trash change their contents. It undoes itself."""

    node: str
    other: str


@dataclass(frozen=True, slots=True)
class Order:
    """Bring all children of `parent` (None: the roots) from one order into another."""

    parent: str | None
    before: tuple[str, ...]
    after: tuple[str, ...]


class Field(StrEnum):
    """What `Set` can set."""

    BOOKMARK = "bookmark"
    TAGS = "tags"
    NOTE = "note"
    KIND = "kind"


Value = bool | str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Set:
    """Give a field of a node another value."""

    node: str
    field: Field
    before: Value
    after: Value


Operation = Hang | Take | Split | Join | Cut | Mend | Swap | Order | Set


def inverse(operation: Operation) -> Operation:
    """The operation that undoes this one."""
    match operation:
        case Hang(parent, index, nodes):
            return Take(parent, index, nodes)
        case Take(parent, index, nodes):
            return Hang(parent, index, nodes)
        case Split(node, head):
            return Join(node, head)
        case Join(node, head):
            return Split(node, head)
        case Cut(node, tail):
            return Mend(node, tail)
        case Mend(node, tail):
            return Cut(node, tail)
        case Swap():
            return operation
        case Order(parent, before, after):
            return Order(parent, after, before)
        case Set(node, field, before, after):
            return Set(node, field, after, before)


# ------------------------------------------------------------------- as bytes

_NAMES: dict[str, type[Any]] = {
    "hang": Hang,
    "take": Take,
    "split": Split,
    "join": Join,
    "cut": Cut,
    "mend": Mend,
    "swap": Swap,
    "order": Order,
    "set": Set,
}
_NAMED = {kind: name for name, kind in _NAMES.items()}


def pack_operations(operations: Iterable[Operation]) -> bytes:
    """Operations as JSON: a list of `[name, field, …]`."""
    rows = [
        [_NAMED[type(operation)], *(getattr(operation, name) for name in operation.__slots__)]
        for operation in operations
    ]
    return pack_text(json.dumps(rows, ensure_ascii=False, separators=(",", ":")))


def unpack_operations(packed: bytes) -> list[Operation]:
    """The operations of `pack_operations`.

    Raises:
        HistoryError: these are not such bytes.
    """
    try:
        rows = read_json(unpack_text(packed))
        if not isinstance(rows, list):
            raise ValueError("not a list")
        return [_operation(*row) for row in rows]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise HistoryError("a step of the history could not be read") from None


def _operation(name: str, *values: Any) -> Operation:
    """One operation, its fields' types checked."""
    made: Operation
    match name, values:
        case (("hang" | "take"), (str() | None as parent, int(index), list(nodes))) if index >= 0:
            kind = Hang if name == "hang" else Take
            made = kind(parent, index, _ids(nodes))
        case (("split" | "join" | "cut" | "mend" | "swap"), (str(node), str(other))):
            made = _NAMES[name](node, other)
        case "order", (str() | None as parent, list(before), list(after)):
            made = Order(parent, _ids(before), _ids(after))
        case "set", (str(node), str(field), before, after):
            made = Set(node, Field(field), _value(field, before), _value(field, after))
        case _:
            raise ValueError("no operation")
    return made


def _ids(values: list[Any]) -> tuple[str, ...]:
    if not all(isinstance(value, str) for value in values) or len(set(values)) < len(values):
        raise ValueError("not a list of ids")
    return tuple(values)


def _value(field: str, value: Any) -> Value:
    match field, value:
        case Field.BOOKMARK, bool():
            return value
        case ((Field.NOTE | Field.KIND), str()):
            return value
        case Field.TAGS, list():
            return _ids(value)
    raise ValueError("not such a value")
