"""Nodes that a file tells one inside the other, or in a list with each one's parent, into trees. Never by recursion."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from n8loom_tui.session.errors import SessionError

from .limits import MOST_NODES
from .outline import Node
from .tally import Tally

NOT_NODES = "Entries that are no nodes, left out"
REPEATED = "Ids that came twice, of which the later got new ones"
ORPHANS = "Nodes whose parent is missing, each a tree of its own now"
CIRCLES = "Circles of nodes that stood below themselves, cut open"


class TooManyNodesError(SessionError):
    """A file holds more nodes than are taken."""

    def __init__(self) -> None:
        super().__init__(f"it holds more than {MOST_NODES:,} nodes")


def nested(
    tops: list[Any], make: Callable[[dict[str, Any]], Node], tally: Tally, *, below: str = "children"
) -> list[Node]:
    """Trees of nodes that hold their children in a list. What is read is taken out of the lists, to free the memory.

    Args:
        tops: the roots, as they stand in the file.
        make: a node of an object, without its children.
        below: the name of the list of children.

    Raises:
        TooManyNodesError: there are more nodes than are taken.
    """
    roots: list[Node] = []
    stack = [(tops, roots)]
    count = 0
    while stack:
        raws, nodes = stack.pop()
        raws.reverse()
        while raws:
            raw = raws.pop()
            if not isinstance(raw, dict):
                tally.mended[NOT_NODES] += 1
                continue
            count += 1
            if count > MOST_NODES:
                raise TooManyNodesError
            children = raw.pop(below, None)
            node = make(raw)
            nodes.append(node)
            if isinstance(children, list):
                stack.append((children, node.children))
            elif children is not None:
                tally.mended[NOT_NODES] += 1
    return roots


@dataclass(slots=True)
class Entry:
    """A node of a list: what the file calls it and its parent. `parent` None: it is a root."""

    key: str | None
    parent: str | None
    node: Node


def flat(entries: Iterable[Entry], tally: Tally) -> list[Node]:
    """Trees of nodes that name their parents. Siblings stand in the order of the list.

    A key that comes again is a node all the same; children go to the first one. Nodes whose parent is missing become
    roots, and so does one node of every circle.

    Raises:
        TooManyNodesError: there are more nodes than are taken.
    """
    found = list(entries)
    if len(found) > MOST_NODES:
        raise TooManyNodesError
    first: dict[str, Entry] = {}
    for entry in found:
        if entry.key is not None and first.setdefault(entry.key, entry) is not entry:
            tally.mended[REPEATED] += 1
            entry.node.id = ""
    roots: list[Node] = []
    orphans: list[Node] = []
    for entry in found:
        above = first.get(entry.parent) if entry.parent is not None else None
        if above is not None:
            above.node.children.append(entry.node)
        elif entry.parent is None:
            roots.append(entry.node)
        else:
            tally.mended[ORPHANS] += 1
            orphans.append(entry.node)
    roots += orphans
    _open_circles(found, first, roots, tally)
    return roots


def _open_circles(found: list[Entry], first: dict[str, Entry], roots: list[Node], tally: Tally) -> None:
    """What no root reaches hangs in a circle, or below one: the circle is cut where it is first met."""
    reached = {id(node) for root in roots for node in root.walk()}
    for entry in found:
        if id(entry.node) in reached:
            continue
        seen: set[int] = set()
        at = entry
        while id(at.node) not in seen:
            seen.add(id(at.node))
            assert at.parent is not None
            at = first[at.parent]
        assert at.parent is not None
        siblings = first[at.parent].node.children
        siblings[:] = [node for node in siblings if node is not at.node]
        roots.append(at.node)
        reached.update(id(node) for node in at.node.walk())
        tally.mended[CIRCLES] += 1
