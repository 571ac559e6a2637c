"""Which of the nodes in sight have lost their KV: asked of the engine now and then, once it has dropped any.

As long as nothing was ever evicted this costs nothing, and then as much as the rows in sight, at most once a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from n8loom_tui.loom.heddle import Heddle, new_id
from n8loom_tui.loom.protocol import EngineStats
from n8loom_tui.loom.survey import Spot, Survey, Surveyed
from n8loom_tui.tui.widgets.tree import LoomTree

EVERY = 1.0
"""Seconds between two questions."""
DEEPEST = 20_000
"""How many nodes above the rows in sight are gone through; no model reads further."""


class Evictions:
    """What is known of the nodes that are shown."""

    def __init__(self) -> None:
        self._asked: tuple[object, ...] = ()
        self._asked_at = 0.0
        self._meant: dict[str, frozenset[str]] = {}
        self._evicted: frozenset[str] = frozenset()

    def question(self, tree: LoomTree, stats: EngineStats, now: float) -> Survey | None:
        """What to ask the engine, if anything may be otherwise than it was told."""
        if not stats.evictions or self._meant or now - self._asked_at < EVERY:
            return None
        state = stats.evictions, stats.prefilled, tree.rows.version, tree.scroll_offset.y
        if state == self._asked:
            return None
        self._asked, self._asked_at = state, now
        survey = Survey(new_id(), spots(tree.in_sight))
        self._meant = {survey.id: frozenset(spot.node_id for spot in survey.spots)}
        return survey

    def take(self, told: Surveyed, tree: LoomTree) -> None:
        """Show what the engine told."""
        meant = self._meant.pop(told.request_id, frozenset())
        self._evicted = (self._evicted - meant) | (told.evicted & meant)
        tree.show_evicted(self._evicted)


def spots(nodes: Sequence[Heddle]) -> tuple[Spot, ...]:
    """The nodes whose token ids are known, down to them all, as a survey names them: each above those below it."""
    numbers: dict[str, int] = {}
    found: list[Spot] = []
    steps = 0
    for node in nodes:
        way: list[Heddle] = []
        above = node.parent
        while above is not None and above.id not in numbers and steps < DEEPEST:
            way.append(above)
            above = above.parent
            steps += 1
        whole = above is None or above.id in numbers
        if not whole or not node.tokens or not all(over.encoded for over in (node, *way)):
            continue
        between = tuple(chain.from_iterable(over.tokens for over in reversed(way)))
        number = numbers[above.id] if above is not None else -1
        numbers[node.id] = len(found)
        found.append(Spot(node.id, number, between, tuple(node.tokens)))
    return tuple(found)
