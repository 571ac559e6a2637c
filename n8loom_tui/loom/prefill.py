"""Reading paths into fragments, in chunks, so that branches that stream need not wait for long ones.

Paths are read as rows of one batch where that is exact and of use: siblings behind the same prefix, and ends
of different paths. What several of them begin with is read once, first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from .kept.recall import Recall
from .kernels.network import Network
from .kernels.strand import AnyStrand, begin_strand, copied_length
from .layers import Layout
from .opaque import arrays_in
from .pins import Pin
from .radix import State, common_length
from .store import EDGE_TOKENS, FragmentStore
from .strand import Row, shared_length

MAX_ROWS = 16
"""How many paths are read together."""
COPY_LIMIT = 4096
"""How many tokens, over all rows, may be copied for a row's own part of what stands before it."""
WIDTH = 16
"""A row may be filled up by so many tokens: reading fewer at once costs the same, as the weights are read anyway."""
SPACING = 16
"""Nodes' ends nearer to each other than so many tokens share a state. From it to the node's end costs one pass."""
KEEP = EDGE_TOKENS
"""After how many tokens what has been read is put into the store: as many as lie together there."""

_numbers = itertools.count()


class Together(IntEnum):
    """Which paths may be read as rows of one batch."""

    NONE = 0
    SIBLINGS = 1
    """Rows of the same length so far."""
    ANY = 2


@dataclass(frozen=True, slots=True)
class ToRead:
    """A path to be read, and where its nodes end: how many tokens it has down to each."""

    path: list[int]
    ends: tuple[int, ...] = ()


