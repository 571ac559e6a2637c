"""Loomsidian (the loom for Obsidian): what it exports of a note, or the plugin's own `data.json` with all notes.

    {"current": id, "hoisted": [id, …], "searchTerm": str, "generating": id | null, "nodes": {id: node}}
    node: {"text", "parentId": id | null, "collapsed", "unread", "bookmarked", "lastVisited"?: milliseconds,
           "searchResultState"}
    data.json: {"settings": {…}, "state": {path of a note: the above}}

Siblings stand in the order of `nodes`. The settings hold keys to other people's machines: they are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from n8loom_tui.session.record import to_json

from . import json_out, values
from .facts import Fact
from .format import Format
from .hang import Entry, flat
from .outline import Node, Outline
from .tally import Tally

_NOTE_KEYS = frozenset({"current", "searchTerm", "generating", "nodes"})
_NODE_KEYS = frozenset(
    {"text", "parentId", "collapsed", "unread", "bookmarked", "lastVisited", "searchResultState"}
)
_LARGEST_INDEX = 2**32
_MOST_DIGITS = 10
"""Names of objects that are whole numbers below this are sorted by JavaScript, whatever their order."""


def _recognises(value: Any) -> bool:
    return isinstance(value, dict) and (_is_note(value) or any(map(_is_note, _notes(value).values())))


def _is_note(value: Any) -> bool:
    nodes = value.get("nodes") if isinstance(value, dict) else None
    if not isinstance(nodes, dict):
        return False
    return not nodes or any(isinstance(node, dict) and "parentId" in node for node in nodes.values())


def _notes(value: dict[str, Any]) -> dict[str, Any]:
    notes = value.get("state")
    return notes if isinstance(notes, dict) else {}


def _read(value: Any, tally: Tally) -> Outline:
    if _is_note(value):
        return _read_note(value, tally)
    outline = Outline()
    for path, note in _notes(value).items():
        if not _is_note(note):
            tally.mended["Notes that are none, left out"] += 1
            continue
        found = _read_note(note, tally)
        for root in found.roots:
            root.title = values.name(path, tally)
        outline.roots += found.roots
        outline.current = outline.current or found.current
    return outline


def _read_note(note: dict[str, Any], tally: Tally) -> Outline:
    tally.unknown(note, _NOTE_KEYS)
    current: Node | None = None
    entries: list[Entry] = []
    for name, raw in note["nodes"].items():
        if not isinstance(raw, dict):
            tally.mended["Entries that are no nodes, left out"] += 1
            continue
        tally.unknown(raw, _NODE_KEYS)
        node = Node(
            values.safe_id(name),
            values.text(raw.get("text"), tally),
            bookmark=values.flag(raw.get("bookmarked")),
            unread=values.flag(raw.get("unread")),
            folded=values.flag(raw.get("collapsed")),
        )
        entries.append(Entry(name, values.key(raw.get("parentId")), node))
        if name == note.get("current"):
            current = node
    return Outline(flat(entries, tally), current)


def _write(outline: Outline) -> Iterator[str]:
    current = outline.current or outline.roots[0]
    head: dict[str, Any] = {"current": _name(current), "hoisted": [], "searchTerm": "", "generating": None}
    yield to_json(head)[:-1] + ',"nodes":{'
    yield from json_out.entries(_nodes(outline))
    yield "}}\n"


def _nodes(outline: Outline) -> Iterator[str]:
    stack: list[tuple[Node, str | None]] = [(root, None) for root in reversed(outline.roots)]
    while stack:
        node, parent = stack.pop()
        name = _name(node)
        entry = {
            "text": node.text,
            "parentId": parent,
            "collapsed": node.folded,
            "unread": node.unread,
            "bookmarked": node.bookmark,
            "searchResultState": None,
        }
        yield f"{to_json(name)}:{to_json(entry)}"
        stack.extend((child, name) for child in reversed(node.children))


def _name(node: Node) -> str:
    """A node's name that JavaScript leaves in its place."""
    digits = node.id.isascii() and node.id.isdecimal() and len(node.id) <= _MOST_DIGITS
    index = digits and node.id == str(int(node.id)) and int(node.id) < _LARGEST_INDEX
    return f"node {node.id}" if index else node.id


FORMAT = Format(
    "loomsidian",
    "Loomsidian",
    _recognises,
    _read,
    _write,
    holds=frozenset({Fact.BOOKMARK, Fact.UNREAD, Fact.FOLDED}),
    current=True,
    aliases=("obsidian",),
)
