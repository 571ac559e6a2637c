"""The search of an app: what is looked for, where it is, and how one walks from hit to hit. Knows no widget.

Small trees are searched at once, large ones in slices between which keys are answered. What is known of a tree
that has changed since is used as long as it is there, and is brought up to date behind it: where nodes came or went
all is read anew, where texts grew just those are.
"""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.document import Change, Document
from n8loom_tui.tui.slices import advance

from .index import REACH, TreeIndex
from .query import Query

Work = Iterator[None]

SMALL = 2000
"""A tree of no more nodes is read anew for each search."""
FEW = 64
"""Where more texts than so many have changed all is read anew: each is to be found first."""
PATIENCE = 0.5
"""Seconds at least between two times that hits are brought up to date by themselves."""
SHARE = 20
"""What is done by itself takes no more than one part in so many of the time."""


class Finder:
    """What is looked for in a document, and where it is.

    Attributes:
        query: what is looked for; None while there is no search.
        ids: the nodes that held it when it was looked for last.
        searching: whether a search is under way.
    """

    def __init__(
        self,
        document: Document,
        later: Callable[[Work], None],
        no_more: Callable[[], None],
        found: Callable[[], None],
    ) -> None:
        """`later` has work done in slices in place of what it was given before, `no_more` has that dropped; `found` is
        called when a search has come to its end."""
        self._document = document
        self._later = later
        self._no_more = no_more
        self._found = found
        self.query: Query | None = None
        self.ids: set[str] = set()
        self.searching = False
        self._busy = False
        self._places: list[int] = []
        self._searched: TreeIndex | None = None
        """What the places are places in; `_index` may be a newer one."""
        self._answered: Query | None = None
        """What the places are the hits of; `query` may be a newer one."""
        self._index: TreeIndex | None = None
        self._begun: tuple[TreeIndex, Work, int] | None = None
        self._edition = 0
        self._read_edition = -1
        """Of which edition of the trees the index is."""
        self._changed: dict[str, Heddle] = {}
        """Nodes whose own texts may be others since they were read."""
        self._due = 0.0
        self._spent = 0.0
        """Seconds of work that the search took so far, without what went by between its slices."""

    # --------------------------------------------------------------- searching

    def prepare(self) -> None:
        """Read the trees: a search will follow."""
        if not (self._fresh or self._busy):
            self._do(self._read_alone())

    def look_for(self, text: str) -> None:
        """Look for a text (nothing, if empty). `found` is called at the end, often before this returns."""
        self.query = Query(text) if text else None
        if self.query is None:
            self._drop()
            self._keep([], set())
            self._found()
        else:
            self._do(self._search(self.query))

    def end(self) -> None:
        """There is no search any more."""
        self._drop()
        self.query = self._index = self._begun = None
        self._read_edition = -1
        self._changed.clear()
        self._keep([], set())

    def trees_changed(self, change: Change) -> None:
        """What was read of these nodes is out of date, or all of it."""
        if self._index is not None or self._begun is not None:
            self._changed |= change.changed
        if change.removed or change.added or change.rearranged or len(self._changed) > FEW:
            self._edition += 1

    @property
    def _stale(self) -> bool:
        """Whether all is to be read anew."""
        return self._read_edition != self._edition

    @property
    def _fresh(self) -> bool:
        return not (self._stale or self._changed)

    @property
    def _right(self) -> bool:
        """Whether the places are those of what is looked for, in the trees as they are."""
        return self._fresh and self._index is self._searched and self.query is self._answered

    def refresh(self) -> None:
        """Look again if the trees have changed, unless that was just done."""
        if self.query is not None and not self._right and not self._busy and time.monotonic() > self._due:
            self._do(self._search(self.query, anew=True))

    def _do(self, work: Work) -> None:
        was_busy, self._busy = self._busy, True
        work = self._clocked(work)
        if not advance(work):
            self._later(work)
        elif was_busy:
            self._no_more()

    def _clocked(self, work: Work) -> Work:
        """The same work, the time that it takes noted."""
        while True:
            begun = time.perf_counter()
            try:
                next(work)
            except StopIteration:
                return
            finally:
                self._spent += time.perf_counter() - begun
            yield

    def _drop(self) -> None:
        """Give up what is under way."""
        if self._busy:
            self._no_more()
        self._busy = self.searching = False

    def _search(self, query: Query, anew: bool = False) -> Work:
        self._spent = 0.0
        self.searching = True
        reach = max(REACH, len(query.needle) - 1)
        yield from self._take_in_changes()
        index = self._index
        small = index is not None and len(index.nodes) <= SMALL
        if index is None or index.reach < reach or (not self._fresh and (anew or small)):
            yield from self._read(reach)
        if self._index is not self._searched or query is not self._answered:
            yield from self._find(query)
        self._busy = self.searching = False
        self._due = time.monotonic() + max(PATIENCE, SHARE * self._spent)
        self._found()

    def _find(self, query: Query) -> Work:
        """Go through all that was read."""
        places: list[int] = []
        ids: set[str] = set()
        if self._index is not None:
            nodes = self._index.nodes
            for _ in self._index.find(query, places):
                ids.update([nodes[place].id for place in places[len(ids) :]])
                yield
        self._keep(places, ids, query)

    def _take_in_changes(self) -> Work:
        """Bring the texts that have changed up to date, and the hits among these nodes; not where all is read anew."""
        index = self._index
        while index is not None and self._begun is None and self._changed and not self._stale:
            _, node = self._changed.popitem()
            place = index.renew(node)
            if place is None:
                self._edition += 1
            elif index is self._searched and self._answered is not None:
                self._set_hit(place, index.holds(self._answered, place))
                if self._answered.sensitive and node.children:
                    self._answered = None  # nodes below may hold it, or not, for a capital of this one
            yield

    def _set_hit(self, place: int, is_hit: bool) -> None:
        name = self._node(place).id
        if is_hit and name not in self.ids:
            insort(self._places, place)
            self.ids.add(name)
        elif not is_hit and name in self.ids:
            del self._places[bisect_left(self._places, place)]
            self.ids.remove(name)

    def _read_alone(self) -> Work:
        yield from self._take_in_changes()
        if not self._fresh:
            yield from self._read(REACH)
        self._busy = False

    def _read(self, reach: int) -> Work:
        """Read the trees, or go on where that was interrupted."""
        if self._begun is None or self._begun[0].reach < reach:
            index = TreeIndex(reach)
            self._begun = index, index.build(self._document.roots), self._edition
            self._changed.clear()
        index, work, edition = self._begun
        for _ in work:  # not `yield from`: what is given up here is gone on with later
            yield
        self._index, self._read_edition, self._begun = index, edition, None
        yield from self._take_in_changes()

    def _keep(self, places: list[int], ids: set[str], query: Query | None = None) -> None:
        self._places, self.ids = places, ids
        self._searched, self._answered = self._index, query

    # -------------------------------------------------------------------- hits

    def hits(self) -> list[Heddle]:
        """The nodes that hold what is looked for, from top to bottom, as the trees are now."""
        if self.query is not None and (self.searching or not self._right):
            self._drop()
            if self._begun is not None and self._begun[2] != self._edition:
                self._begun = None  # what it would come to is out of date by now
            for _ in self._clocked(self._search(self.query, anew=True)):
                pass
        return [node for node in map(self._node, self._places) if self._alive(node)]

    def _node(self, place: int) -> Heddle:
        assert self._searched is not None
        return self._searched.nodes[place]

    def _alive(self, node: Heddle) -> bool:
        return self._document.nodes.get(node.id) is node

    def count_at(self, node: Heddle | None) -> tuple[int, int]:
        """Which hit a node is (from 1 on; 0 if it is none), and how many there are."""
        place = self._place(node) if node is not None and node.id in self.ids else None
        return (0 if place is None else bisect_left(self._places, place) + 1), len(self._places)

    def _place(self, node: Heddle | None) -> int | None:
        return self._searched.place_of(node) if self._searched is not None and node is not None else None

    def first_from(self, node: Heddle | None) -> Heddle | None:
        """The first hit from a node on, itself included; behind the last one, the first."""
        return self._walk(node, 1, itself=True)

    def step_from(self, node: Heddle | None, step: int) -> Heddle | None:
        """The hit that many further down (up, if negative) than a node, and round."""
        return self._walk(node, step, itself=False)

    def _walk(self, node: Heddle | None, step: int, itself: bool) -> Heddle | None:
        places = self._places
        here = self._place(node)
        while node is not None and here is None:  # it is younger than the search
            node, itself = node.parent, False
            here = self._place(node)
        at = bisect_left(places, here or 0)
        on_it = at < len(places) and places[at] == here
        if step > 0:
            at += step if on_it and not itself else step - 1
        else:
            at += step
        for _ in places:  # a hit that is gone by now is passed over
            found = self._node(places[at % len(places)])
            if self._alive(found):
                return found
            at += 1 if step > 0 else -1
        return None
