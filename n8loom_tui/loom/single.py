"""Rows one by one: for models that cannot decode a batch of branches exactly.

Each row has caches of its own that hold its whole path. That costs a forward pass and a copy of the path per
row, and is as exact as the model is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import mlx.core as mx
import numpy as np

from . import strand
from .fragments import Fragment
from .layers import Layout
from .opaque import arrays_in
from .radix import State
from .rows import Fragments, Joining, Logits, Row
from .strand import Strand

T = TypeVar("T")


class Singles(Generic[T]):
    """Rows that decode one after the other. It stands in for `Batch`."""

    def __init__(self, model: Any, layout: Layout) -> None:
        """No row yet."""
        self.model = model
        self.layout = layout
        self.rows: list[Row[T]] = []
        self.room = 0
        self._strands: list[Strand] = []

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def nbytes(self) -> int:
        """Bytes of all rows' caches."""
        return sum(map(self._size, self._strands))

    def footprint(self, joining: Sequence[Joining[T]], held: Fragments) -> int:  # noqa: ARG002 - as `Rows` has it
        """About how many bytes all rows take at most, if these join: all as much as the largest so far."""
        largest = max((self._size(each) for each in self._strands), default=0)
        return self.nbytes + largest * sum(len(one.owners) for one in joining)

    @staticmethod
    def _size(each: Strand) -> int:
        return sum(int(array.nbytes) for array in arrays_in(each.caches))

    def join(self, joining: Sequence[Joining[T]], held: Fragments) -> None:
        """Add rows behind the last. What is before the last token of each path must be held.

        Raises:
            ValueError: a path is not held. The rows are as they were.
        """
        rows: list[Row[T]] = []
        strands: list[Strand] = []
        for one in joining:
            position = len(one.path) - 1
            for owner in one.owners:
                read = strand.Row(one.path, position, position)
                strands.append(Strand(self.model, self.layout, held, [read]))
                rows.append(Row(owner, None, 0, position))
        self.rows += rows
        self._strands += strands

    def forward(self, tokens: list[int]) -> Logits:
        """Feed one token per row. Returns their logits, in the rows' order."""
        table = []
        for token, row, each in zip(tokens, self.rows, self._strands, strict=True):
            logits = self.model(mx.array([[token]]), cache=each.caches)[0, -1].astype(mx.float32)
            mx.eval(logits, list(arrays_in(each.caches)))
            table.append(np.array(logits, copy=False))
            row.length += 1
            row.position += 1
        return np.stack(table)

    def cut(self, index: int, start: int) -> Fragment | None:
        """What row number `index` has computed from path position `start` on. None for nothing."""
        row, each = self.rows[index], self._strands[index]
        if start >= row.position:
            return None
        return each.fragment(each.rows[0], start, row.position)

    def snapshots(self, index: int) -> dict[int, State]:
        """The state of row number `index` as it is now, by its path position."""
        each = self._strands[index]
        state = each.snapshot(each.rows[0])
        return {} if state is None else {self.rows[index].position: state}

    def leave(self, gone: Callable[[T], bool]) -> None:
        """Take rows out."""
        stay = [index for index, row in enumerate(self.rows) if not gone(row.owner)]
        self.rows = [self.rows[index] for index in stay]
        self._strands = [self._strands[index] for index in stay]
