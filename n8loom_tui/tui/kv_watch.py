"""Asks the engine what it holds of the node that is looked at, seldom enough to disturb nobody, and counts what
branches share. Lives on the UI's thread and waits for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from n8loom_tui.loom.heddle import Heddle, new_id
from n8loom_tui.loom.protocol import Weigh, Weighed

EVERY = 0.5
"""Seconds between two questions."""


class KvWatch:
    """What is held, as far as it was asked.

    Attributes:
        weight: of the node looked at, once it is known.
    """

    def __init__(self) -> None:
        self.weight: Weighed | None = None
        self._asked: object = None
        self._waiting = ""
        self._due = 0.0

    def question(self, node: Heddle | None, evictions: int, now: float) -> Weigh | None:
        """A question about a node, if it is time for one and anything may be different."""
        if node is None or now < self._due or self._waiting:
            return None
        state = (node.id, len(node.tokens), node.finish, evictions)
        if state == self._asked:
            return None
        self._asked, self._due = state, now + EVERY
        path = node.path()
        if not all(above.encoded for above in path):
            return None
        before = tuple(chain.from_iterable(above.tokens for above in path[:-1]))
        request = Weigh(new_id(), node.id, before, tuple(node.tokens))
        self._waiting = request.id
        return request

    def take(self, event: Weighed) -> None:
        """An answer came."""
        if event.request_id == self._waiting:
            self._waiting, self.weight = "", event

    def forget(self) -> None:
        """The engine is gone, or the session is another one: no answer will come."""
        self._waiting, self._asked, self.weight = "", None, None


def shared_tokens(branches: Iterable[Heddle]) -> int:
    """How many tokens of their paths branches do not hold twice: those of all paths, less those of their union."""
    lengths: dict[str, int] = {}
    together = total = 0
    for branch in branches:
        way: list[Heddle] = []
        above: Heddle | None = branch.parent
        while above is not None and above.id not in lengths:
            way.append(above)
            above = above.parent
        length = lengths[above.id] if above is not None else 0
        for node in reversed(way):
            together += len(node.tokens)
            length += len(node.tokens)
            lengths[node.id] = length
        total += length
    return total - together
