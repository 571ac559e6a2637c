"""What a person can do at a token inside a node: grow branches in the place of what follows. Each is one step.

The node is parted before the token, so that the branches go on from the same tokens, and the KV that is kept of them.
"""

from __future__ import annotations

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.protocol import GivenToken, SamplingParams
from n8loom_tui.tui.document import Change, Document, EditError

NOT_IN_PROMPT = "A prompt stays as a whole: branch behind it, or edit it as a new loom."


def grow_at(
    document: Document,
    node: Heddle,
    index: int,
    n: int,
    params: SamplingParams,
    given: tuple[GivenToken, ...] = (),
    label: str = "ramify here",
) -> Change:
    """Grow `n` branches beside what stands from the node's token `index` on. They begin with the tokens `given`.

    The change's focus is the first of them.

    Raises:
        EditError: it can't be done there.
    """
    parent = node.parent
    if parent is None:
        raise EditError(NOT_IN_PROMPT)
    with document.one_step(label):
        change = Change()
        if index > 0:
            change = document.split(node, index)
            parent = node.parent or parent
        there = len(parent.children)
        change.join(document.ramify([parent], n, params, given))
    grown = parent.children[there:]
    change.focus = grown[0] if grown else parent
    return change


def split_at(document: Document, node: Heddle, index: int) -> Change:
    """Part a node before its token `index`.

    Raises:
        EditError: it can't be done there.
    """
    if node.parent is None:
        raise EditError(NOT_IN_PROMPT)
    if index == 0:
        raise EditError("A node begins here already.")
    return document.split(node, index)


def clip_at(document: Document, node: Heddle, index: int) -> Change:
    """Drop a node's tokens from `index` on, and what is below it.

    Raises:
        EditError: it can't be done there.
    """
    if node.parent is not None and index == 0:
        raise EditError(
            "That would leave nothing of this node; leave the token cursor and delete it instead."
        )
    change = document.clip(node, index)
    change.focus = node
    return change
