"""Edits of many nodes at once, as operations of one step. As in `history_edits`, nothing is done yet.

Each costs what the trees it looks through are large, whatever the nodes' number and depth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from n8loom_tui.loom.heddle import Heddle

from . import history_edits as edits
from .history_edits import EditError
from .history_ops import Operation, Order, Take
from .history_trees import Trees


def topmost(roots: Iterable[Heddle], chosen: Collection[str]) -> list[Heddle]:
    """The nodes of these ids that stand below no other one of them, from top to bottom."""
    found: list[Heddle] = []
    stack = list(roots)[::-1]
    while stack:
        node = stack.pop()
        if node.id in chosen:
            found.append(node)
        else:
            stack.extend(reversed(node.children))
    return found


def delete(trees: Trees, nodes: Iterable[Heddle]) -> list[Operation]:
    """Take nodes out, each with all below it. None of them may stand below another."""
    parents: dict[str | None, Heddle | None] = {}
    gone: set[str] = set()
    for node in nodes:
        parents[node.parent.id if node.parent is not None else None] = node.parent
        gone.add(node.id)
    made: list[Operation] = []
    for name, parent in parents.items():
        runs = list(_runs(trees.children(parent), gone))
        # From the last one on, that the places of those before it stay what they are.
        made += [Take(name, index, names) for index, names in reversed(runs)]
    return made


def _runs(siblings: Sequence[Heddle], chosen: Collection[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Where among siblings chosen ones stand side by side, and which."""
    run: list[str] = []
    for index, node in enumerate(siblings):
        if node.id in chosen:
            run.append(node.id)
        elif run:
            yield index - len(run), tuple(run)
            run = []
    if run:
        yield len(siblings) - len(run), tuple(run)


def make_leaves(nodes: Iterable[Heddle]) -> list[Operation]:
    """Take out all below nodes, none of which stands below another.

    Raises:
        EditError: there is nothing below any of them.
    """
    made = [operation for node in nodes if node.children for operation in edits.make_leaf(node)]
    if not made:
        raise EditError("There is nothing below any of these nodes.")
    return made


def clip(
    trees: Trees, chosen: Collection[str], tokens: int, may: Callable[[Heddle], bool]
) -> tuple[list[Operation], int]:
    """Keep the first tokens of each node of these ids (all but the last, if negative) that `may` be cut.

    What stands below one that is cut goes with it. Returns the operations, and how many nodes are cut.

    Raises:
        EditError: none of them can be cut.
    """
    made: list[Operation] = []
    cut = 0
    objection: EditError | None = None
    stack = trees.roots[::-1]
    while stack:
        node = stack.pop()
        if node.id in chosen and may(node):
            try:
                made += edits.clip(trees, node, tokens)
                cut += 1
                continue
            except EditError as error:
                objection = objection or error
        stack.extend(reversed(node.children))
    if not cut:
        raise objection or EditError("These branches still grow. Stop them before cutting them.")
    return made, cut


# ------------------------------------------------------------------- siblings


def duplicates(top: Heddle, growing: Collection[str]) -> list[Heddle]:
    """The nodes below `top` that say the same as a sibling, have nothing below them and no marks by hand.

    Of each text one stays: one that has children or marks, if there is such a one, else the oldest. What has ended
    by itself and what can go on are not the same.
    """
    found: list[Heddle] = []
    for parent in top.walk():
        if len(parent.children) < 2:
            continue
        alike: dict[tuple[str, bool], list[Heddle]] = {}
        for node in parent.children:
            if node.id not in growing:
                alike.setdefault((node.source_text(), node.terminal), []).append(node)
        for group in alike.values():
            if len(group) > 1:
                bare = [node for node in group if not (node.children or node.marks.by_hand)]
                if len(bare) == len(group):
                    bare.remove(min(bare, key=lambda node: node.created))
                found += bare
    return found


def sort_below(top: Heddle, key: Callable[[Heddle], Any]) -> list[Operation]:
    """Bring the children of a node, and of all below it, into the order of a key; equal ones stay as they are.

    Raises:
        EditError: they are in that order.
    """
    made: list[Operation] = []
    for parent in top.walk():
        children = parent.children
        if len(children) > 1:
            ordered = sorted(children, key=key)
            if ordered != children:
                names = (tuple(node.id for node in nodes) for nodes in (children, ordered))
                made.append(Order(parent.id, *names))
    if not made:
        raise EditError("All below this node is in this order already.")
    return made


def improbability(node: Heddle) -> float:
    """A key that sorts by the mean logprob of a node's tokens, the most probable first; unknown ones come last."""
    known = [value for value in node.logprobs if not math.isnan(value)]
    return -math.fsum(known) / len(known) if known else math.inf


def age(node: Heddle) -> float:
    """A key that sorts the oldest first."""
    return node.created
