"""Edits of many nodes of a document at once: each is one step of the history, and says what it did in a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.session import history_edits as edits
from n8loom_tui.session import history_sets as sets
from n8loom_tui.session.history_ops import Operation
from n8loom_tui.tui.document import Change, Document, EditError, counted

UNCUT = "no token is left to cut there"


def delete(document: Document, nodes: Sequence[Heddle]) -> Change:
    """Take nodes out, each with all below it."""
    tops = sets.topmost(document.roots, {node.id for node in nodes})
    return _counted(document, "delete", sets.delete(document.trees, tops), "deleted")


def make_leaves(document: Document, nodes: Sequence[Heddle]) -> Change:
    """Take all below nodes out.

    Raises:
        EditError: there is nothing below any of them.
    """
    tops = sets.topmost(document.roots, {node.id for node in nodes})
    return _counted(document, "make leaves", sets.make_leaves(tops), "deleted")


def clip(document: Document, nodes: Sequence[Heddle], tokens: int) -> Change:
    """Keep the first tokens of each node (all but the last, if negative); what is below those that are cut goes.

    Raises:
        EditError: none of them can be cut.
    """
    made, cut = sets.clip(
        document.trees, {node.id for node in nodes}, tokens, lambda node: node.id not in document.growing
    )
    change = document.perform("trim" if tokens < 0 else "clip", made)
    verb = "trimmed" if tokens < 0 else "clipped"
    left = len(nodes) - cut
    change.said = f"{verb} {counted(cut, 'node')}" + (f", {left} not: {UNCUT}" if left else "")
    return change


def bookmark(document: Document, nodes: Sequence[Heddle]) -> Change:
    """Set the bookmark of all nodes; if all have one, take it away."""
    value = not all(node.marks.bookmark for node in nodes)
    change = document.bookmark(nodes, value)
    change.said = f"{'set' if value else 'took away'} the bookmark of {counted(len(nodes), 'node')}"
    return change


def retag(document: Document, nodes: Sequence[Heddle], more: Sequence[str], fewer: Sequence[str]) -> Change:
    """Give all nodes some tags besides theirs, and take others away."""
    made = []
    for node in nodes:
        kept = [tag for tag in node.marks.tags if tag not in fewer]
        made += edits.tag([node], tuple(dict.fromkeys([*kept, *more])))
    change = document.perform("tag", made)
    change.said = f"tagged {counted(len(made), 'node')}"
    return change


def remove_duplicates(document: Document, top: Heddle) -> Change:
    """Take out, below a node, what says the same as a sibling and has nothing below it nor any marks.

    Raises:
        EditError: there is no such node.
    """
    found = sets.duplicates(top, document.growing)
    if not found:
        raise EditError("No two siblings below this node say the same.")
    return _counted(document, "remove duplicates", sets.delete(document.trees, found), "removed")


def sort_below(document: Document, top: Heddle, key: Callable[[Heddle], Any], by: str) -> Change:
    """Sort all siblings below a node.

    Raises:
        EditError: they are in that order.
    """
    made = sets.sort_below(top, key)
    change = document.perform("sort", made)
    change.focus = top
    change.said = f"sorted by {by} below {counted(len(made), 'node')}"
    return change


def _counted(document: Document, label: str, operations: list[Operation], verb: str) -> Change:
    """Carry out what takes nodes away, and tell how many went."""
    before = len(document.nodes)
    change = document.perform(label, operations)
    change.said = f"{verb} {counted(before - len(document.nodes), 'node')}"
    return change
