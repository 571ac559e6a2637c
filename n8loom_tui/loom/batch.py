"""The rows that decode together, and what they share.

A batch holds one row per branch. What the paths of its rows have in common is held once, as *levels*: spans of
path tokens with their keys and values, each at the root or below another. A row's context is its chain of
levels, root first, then its own columns. Rows come and go without anything being copied for the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import KVCache

from . import attention, kernels, levels
from .attention import BranchCache, View
from .columns import Columns, Cursor, MlxColumns
from .fragments import Fragment
from .layers import Layout, LeafKind, assemble
from .radix import Piece, State
from .room import Room
from .rows import GONE, Fragments, Joining, Logits, Row
from .sharing import Level, Plan, Running, Wanted, plan
from .states import RowStates

T = TypeVar("T")
Own = tuple[Any, Any]
"""Keys and values that a row begins with, of one leaf: a `Pair`, or the same in NumPy."""
OVERHEAD_BYTES = 384 << 10
"""What the calls for one level cost in one layer, as bytes of own keys and values that are read in that time.

Measured on a CPU with SmolLM2 (1.5 KB per token and layer), 32 rows over 4 to 16 levels: 0.1 ms per level and
layer in MLX, where a token of a row's own takes 0.33 µs, and 0.03 ms in NumPy, where it takes 0.15 µs. For a GPU
it is an estimate: ten kernels of 3 µs each, at 250 GB/s."""
OVERHEAD_BYTES_GPU = 8 << 20


@dataclass(frozen=True, slots=True)
class Span:
    """A level and the rows below it: `Batch.order[low:high]`."""

    level: Level
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Group:
    """Rows with the same chain of levels: `Batch.order[low:high]`; `spans` are the chain's, root first."""

    low: int
    high: int
    spans: tuple[int, ...]


