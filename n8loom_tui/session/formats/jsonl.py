"""JSON lines: a node a line, `{"id", "text", "parent_id"}`, as PyLoom exports them.

Parents come before their children, siblings in their order. Behind these three each line has all else that is known of
the node, so that nothing is lost on the way from one session to another; other programs pass over it. The line of
the node that the person stood on says `"current": true`.

A line that is none costs that node alone, as when a file breaks off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from n8loom_tui.garbage import no_collector
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.record import to_json

from . import own, values
from .facts import EVERYTHING
from .format import Format
from .hang import Entry, TooManyNodesError, flat
from .json_text import SHALLOW, SHORT, TOO_MUCH, Decoder, JsonError, as_utf8, fills_memory, parse
from .limits import MOST_NODES
from .outline import Node, Outline
from .tally import Tally

_KEYS = frozenset({"id", "text", "parent_id", "parentId", "current"}) | own.KEYS
_LINE = re.compile(rb"[^\r\n]+")
"""A line with something in it: of empty ones there may be 100 million."""
BAD_LINES = "Lines that are no node, left out"


@dataclass(slots=True)
class Lines:
    """The objects of a file of JSON lines."""

    records: list[dict[str, Any]]


def split(data: bytes, tally: Tally) -> Lines | None:
    """The objects of a file of JSON lines; None if its first line is none.

    Raises:
        SessionError: there are more lines than nodes are taken, or more values than go into the memory.
    """
    if fills_memory(data):
        raise SessionError(f"{TOO_MUCH}.")
    decoder = Decoder(tally)
    records: list[dict[str, Any]] = []
    with no_collector():
        for found in _LINE.finditer(as_utf8(data)):
            line = found.group()
            if not line.strip():
                continue
            record = _record(line, decoder, tally)
            if record is None and not records:
                return None
            if record is None:
                tally.mended[BAD_LINES] += 1
            elif len(records) == MOST_NODES:
                raise TooManyNodesError
            else:
                records.append(record)
    return Lines(records) if records else None


def _record(line: bytes, decoder: Decoder, tally: Tally) -> dict[str, Any] | None:
    """The object of a line; what is long or deep is taken apart with care."""
    simple = len(line) <= SHORT and line.count(b"[") + line.count(b"{") <= SHALLOW
    try:
        record = decoder.decode(line) if simple else parse(line, tally)
    except JsonError:
        return None
    return record if isinstance(record, dict) and "text" in record else None


def _recognises(value: Any) -> bool:
    if isinstance(value, Lines):
        return True
    records = value if isinstance(value, list) else [value]
    return any(_is_record(record) for record in records[:2])


def _is_record(value: Any) -> bool:
    flat = isinstance(value, dict) and "text" in value and "children" not in value
    return flat and ("parent_id" in value or "parentId" in value)


def _read(value: Any, tally: Tally) -> Outline:
    records = value.records if isinstance(value, Lines) else value if isinstance(value, list) else [value]
    current: Node | None = None
    entries: list[Entry] = []
    for raw in records:
        if not isinstance(raw, dict):
            tally.mended[BAD_LINES] += 1
            continue
        tally.unknown(raw, _KEYS)
        key = values.key(raw.get("id"))
        node = Node(values.safe_id(key), values.text(raw.get("text"), tally))
        own.from_own(raw, node, tally)
        if values.flag(raw.get("current")):
            current = node
        entries.append(Entry(key, values.key(raw.get("parent_id", raw.get("parentId"))), node))
    return Outline(flat(entries, tally), current)


def _write(outline: Outline) -> Iterator[str]:
    stack: list[tuple[Node, str | None]] = [(root, None) for root in reversed(outline.roots)]
    while stack:
        node, parent = stack.pop()
        line: dict[str, Any] = {"id": node.id, "text": node.text, "parent_id": parent}
        line |= own.to_own(node, root=parent is None)
        if node is outline.current:
            line["current"] = True
        yield to_json(line) + "\n"
        stack.extend((child, node.id) for child in reversed(node.children))


FORMAT = Format("jsonl", "JSON lines", _recognises, _read, _write, holds=EVERYTHING, current=True)
