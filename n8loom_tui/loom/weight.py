"""What the store holds of a node, for people to look at. Touches nothing and computes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from .protocol import NodeWeight, Segment
from .store import FragmentStore


def weight(store: FragmentStore, path: Sequence[Segment]) -> NodeWeight:
    """What is held of the last node of a path, and what was evicted of it as far as that is remembered.

    Of a path whose texts are not all encoded nothing is known.
    """
    node = path[-1].node_id
    tokens: list[int] = []
    start = 0
    for segment in path:
        if segment.tokens is None:
            return NodeWeight(node, 0, 0, 0)
        start = len(tokens)
        tokens += segment.tokens
    held = store.held(tokens, start, len(tokens))
    evicted = store.known_length(tokens) - max(store.match_length(tokens), start)
    return NodeWeight(node, held.tokens, held.nbytes, max(evicted, 0))
