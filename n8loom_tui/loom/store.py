"""All cache fragments of a model, in a radix tree keyed by token ids from the root of the path.

A fragment depends on nothing but the token ids before and in it. Keyed by them, a node of the loom finds its
fragments whatever was done to the tree: split, clipped, merged, deleted and brought back, written twice.
States (of layers that have no keys and values) stand at positions of these paths.

What is over the budget is dropped, the least recently used first: a state anywhere, a fragment where nothing
below it is held. Never what is pinned. What is missing is computed again by whoever needs it.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakSet

from .fragments import Fragment
from .pins import Bound, Pin
from .radix import Edge, Mark, Piece, State, common_length, walk

EDGE_TOKENS = 512
"""How long a span may become: what is cut or dropped at once stays small."""
REMEMBERED = 1 << 18
"""How many tokens' evictions are remembered."""
REMEMBERED_SPANS = 1 << 12
"""In how many spans at most: however short they are, each takes about a kilobyte."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is held of a span: how many of its tokens, in how many bytes, its states included."""

    tokens: int
    nbytes: int


class FragmentStore:
    """Fragments and states by path. Not thread-safe: it belongs to the engine's thread."""

    def __init__(self, budget: int, states: bool = False) -> None:
        """`budget`: how many bytes are kept. `states`: whether a path goes on from states alone."""
        self.budget = budget
        self.states = states
        self.nbytes = 0
        self.evictions = 0
        self.evicted_bytes = 0
        self.per_token = 0
        self.watch: Callable[[Edge | Mark], None] = lambda _item: None
        """Told of every span and state that is new, or was cut in two."""
        self.headroom = 0
        """Bytes of the budget that are left free, for what is in use now and then."""
        self._reserved: dict[str, int] = {}
        self._clock = 0
        self._held = False
        self._count = itertools.count()
        self.pins: WeakSet[Pin] = WeakSet()
        self.clear()

    def clear(self) -> None:
        """Drop everything."""
        self._root = Edge([], None, None)
        self._queue: list[tuple[int, int, Edge | Mark]] = []
        self._evicted: deque[Edge] = deque()
        self._remembered = 0
        self.nbytes = 0

    # ----------------------------------------------------------------- budget

    @property
    def reserved(self) -> int:
        """Bytes in use beside the fragments, within the same budget."""
        return sum(self._reserved.values())

    def reserve(self, what: str, nbytes: int) -> None:
        """Count bytes that are in use beside the fragments. Replaces the earlier figure of `what`."""
        self._reserved.pop(what, None)
        if nbytes:
            self._reserved[what] = nbytes
        self.make_room(0)

    def make_room(self, nbytes: int) -> None:
        """Drop until that many more bytes fit into the budget, or nothing is left that may be dropped."""
        kept: list[Edge | Mark] = []
        budget = self.budget - self.headroom
        while self.nbytes + self.reserved + nbytes > budget and self._queue and not self._held:
            used, _, item = heapq.heappop(self._queue)
            item.queued = False
            if not self._droppable(item):
                continue
            if item.pins or item.used == self._clock:
                kept.append(item)
            elif item.used != used:
                self._enqueue(item)
            else:
                self._drop(item)
        for item in kept:
            self._enqueue(item)

    def hold(self) -> None:
        """Drop nothing until `release`: what a request is gathering must not push out its own other parts."""
        self._held = True

    def release(self) -> None:
        """End of `hold`."""
        if self._held:
            self._held = False
            self.make_room(0)

    def bound(self) -> Bound:
        """What may not be dropped at present."""
        return Bound(self._root, self.pins)

    def pin(self, path: Sequence[int]) -> Pin:
        """Keep what covers this path, and the state that it goes on from, until the pin is released."""
        edges = list(walk(self._root, path))
        pinned: list[Edge | Mark] = [edge for edge, _, _ in edges[-1:]]
        mark = self._deepest(edges)
        if mark is not None:
            pinned.append(mark)
        return Pin(pinned, self.pins, self.make_room)

    # ---------------------------------------------------------------- reading

    def match_length(self, path: Sequence[int]) -> int:
        """How many of the path's first tokens it can go on behind, without touching anything."""
        return self._match(list(walk(self._root, path)), evicted=False)

    def known_length(self, path: Sequence[int]) -> int:
        """What `match_length` would be had nothing been evicted, as far as that is remembered."""
        return self._match(list(walk(self._root, path, evicted=True)), evicted=True)

    def _match(self, edges: list[tuple[Edge, int, int]], evicted: bool) -> int:
        if not self.states:
            return sum(length for _, _, length in edges)
        for edge, position, length in reversed(edges):
            at = [n for n, mark in edge.marks.items() if n <= length and (evicted or mark.state is not None)]
            if at:
                return position + max(at)
        return 0

    def _deepest(self, edges: list[tuple[Edge, int, int]]) -> Mark | None:
        """The last state along a path."""
        for edge, _, length in reversed(edges):
            at = [n for n, mark in edge.marks.items() if n <= length and mark.state is not None]
            if at:
                return edge.marks[max(at)]
        return None

    def get(self, path: Sequence[int], start: int, stop: int) -> Fragment | None:
        """The fragment of `path[start:stop]`, or None where it is not wholly covered (or empty)."""
        pieces = self.pieces(path, start, stop)
        return Piece.fused(pieces) if pieces else None

    def pieces(self, path: Sequence[int], start: int, stop: int) -> list[Piece]:
        """What `get` would put together, as it lies in memory; nothing where it is not wholly covered."""
        pieces: list[Piece] = []
        end = 0
        self._clock += 1
        for edge, position, length in walk(self._root, path[:stop]):
            edge.used = self._clock
            assert edge.fragment is not None
            low, end = max(start - position, 0), position + length
            if low < length:
                pieces.append(Piece(edge, edge.fragment, low, length))
        return pieces if end >= stop else []

    def snapshot(self, path: Sequence[int], position: int) -> State | None:
        """The state behind the path's first `position` tokens, or None where there is none."""
        for edge, start, length in walk(self._root, path[:position]):
            if start + length == position and (mark := edge.marks.get(length)) is not None:
                mark.used = edge.used = self._clock = self._clock + 1
                return mark.state
        return None

    def held(self, path: Sequence[int], start: int, stop: int) -> Held:
        """What is held of `path[start:stop]`."""
        tokens = nbytes = 0
        for edge, position, length in walk(self._root, path[:stop]):
            low = max(start - position, 0)
            if low < length and edge.fragment is not None:
                tokens += length - low
                nbytes += edge.fragment.nbytes * (length - low) // len(edge.tokens)
                states = (mark.state for at, mark in edge.marks.items() if low < at <= length)
                nbytes += sum(state.nbytes for state in states if state is not None)
        return Held(tokens, nbytes)

    # ---------------------------------------------------------------- keeping

    def put(
        self,
        path: Sequence[int],
        start: int,
        fragment: Fragment,
        snapshots: Mapping[int, State] | None = None,
    ) -> None:
        """Keep the fragment of `path[start:start + len(fragment)]`. What is there already stays as it is.

        What stands before `start` must be covered; otherwise (it was evicted meanwhile) nothing is kept.
        `snapshots` are states within that span or at its ends, by how many tokens of the path they follow.
        """
        path = list(path[: start + len(fragment)])
        if len(fragment):
            self.per_token = fragment.nbytes // len(fragment)
        self._clock += 1
        for edge, _, _ in walk(self._root, path):
            edge.used = self._clock
        self.make_room(fragment.nbytes)
        edge, position = self._root, 0
        while position < len(path) and (child := edge.children.get(path[position])) is not None:
            length = common_length(path, child.tokens, position)
            child.used = self._clock
            if child.fragment is None:
                if position < start:
                    return
                child = self._split(child, length)
                self._keep(child, fragment.part(position - start, position - start + length))
            elif position + length < len(path):
                child = self._split(child, length)
            position += length
            edge = child
        if position < start:
            return
        for low in range(position, len(path), EDGE_TOKENS):
            high = min(low + EDGE_TOKENS, len(path))
            edge = Edge(path[low:high], None, edge, used=self._clock)
            self._keep(edge, fragment.part(low - start, high - start))
        self._mark(path, snapshots or {})
        self._join(edge)
        self.make_room(0)

    def _join(self, edge: Edge) -> None:
        """Join an edge with those above it that lead to nothing else, so that a chain of short nodes is few edges.

        Only with one that is no longer: so each token is copied no more often than its edge grows twofold.
        """
        while (upper := edge.parent) is not None and upper.fragment is not None and edge.fragment is not None:
            length = len(upper.tokens) + len(edge.tokens)
            if len(upper.children) > 1 or len(upper.tokens) > len(edge.tokens) or length > EDGE_TOKENS:
                return
            nbytes = upper.fragment.nbytes + edge.fragment.nbytes  # while both and the whole are there
            self.make_room(nbytes)
            if self.nbytes + self.reserved + self.headroom + nbytes > self.budget:
                return
            upper.join(edge)
            self.watch(edge)

    def _split(self, edge: Edge, length: int) -> Edge:
        """The first `length` tokens of an edge as an edge of their own."""
        if length == len(edge.tokens):
            return edge
        if edge.fragment is not None:
            self.make_room(edge.fragment.nbytes)  # for as long as both the whole and its parts are there
        upper = edge.split(length)
        if upper.fragment is None:
            self._evicted.append(upper)
        else:
            self.watch(upper)
        return upper

    def _keep(self, edge: Edge, fragment: Fragment) -> None:
        """Give a fragment to an edge that has none."""
        if edge.parent is not None and edge.parent.children.get(edge.tokens[0]) is edge:
            self._remembered -= len(edge.tokens)
        edge.fragment = fragment
        edge.attach()
        self.nbytes += fragment.nbytes
        self._enqueue(edge)
        self.watch(edge)

    def _mark(self, path: Sequence[int], snapshots: Mapping[int, State]) -> None:
        """Put states where they belong."""
        if not snapshots:
            return
        for edge, position, length in walk(self._root, path):
            for at in range(1, length + 1):
                state = snapshots.get(position + at)
                if state is None:
                    continue
                mark = edge.marks.setdefault(at, Mark(edge, None))
                mark.used = self._clock
                if mark.state is None:
                    mark.state = state
                    self.nbytes += state.nbytes
                    self._enqueue(mark)
                    self.watch(mark)

    # --------------------------------------------------------------- dropping

    def _enqueue(self, item: Edge | Mark) -> None:
        if not item.queued:
            item.queued = True
            heapq.heappush(self._queue, (item.used, next(self._count), item))

    @staticmethod
    def _droppable(item: Edge | Mark) -> bool:
        """Whether there is anything to drop, and nothing below that needs it."""
        if isinstance(item, Mark):
            return item.state is not None
        return item.fragment is not None and item.live == 0

    def _drop(self, item: Edge | Mark) -> None:
        self.evictions += 1
        if isinstance(item, Mark):
            self._drop_state(item)
            return
        assert item.fragment is not None and item.parent is not None
        self._lose(item.fragment.nbytes)
        item.fragment = None
        for mark in item.marks.values():
            self._drop_state(mark)
        item.parent.live -= 1
        if item.parent.live == 0 and item.parent.fragment is not None:
            self._enqueue(item.parent)
        self._remember(item)

    def _drop_state(self, mark: Mark) -> None:
        if mark.state is not None:
            self._lose(mark.state.nbytes)
            mark.state = None

    def _lose(self, nbytes: int) -> None:
        self.nbytes -= nbytes
        self.evicted_bytes += nbytes

    def _remember(self, edge: Edge) -> None:
        """Keep an evicted edge's tokens, and forget the oldest ones that are too many."""
        self._evicted.append(edge)
        self._remembered += len(edge.tokens)
        while self._evicted and (self._remembered > REMEMBERED or len(self._evicted) > REMEMBERED_SPANS):
            self._forget(self._evicted.popleft())

    def _forget(self, edge: Edge) -> None:
        """Take an evicted edge out for good, with what hangs below it."""
        parent = edge.parent
        if edge.fragment is not None or parent is None or parent.children.get(edge.tokens[0]) is not edge:
            return
        del parent.children[edge.tokens[0]]
        stack = [edge]
        while stack:
            gone = stack.pop()
            self._remembered -= len(gone.tokens)
            stack.extend(gone.children.values())
            gone.children = {}
            gone.parent = None
