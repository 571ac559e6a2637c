"""Walks over trees from a node on, in the order in which the tree shows them. Any depth, and no further than asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from n8loom_tui.loom.heddle import Heddle


def onward(node: Heddle, tops: Sequence[Heddle]) -> Iterator[Heddle]:
    """The nodes behind this one, then round: those before it. `tops` are the roots of what is walked over."""
    first = node
    yield from _below(node)
    while True:
        siblings, index = _place(node, tops)
        for sibling in siblings[index + 1 :]:
            yield from sibling.walk()
        if siblings is tops or node.parent is None:
            break
        node = node.parent
    for top in tops:
        for other in top.walk():
            if other is first:
                return
            yield other


def backward(node: Heddle, tops: Sequence[Heddle]) -> Iterator[Heddle]:
    """The nodes before this one, the last first, then round: those behind it, from the end."""
    first = node
    while True:
        siblings, index = _place(node, tops)
        for sibling in reversed(siblings[:index]):
            yield from _from_the_end(sibling)
        if siblings is tops or node.parent is None:
            break
        node = node.parent
        yield node
    for top in reversed(tops):
        for other in _from_the_end(top):
            if other is first:
                return
            yield other


def _below(node: Heddle) -> Iterator[Heddle]:
    walk = node.walk()
    next(walk)
    return walk


def _place(node: Heddle, tops: Sequence[Heddle]) -> tuple[Sequence[Heddle], int]:
    """Where a node stands, and among which siblings."""
    siblings = tops if node.parent is None or node in tops else node.parent.children
    return siblings, siblings.index(node)


def _from_the_end(top: Heddle) -> Iterator[Heddle]:
    """A node and all below it, in the order opposite to `walk`."""
    stack: list[tuple[Heddle, bool]] = [(top, False)]
    while stack:
        node, opened = stack.pop()
        if opened or not node.children:
            yield node
        else:
            stack.append((node, True))
            stack.extend((child, False) for child in node.children)
