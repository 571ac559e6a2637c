"""Which nodes of a tree have lost their fragments to the budget: asked for a few of them at a time, those in sight.

Plain values, as all that crosses to the engine; neither MLX nor NumPy is imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Spot:
    """A node: its token ids, and what stands before it.

    `above` is the number of a spot that it hangs somewhere below (-1: of none), `between` what stands between that one,
    or the beginning, and the node.
    """

    node_id: str
    above: int
    between: tuple[int, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """Find out of which of these nodes the fragments were evicted. What a spot hangs below comes before it."""

    id: str
    spots: tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class Surveyed:
    """The nodes of a `Survey` whose fragments were there once, in part at least, and are not held any more."""

    request_id: str
    evicted: frozenset[str]


class Remembering(Protocol):
    """What a store of fragments tells."""

    def match_length(self, path: Sequence[int]) -> int: ...

    def known_length(self, path: Sequence[int]) -> int: ...


def survey(store: Remembering, request: Survey) -> Surveyed:
    """Look the nodes of a survey up."""
    evicted = set()
    paths: list[list[int]] = []
    for spot in request.spots:
        before = [*(paths[spot.above] if spot.above >= 0 else ()), *spot.between]
        path = [*before, *spot.tokens]
        paths.append(path)
        if store.known_length(path) > max(store.match_length(path), len(before)):
            evicted.add(spot.node_id)
    return Surveyed(request.id, frozenset(evicted))
