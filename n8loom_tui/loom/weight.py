"""What the store holds of a node, for people to look at. Touches nothing and computes nothing."""

from __future__ import annotations

from .protocol import Weigh, Weighed
from .store import FragmentStore


def weigh(store: FragmentStore, request: Weigh) -> Weighed:
    """What is held of a node, and what was evicted of it as far as that is remembered."""
    path = [*request.before, *request.tokens]
    held = store.held(path, len(request.before), len(path))
    evicted = store.known_length(path) - max(store.match_length(path), len(request.before))
    return Weighed(request.id, request.node_id, held.tokens, held.nbytes, max(evicted, 0))
