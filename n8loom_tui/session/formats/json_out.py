"""Trees as nested JSON, piece by piece, on a stack of our own: a tree may be deeper than Python's recursion goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from n8loom_tui.session.record import to_json

from .outline import Node


def nested(root: Node, head: Callable[[Node, Node | None], dict[str, Any]]) -> Iterator[str]:
    """A tree, a node a line, in ASCII, so that lone surrogates and control characters harm nobody.

    `head` gives what a node says before its `children`; it is handed the node and its parent.
    """
    yield opening(head(root, None))
    stack = [(root, iter(root.children))]
    first = True
    while stack:
        node, children = stack[-1]
        child = next(children, None)
        if child is None:
            stack.pop()
            yield "]}"
            first = False
        else:
            yield ("\n" if first else ",\n") + opening(head(child, node))
            stack.append((child, iter(child.children)))
            first = True


def opening(head: dict[str, Any]) -> str:
    """A node up to its children."""
    return to_json(head)[:-1] + ',"children":['


def entries(pairs: Iterator[str]) -> Iterator[str]:
    """What stands in a bracket, an entry a line."""
    first = True
    for pair in pairs:
        yield ("\n" if first else ",\n") + pair
        first = False