class Prefill:
    """Computes what is missing of the fragments of paths, some tokens at a time.

    What the paths go on from stays in the store until `close`.
    """

    def __init__(
        self,
        model: Any,
        layout: Layout,
        store: FragmentStore,
        wanted: Iterable[ToRead],
        together: Together = Together.NONE,
        network: Network | None = None,
        recall: Recall | None = None,
    ) -> None:
        """`network`: what reads in the model's place, if anything does. `recall` brings paths back from disk first."""
        self._model = model
        self._layout = layout
        self._store = store
        self._wanted = sorted(wanted, key=lambda each: each.path)
        self._together = Together.NONE if layout.opaque else together
        self._network = network
        self._strand: AnyStrand | None = None
        self._pins: list[Pin] = []
        self._name = f"prefill {next(_numbers)}"
        self._recall = recall
        self._read = 0
        self._copied = 0
        """How many tokens of what the rows go on from a network has put together."""
        self.restored = 0
        """How many of the tokens were brought back from disk."""
        self.recomputed = 0
        """How many of the tokens had been read before and were evicted."""
        self.total = self._missing()
        """How many tokens were not covered when it began."""
        self.done = self.total == 0

    def _missing(self) -> int:
        """How many tokens are not covered."""
        missing = 0
        last: list[int] = []
        for each in self._wanted:
            known = max(self._store.match_length(each.path), common_length(last, each.path))
            missing += max(0, len(each.path) - known)
            last = each.path
        return missing

    @property
    def remaining(self) -> int:
        """How many tokens are still to be read."""
        return 0 if self.done else max(1, self.total - self._read)

    def step(self, tokens: int) -> None:
        """Read up to `tokens` more, in all rows together."""
        if self.done or self._brought_back():
            return
        if self._strand is None:
            self._begin()
        strand = self._strand
        if strand is None:
            return
        width = self._width(strand.rows, tokens)
        strand.read([row.path[row.position : min(row.position + width, row.stop)] for row in strand.rows])
        for row in strand.rows:
            before, row.position = row.position, min(row.position + width, row.stop)
            self._read += row.position - before
            self.recomputed += max(0, min(row.position, row.known) - before)
        self._collect(strand)

    def _brought_back(self) -> bool:
        """Bring back some of what is on disk. Whether there was any; before that is known nothing is read."""
        if self._recall is None:
            return False
        path = self._recall.step()
        if path:
            self._pins.append(self._store.pin(path))
            left = self._missing()
            self.restored = self._read = self.total - left
            self.done = left == 0
        if path is None or self.done:
            self._recall = None
        return path is not None

    def _width(self, rows: list[Row], tokens: int) -> int:
        """How many tokens each row reads next."""
        limit = max(1, tokens // len(rows))
        left = [row.stop - row.position for row in rows]
        if self._layout.stateful:
            stops = [min((m for m in row.marks if m > row.position), default=row.stop) for row in rows]
            return min(limit, *(stop - row.position for stop, row in zip(stops, rows, strict=True)))
        due = min(KEEP - (row.position - row.start) % KEEP for row in rows)
        return min(limit, due, max(min(left), min(WIDTH, max(left))))

    def _collect(self, strand: AnyStrand) -> None:
        """Keep what is due, and go on with the rows that are not at their end."""
        finished = [row for row in strand.rows if row.position >= row.stop]
        for row in strand.rows:
            due = row in finished or row.position in row.marks
            if due or (row.position - row.kept >= KEEP and not self._layout.stateful):
                self._keep(strand, row)
        if len(finished) == len(strand.rows):
            self._strand = None
            self._store.reserve(self._name, 0)
            self.done = not self._rows()
            return
        left = [row for row in strand.rows if row not in finished]
        if len(left) == 1 and finished:
            if left[0].position > left[0].kept:
                self._keep(strand, left[0])
            self._strand = None  # one path by itself is read faster
        elif finished:
            strand.keep(left)

    def _keep(self, strand: AnyStrand, row: Row) -> None:
        """Put what a row has read into the store."""
        snapshots: dict[int, State] = {}
        state = strand.snapshot(row)
        if state is not None:
            snapshots[row.position] = state
        before, row.kept = row.kept, row.position
        self._reserve(strand.rows)
        self._store.put(row.path, before, strand.fragment(row, before, row.position), snapshots)
        self._pins.append(self._store.pin(row.path[: row.position]))

    def close(self) -> None:
        """Put all that has been read into the store, and let go of the paths."""
        strand, self._strand = self._strand, None
        try:
            for row in strand.rows if strand is not None else ():
                if strand is not None and row.position > row.kept:
                    self._keep(strand, row)
        finally:
            self._store.reserve(self._name, 0)
            for pin in self._pins:
                pin.release()
            self._pins.clear()

    def drop(self) -> None:
        """Let go of everything: a step has broken halfway, and what has been read since the last may be wrong."""
        self._strand = None
        self.close()

    # --------------------------------------------------------------- planning

    def _begin(self) -> None:
        """Take the next rows."""
        rows = self._batch(self._rows())
        if not rows:
            self.done = True
            return
        for row in rows:
            self._pins.append(self._store.pin(row.path[: row.start]))
            row.known = self._store.known_length(row.path[: row.stop])
        self._copied = copied_length(self._store, rows) if self._network is not None else 0
        self._reserve(rows)
        self._strand = begin_strand(self._model, self._layout, self._network, self._store, rows)

    def _rows(self) -> list[Row]:
        """What can be read next: of every path that is not covered the part up to where others leave it."""
        rows: list[Row] = []
        for each in self._wanted:
            start = self._store.match_length(each.path)
            if start >= len(each.path):
                continue
            shared = common_length(rows[-1].path, each.path) if rows else 0
            if rows and shared > rows[-1].start:
                rows[-1].stop = min(rows[-1].stop, shared)
                marks = rows[-1].marks | self._marks(each, start)
            else:
                rows.append(Row(each.path, start, len(each.path)))
                marks = self._marks(each, start)
            rows[-1].marks = frozenset(mark for mark in marks if mark <= rows[-1].stop)
        return rows

    def _marks(self, each: ToRead, start: int) -> frozenset[int]:
        """Where states are kept: before a node's last token, since it is fed again to go on from there."""
        if not self._layout.stateful:
            return frozenset()
        marks, last = set(), start
        for end in sorted(each.ends):
            if end - 1 >= last + SPACING:
                last = end - 1
                marks.add(last)
        return frozenset(marks)

    def _batch(self, rows: list[Row]) -> list[Row]:
        """Rows that are read together: the first, and of the following those that fit."""
        if self._together is Together.NONE:
            return rows[:1]
        store = self._store
        room = (store.budget - store.reserved - store.headroom - store.bound().nbytes) // 2
        chosen: list[Row] = []
        for row in rows:
            wanted = [*chosen, row]
            shared = shared_length(wanted)
            copied = sum(each.start - shared for each in wanted)
            level = all(each.start == row.start for each in wanted)
            fits = copied <= COPY_LIMIT and (level or self._together is Together.ANY)
            if len(wanted) == 1 or (fits and self._footprint(wanted) <= room and self._alike(wanted)):
                chosen = wanted
            if len(chosen) >= MAX_ROWS:
                break
        return chosen

    def _alike(self, rows: Sequence[Row]) -> bool:
        """Whether the rows' states have the same shapes, so that they can lie in one array."""
        if not self._layout.state or len(rows) == 1:
            return True
        first, last = (self._store.snapshot(row.path, row.start) for row in (rows[0], rows[-1]))
        shapes = [[a.shape for a in arrays_in(getattr(state, "arrays", ()))] for state in (first, last)]
        return shapes[0] == shapes[1]

    def _reserve(self, rows: Sequence[Row]) -> None:
        """Count what the rows take beside what is in the store, and what is still to be put there."""
        unkept = sum(row.stop - row.kept for row in rows)
        nbytes = (self._copied + unkept) * self._store.per_token
        self._store.reserve(self._name, nbytes + (self._footprint(rows) if self._network is None else 0))

    def _footprint(self, rows: Sequence[Row]) -> int:
        """About how many bytes the rows' caches take. Those of a network are what is put into the store."""
        per_token = self._store.per_token
        if self._network is not None:
            read = sum(row.stop - row.start for row in rows)
            return (copied_length(self._store, rows) + read) * per_token
        shared = shared_length(rows)
        if len(rows) == 1:
            return (shared + rows[0].stop) * per_token
        own = max(row.stop for row in rows) - shared
        layers = max(1, len(self._layout.kv))
        return (shared + own * len(rows)) * per_token + shared * len(rows) * per_token // layers