class Batch(Generic[T]):
    """Rows that decode in one forward pass."""

    def __init__(
        self,
        model: Any,
        layout: Layout,
        *,
        shared: bool = True,
        columns: Callable[[], Columns] = MlxColumns,
        overhead: int | None = None,
    ) -> None:
        """A batch without any row.

        Args:
            shared: whether attention is ours and takes levels; otherwise each row copies its whole path.
            columns: makes the store of a leaf's own keys and values.
            overhead: what a level costs, in tokens read; None to count it from the size of a token.
        """
        self.model = model
        self.layout = layout
        self.shared = shared
        self.rows: list[Row[T]] = []
        self.room = 1 << 62
        self.order: list[int] | None = None
        """The rows, sorted so that each level's are next to each other. None: they are."""
        self.spans: list[Span] = []
        self.groups: list[Group] = []
        self.columns: Sequence[Columns] = [columns() for _ in layout.kv]
        self.step = Step([], [], None)
        self._overhead = overhead
        self._per_token = 0
        """Bytes of a token's keys and values, in all leaves."""
        self._room = Room(self.columns, self._let_go_of_columns)
        self._folder = levels.Folder()
        self._joined = False
        """Whether rows have joined that have not computed anything yet."""
        leaves = layout.leaves
        self.caches = [BranchCache(self, ordinal, leaves[i].window) for ordinal, i in enumerate(layout.kv)]
        self.states = RowStates(layout)
        self._model_caches = self._assembled()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def nbytes(self) -> int:
        """Bytes of levels (but those that the store counts), own columns with their room, and states."""
        held = levels.size(span.level for span in self.spans) + self._folder.nbytes
        return held + sum(columns.nbytes for columns in self.columns) + self.states.nbytes

    def _assembled(self) -> list[Any]:
        """What the model is given as its caches."""
        caches, states = iter(self.caches), iter(self.states.leaves)
        leaves: list[Any] = []
        for leaf in self.layout.leaves:
            match leaf.kind:
                case LeafKind.KV:
                    leaves.append(next(caches))
                case LeafKind.STATE:
                    leaves.append(next(states))
                case LeafKind.NONE:
                    leaves.append(KVCache())
        return assemble(self.layout, leaves)

    # --------------------------------------------------------- come and go

    def join(self, joining: Sequence[Joining[T]], held: Fragments) -> None:
        """Add rows behind the last. What is before the last token of each path must be held.

        Raises:
            ValueError: a path is not held. The rows are as they were.
        """
        states = self.states.joined(len(self.rows), joining, held)
        try:
            rows, owns = self._parts(joining, held)
            self._room.admit(len(self.rows), len(rows))
            self._add(owns)
        except BaseException:
            self._arrange()  # levels of the rows that run may have been split
            raise
        self.states.put(states)
        self.rows += rows
        self._joined = True
        self._arrange()

    def _parts(self, joining: Sequence[Joining[T]], held: Fragments) -> tuple[list[Row[T]], list[list[Own]]]:
        """The new rows below their levels, which are filled, and what each has of its own."""
        planned = self._plan(joining, held)
        more = sum(len(one.owners) for one in joining)
        for made, index in planned.new:
            leads_on = any(level.parent is made for level, _ in planned.new)
            self._fill(made, held, joining[index].path, 0 if leads_on else len(self.rows) + more)
        rows: list[Row[T]] = []
        owns: list[list[Own]] = []
        for wanted, level in zip(joining, planned.below, strict=True):
            start, stop = level.stop if level is not None else 0, len(wanted.path) - 1
            own = self._held(held, wanted.path, start, stop)
            for owner in wanted.owners:
                rows.append(Row(owner, level, stop - start, stop, stop + wanted.reach))
                owns.append(own)
        return rows, owns

    def _held(self, held: Fragments, path: Sequence[int], start: int, stop: int) -> list[Own]:
        """The keys and values of `path[start:stop]` of all leaves that have them; none for no tokens."""
        if start == stop:
            return []
        fragment = held.get(path, start, stop)
        if fragment is None:
            raise ValueError(GONE)
        return self._by_leaf(fragment)

    def _by_leaf(self, fragment: Fragment) -> list[Own]:
        """Keys and values as the columns take them."""
        pairs = [fragment.layer(ordinal) for ordinal in range(len(fragment.slots))]
        mx.eval(pairs)
        return pairs

    def _fill(self, made: Level, held: Fragments, path: Sequence[int], rows: int) -> None:
        """Give a new level its keys and values. Its end is left to so many rows to copy, if that costs less."""
        pieces: Sequence[Piece] = held.pieces(path, made.start, made.stop)
        if not pieces:
            raise ValueError(GONE)
        if rows:
            pieces = levels.without_end(made, pieces, self._level_cost, rows)
        levels.fill(made, pieces, self._level_cost)

    def _plan(self, joining: Sequence[Joining[T]], held: Fragments, *, trial: bool = False) -> Plan:
        """What the new rows share."""
        wanted = [Wanted(one.path[:-1], len(one.owners)) for one in joining]
        if not self._per_token:
            token = next((held.get(one.path, 0, 1) for one in wanted if one.path), None)
            self._per_token = token.nbytes if token is not None else 0
        if not self.shared or not self._per_token:
            return Plan([None] * len(joining))
        width = max((row.length for row in self.rows), default=0)
        running = Running([span.level for span in self.spans], len(self.rows), width)
        rows = len(self.rows) + sum(one.rows for one in wanted)
        return plan(wanted, running, self._sharing_cost(rows), trial=trial)

    def _sharing_cost(self, rows: int) -> int:  # noqa: ARG002 - for those to whom it matters
        """What a level costs where so many rows run, in tokens read."""
        return self._level_cost

    @property
    def _level_cost(self) -> int:
        """What a level costs, in tokens read."""
        if self._overhead is not None:
            return self._overhead
        return self._overhead_bytes * len(self.columns) // max(1, self._per_token)

    @property
    def _overhead_bytes(self) -> int:
        """What a level costs, in bytes read per layer."""
        return overhead_bytes()

    def footprint(self, joining: Sequence[Joining[T]], held: Fragments) -> int:
        """About how many bytes all rows take at most, if these join and no other does; without what the store lends.

        Own columns are counted as wide as the widest row may get.
        """
        planned = self._plan(joining, held, trial=True)
        widths = [row.length + row.limit - row.position for row in self.rows]
        for one, level in zip(joining, planned.below, strict=True):
            widths.append(len(one.path) - 1 - (level.stop if level is not None else 0) + one.reach)
        rows = len(self.rows) + sum(len(one.owners) for one in joining)
        places = self._room.planned(len(self.rows), rows - len(self.rows), max(widths, default=0))
        own = levels.size(span.level for span in self.spans) + self._folder.nbytes
        for made, index in planned.new:
            pieces = held.pieces(joining[index].path, made.start, made.stop)
            own += levels.copied(pieces, self._level_cost) * self._per_token
        growing = places * self._per_token // max(1, len(self.columns))  # one store is there twice meanwhile
        return (
            places * self._per_token + growing + own + rows * (self.states.nbytes // max(1, len(self.rows)))
        )

    def _let_go_of_columns(self) -> None:
        """Hold no memory of the columns: they may become larger."""

    def _add(self, owns: Sequence[list[Own]]) -> None:
        """Give all stores the new rows, or none."""
        done: list[Columns] = []
        try:
            for ordinal, columns in enumerate(self.columns):
                columns.add([own[ordinal] if own else None for own in owns])
                done.append(columns)
        except BaseException:
            for columns in done:
                columns.keep(range(len(self.rows)))
            raise

    def leave(self, gone: Callable[[T], bool]) -> None:
        """Take rows out. Rows from the end take their places; all others stay where they are."""
        alive = [not gone(row.owner) for row in self.rows]
        index = list(range(sum(alive)))
        if len(index) == len(alive):
            return
        for columns, row in itertools.product(self.columns, (i for i, r in enumerate(self.rows) if r.broken)):
            columns.wipe(row)
        holes = (i for i in index if not alive[i])
        for hole, row in zip(holes, (i for i in range(len(index), len(alive)) if alive[i]), strict=True):
            index[hole] = row
        for columns in self.columns:
            columns.keep(index)
        self.states.keep(index)
        self.rows = [self.rows[i] for i in index]
        if not index:
            self._room.clear()
        self._arrange()

    def _arrange(self) -> None:
        """Sort the rows by their chains of levels, and find each level's rows."""
        number: dict[Level, int] = {}
        chains = [row.level.chain() if row.level is not None else [] for row in self.rows]
        for chain in chains:
            for level in chain:
                number.setdefault(level, len(number))
        keys = [[number[level] for level in chain] for chain in chains]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        self.order = order if order != list(range(len(order))) else None
        self.spans, self.groups = [], []
        place: dict[Level, int] = {}
        low = 0
        for _, same in itertools.groupby(order, key=keys.__getitem__):
            members = list(same)
            high, chain = low + len(members), chains[members[0]]
            for level in chain:
                at = place.setdefault(level, len(self.spans))
                first = self.spans[at].low if at < len(self.spans) else low
                self.spans[at : at + 1] = [Span(level, first, high)]
            self.groups.append(Group(low, high, tuple(place[level] for level in chain)))
            low = high
        self._folder.arranged(self.spans)

    # --------------------------------------------------------------- steps

    def forward(self, tokens: list[int]) -> Logits:
        """Feed one token per row. Returns their logits, in the rows' order."""
        self.begin_step()
        with attention.serving(self):
            logits = self.model(mx.array(tokens)[:, None], cache=self._model_caches)[:, -1].astype(mx.float32)
            mx.eval(logits, self.states.arrays)
        self.end_step()
        return np.array(logits, copy=False)

    def begin_step(self) -> None:
        """Fix where the rows stand. Call before the model."""
        self.states.begin_step()
        self.step = Step([row.length for row in self.rows], [row.position for row in self.rows], self.order)

    def end_step(self) -> None:
        """Count the step. Call after the model's output is evaluated."""
        for cache in self.caches:
            cache.fresh = None  # a view of the columns: while it lives, they cannot be written in place
        for row in self.rows:
            row.length += 1
            row.position += 1
        reach = max(row.length + row.limit - row.position for row in self.rows)
        self._room.tend(max(row.length for row in self.rows), reach)
        # Nobody's first token waits for what only later steps gain by.
        joined, self._joined = self._joined, False
        some = len(self.spans) > 1 and not joined
        if some and self._folder.step(self.spans, self._level_cost, self.room):
            self._arrange()

    def cut(self, index: int, start: int) -> Fragment | None:
        """What row number `index` has computed from path position `start` on. None for nothing."""
        row = self.rows[index]
        if start >= row.position:
            return None
        first = start - (row.position - row.length)
        assert first >= 0, "a level is not the row's own"
        pairs = [columns.cut(index, first, row.length) for columns in self.columns]
        return Fragment.pack(pairs, row.position - start)

    def snapshots(self, index: int) -> dict[int, State]:
        """The states of row number `index` now and one token earlier, by path position."""
        return self.states.of_row(index, self.rows[index].position)


class Step:
    """Where the rows stand in one step, for all layers."""

    __slots__ = ("backwards", "cursor", "order", "positions", "rope", "views")

    def __init__(self, lengths: Sequence[int], positions: Sequence[int], order: Sequence[int] | None) -> None:
        self.cursor = Cursor(lengths)
        self.positions = np.array(positions, dtype=np.int32)
        """The path position of each row's token, `[rows]`; `rope` the same for the model."""
        self.rope = mx.array(self.positions)
        self.order = mx.array(np.array(order, dtype=np.int32)) if order is not None else None
        """The rows sorted by levels, and `backwards` where each row is then; None if they are as they are."""
        self.backwards = mx.argsort(self.order) if self.order is not None else None
        self.views: dict[int | None, View] = {}
        """What is visible, by the window of the layer."""
        mx.eval(self.rope, *(() if self.order is None else (self.order, self.backwards)))


def overhead_bytes() -> int:
    """What a level costs on this device, in bytes read per layer."""
    return OVERHEAD_BYTES if kernels.on_cpu() else OVERHEAD_BYTES_GPU
