"""The search of an app: what is looked for, where it is, and how one walks from hit to hit. Knows no widget.

Small trees are searched at once, large ones in slices between which keys are answered. What is known of a tree
that has changed since is used as long as it is there, and is brought up to date behind it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import chain

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.document import Document
from n8loom_tui.tui.slices import advance

from .index import REACH, TreeIndex
from .query import Query

Work = Iterator[None]


class Finder:
    """What is looked for in a document, and where it is.

    Attributes:
        query: what is looked for; None while there is no search.
        ids: the nodes that held it when it was looked for last.
    """

    def __init__(self, document: Document, later: Callable[[Work], None], found: Callable[[], None]) -> None:
        """`later` has work done in slices, and drops what it was given before; `found` is called when a search has
        come to its end."""
        self._document = document
        self._later = later
        self._found = found
        self.query: Query | None = None
        self.ids: frozenset[str] = frozenset()
        self.searching = False
        """Whether a search is under way."""
        self._places: list[int] = []
        self._index: TreeIndex | None = None
        self._fresh = False
        """Whether the index shows the trees as they are."""

    # --------------------------------------------------------------- searching

    def prepare(self) -> None:
        """Read the trees: a search will follow."""
        if not self._fresh:
            self._do(self._read(REACH))

    def look_for(self, text: str) -> None:
        """Look for a text (nothing, if empty). `found` is called at the end, often before this returns."""
        self.query = Query(text) if text else None
        if self.query is None:
            self._keep([])
            self._found()
        else:
            self._do(self._search(self.query))

    def end(self) -> None:
        """There is no search any more."""
        self.query, self._index, self._fresh = None, None, False
        self._keep([])
        self._later(iter(()))
        self.searching = False

    def trees_changed(self) -> None:
        """What was read is out of date."""
        self._fresh = False

    @property
    def stale(self) -> bool:
        """Whether there is a search whose hits may be out of date."""
        return self.query is not None and not self._fresh and not self.searching

    def refresh(self) -> None:
        """Look again, if the trees have changed."""
        if self.stale and self.query is not None:
            self._do(self._search(self.query))

    def _do(self, work: Work) -> None:
        self.searching = True
        if not advance(work):
            self._later(work)

    def _search(self, query: Query) -> Work:
        reach = max(REACH, len(query.needle) - 1)
        if not self._fresh or self._index is None or self._index.reach < reach:
            yield from self._read(reach)
        places: list[int] = []
        if self._index is not None:
            self.searching = True
            yield from self._index.find(query, places)
        self._keep(places)
        self.searching = False
        self._found()

    def _read(self, reach: int) -> Work:
        index = TreeIndex(reach)
        self._fresh = True  # unless something changes while it is read
        yield from index.build(self._document.roots)
        self._index = index
        self.searching = False

    def _keep(self, places: list[int]) -> None:
        self._places = places
        nodes = self._index.nodes if self._index is not None else []
        self.ids = frozenset([nodes[place].id for place in places])

    # -------------------------------------------------------------------- hits

    def hits(self) -> list[Heddle]:
        """The nodes that hold what is looked for, from top to bottom, as the trees are now."""
        if self.query is not None and (self.searching or not self._fresh):
            self._later(iter(()))
            for _ in chain(self._search(self.query)):
                pass
        return [node for node in map(self._node, self._places) if self._alive(node)]

    def _node(self, place: int) -> Heddle:
        assert self._index is not None
        return self._index.nodes[place]

    def _alive(self, node: Heddle) -> bool:
        return self._document.nodes.get(node.id) is node

    def count_at(self, node: Heddle | None) -> tuple[int, int]:
        """Which hit a node is (from 1 on; 0 if it is none), and how many there are."""
        if node is None or node.id not in self.ids or self._index is None:
            return 0, len(self._places)
        place = self._index.place_of(node)
        return (0 if place is None else bisect_left(self._places, place) + 1), len(self._places)

    def first_from(self, node: Heddle | None) -> Heddle | None:
        """The first hit from a node on, itself included; behind the last one, the first."""
        return self._walk(node, 1, itself=True)

    def step_from(self, node: Heddle | None, step: int) -> Heddle | None:
        """The hit that many further down (up, if negative) than a node, and round."""
        return self._walk(node, step, itself=False)

    def _walk(self, node: Heddle | None, step: int, itself: bool) -> Heddle | None:
        places, index = self._places, self._index
        if not places or index is None:
            return None
        here = index.place_of(node) if node is not None else None
        at = bisect_left(places, here or 0)
        on_it = at < len(places) and places[at] == here
        if step > 0:
            at += step if on_it and not itself else step - 1
        else:
            at += step
        for _ in places:  # a hit that is gone by now is passed over
            found = index.nodes[places[at % len(places)]]
            if self._alive(found):
                return found
            at += 1 if step > 0 else -1
        return None
