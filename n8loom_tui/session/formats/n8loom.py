"""The JSON that n8loom's server exports and imports: one tree, recursive.

    {"node_id": str, "text": str, "display_text": str, "terminal": bool, "children": [the same, …]}

The shape is that of `/loom/{id}/export` in n8loom's `examples/server.py`. It holds one tree and no token ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.session.load import LoadedSession

from .registry import Export, Format


def _write(session: LoadedSession, root: Heddle) -> Export:
    others = len(session.roots) - 1
    notices = []
    if others:
        them = "1 other loom was" if others == 1 else f"{others} other looms were"
        notices.append(f"n8loom's format holds one loom: {them} left out.")
    return Export(_chunks(root), tuple(notices))


def _chunks(root: Heddle) -> Iterator[str]:
    """The tree as JSON, a node a line. Keeps its own stack: a tree may be deeper than Python's recursion
    goes.
    """
    yield _opening(root)
    stack = [iter(root.children)]
    first = True
    while stack:
        child = next(stack[-1], None)
        if child is None:
            stack.pop()
            yield "]}"
            first = False
        else:
            yield ("\n" if first else ",\n") + _opening(child)
            stack.append(iter(child.children))
            first = True
    yield "\n"


def _opening(node: Heddle) -> str:
    """A node up to its children. In ASCII, so that lone surrogates and control characters harm nobody."""
    head = {
        "node_id": node.id,
        "text": node.text,
        "display_text": node.display_text(),
        "terminal": node.terminal,
    }
    return json.dumps(head)[:-1] + ', "children": ['


FORMAT = Format("n8loom", "n8loom's server (JSON, one loom)", _write)
