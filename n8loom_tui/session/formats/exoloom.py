"""The files of exoloom, which are only read.

    {"loomType": "Exoloom", "schemaVersion": 1,
     "tree": {"title", "description", "rootNodeId",
              "nodes": {id: {"content", "authorType": "USER" | "LLM", "authorName", "parentId", "childrenIds",
                             "createdAt"}}},
     "lens": {"bookmarks": [{"nodeId"}], "prunedNodes": [{"nodeId"}]}}

`parentId` says where a node hangs, `childrenIds` in which order. Pruned nodes are hidden there, not deleted: they get a
tag. Of an LLM the author's name is the model's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from n8loom_tui.loom.heddle import Kind

from . import values
from .format import Format
from .hang import NOT_NODES, Entry, flat
from .outline import Node, Outline
from .tally import Tally

_FILE_KEYS = frozenset({"loomType", "schemaVersion", "tree", "lens"})
_TREE_KEYS = frozenset({"title", "description", "rootNodeId", "nodes", "id"})
_LENS_KEYS = frozenset({"bookmarks", "prunedNodes"})
_NODE_KEYS = frozenset({"id", "content", "authorType", "authorName", "parentId", "childrenIds", "createdAt"})
_PRUNED = "pruned"


def _recognises(value: Any) -> bool:
    if not isinstance(value, dict) or value.get("loomType") != "Exoloom":
        return False
    tree = value.get("tree")
    return isinstance(tree, dict) and isinstance(tree.get("nodes"), dict)


def _read(value: Any, tally: Tally) -> Outline:
    tree = value["tree"]
    lens = value.get("lens") if isinstance(value.get("lens"), dict) else {}
    tally.unknown(value, _FILE_KEYS)
    tally.unknown(tree, _TREE_KEYS)
    tally.unknown(lens, _LENS_KEYS)
    nodes: dict[str, Any] = {name: raw for name, raw in tree["nodes"].items() if isinstance(raw, dict)}
    tally.mended.update({NOT_NODES: len(tree["nodes"]) - len(nodes)})
    bookmarked, pruned = _named(lens.get("bookmarks")), _named(lens.get("prunedNodes"))
    entries = [
        Entry(
            name, values.key(nodes[name].get("parentId")), _node(name, nodes[name], bookmarked, pruned, tally)
        )
        for name in _in_order(nodes)
    ]
    roots = flat(entries, tally)
    top = next((e.node for e in entries if e.key == values.key(tree.get("rootNodeId"))), None)
    if top is not None or roots:
        first = top or roots[0]
        first.title = values.name(tree.get("title"), tally)
        first.add_note(values.note(tree.get("description"), tally))
    return Outline(roots)


def _named(found: Any) -> set[str | None]:
    """The nodes that a list of the lens names."""
    if not isinstance(found, list):
        return set()
    return {values.key(entry.get("nodeId")) for entry in found if isinstance(entry, dict)}


def _in_order(nodes: dict[str, Any]) -> Iterator[str]:
    """The nodes' names, siblings as their parent's list has them; those that no list names come last, as they came."""
    places: dict[str, int] = {}
    for raw in nodes.values():
        children = raw.get("childrenIds")
        for place, child in enumerate(children if isinstance(children, list) else ()):
            name = values.key(child)
            if name is not None:
                places.setdefault(name, place)
    yield from sorted(nodes, key=lambda name: places.get(name, len(nodes)))


def _node(
    name: str, raw: dict[str, Any], bookmarked: set[str | None], pruned: set[str | None], tally: Tally
) -> Node:
    tally.unknown(raw, _NODE_KEYS)
    node = Node(values.safe_id(name), values.text(raw.get("content"), tally))
    node.created = values.moment(raw.get("createdAt"), tally)
    author = values.name(raw.get("authorName"), tally)
    if raw.get("authorType") == "LLM":
        node.kind = Kind.GENERATED
        node.model = author
    elif author:
        node.more["author"] = author
    node.bookmark = name in bookmarked
    node.tags = (_PRUNED,) if name in pruned else ()
    return node


FORMAT = Format("exoloom", "exoloom", _recognises, _read)
