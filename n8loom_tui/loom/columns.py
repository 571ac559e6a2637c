"""What rows of a batch add to their prefixes: each row's own keys and values, one store per KV leaf.

Row `i` of a store belongs to row `i` of the batch. Its own tokens fill the columns from the left, `0` up to
the row's length, which the batch counts; what lies behind is unused and masked out by whoever reads it. A row
that ends gives its place to another, so that nothing is ever shifted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import mlx.core as mx
import numpy as np

Pair = tuple[mx.array, mx.array]
"""Keys `[kv_heads, tokens, head_dim]` and values `[kv_heads, tokens, value_dim]`."""

ROOM_STEP = 16
"""By how many columns a store grows at least."""
FEW_MOVES = 4
"""One row in so many may move by itself; beyond, copying all at once costs less than the calls."""


class Cursor:
    """Where each row's next token goes. It is fixed for one step.

    `lengths[i]` is how many columns row `i` has filled, and so the column that it writes; `width` how many
    columns are in use when all have written; `same` whether all rows write the same column.
    """

    __slots__ = ("columns", "lengths", "rows", "same", "width")

    def __init__(self, lengths: Sequence[int]) -> None:
        self.lengths = np.array(lengths, dtype=np.int32)
        self.width = max(lengths, default=0) + 1
        self.same = min(lengths, default=0) + 1 == self.width
        self.rows = mx.arange(len(lengths))
        self.columns = mx.array(self.lengths)
        mx.eval(self.rows, self.columns)


class Columns(Protocol):
    """The own keys and values of all rows for one KV leaf."""

    @property
    def nbytes(self) -> int:
        """Size in bytes, room to grow included."""
        ...

    def add(self, owns: Sequence[Pair | None]) -> None:
        """New rows behind the last, each with what it begins with (None: nothing)."""
        ...

    def cut(self, row: int, start: int, stop: int) -> Pair:
        """One row's columns `start` up to `stop`, `[kv_heads, stop - start, dim]`. Views may be given."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Row `i` becomes what row `rows[i]` was; all others are gone."""
        ...

    def wipe(self, row: int) -> None:
        """Forget the numbers of a row, which may be none (NaN): they must not get near another row."""
        ...

    def reserve(self, rows: int, columns: int) -> None:
        """Have room for so many rows and columns, now rather than when they come. Never makes it less."""
        ...


class ModelColumns(Columns, Protocol):
    """Columns that a model's own code attends to."""

    def append(self, keys: mx.array, values: mx.array, cursor: Cursor) -> Pair:
        """Write a step's keys and values, `[rows, kv_heads, 1, dim]`, where the cursor says.

        Returns `[rows, kv_heads, cursor.width, dim]` of both: all columns in use.
        """
        ...

    def filled(self, width: int) -> Pair:
        """The first `width` columns of all rows, `[rows, kv_heads, width, dim]`, as `append` gave them."""
        ...


class MlxColumns:
    """`Columns` in MLX arrays, written in place."""

    __slots__ = ("_arrays", "_reserved", "_rows")

    def __init__(self) -> None:
        self._rows = 0
        self._arrays: list[mx.array] = []
        """Keys and values, `[room, kv_heads, room, dim]`; none before the first are known."""
        self._reserved = (0, 0)

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self._arrays)

    def add(self, owns: Sequence[Pair | None]) -> None:
        first, self._rows = self._rows, self._rows + len(owns)
        try:
            self._write(first, owns)
        except BaseException:
            self._rows = first
            raise

    def _write(self, first: int, owns: Sequence[Pair | None]) -> None:
        some = next((own for own in owns if own is not None), None)
        if some is None and not self._arrays:
            return
        longest = max((own[0].shape[1] for own in owns if own is not None), default=0)
        self._have_room(longest, some)
        for row, own in enumerate(owns, first):
            for index, part in enumerate(own or ()):
                _put(self._arrays[index], row, part)
        mx.eval(self._arrays)

    def append(self, keys: mx.array, values: mx.array, cursor: Cursor) -> Pair:
        self._have_room(cursor.width, (keys[0], values[0]))
        for array, new in zip(self._arrays, (keys, values), strict=True):
            if not array.size:
                continue
            if cursor.same:
                array[: self._rows, :, cursor.width - 1 : cursor.width] = new
            else:
                array[cursor.rows, :, cursor.columns] = new[:, :, 0]
        return self.filled(cursor.width)

    def filled(self, width: int) -> Pair:
        keys, values = (array[: self._rows, :, :width] for array in self._arrays)
        return keys, values

    def cut(self, row: int, start: int, stop: int) -> Pair:
        keys, values = (array[row, :, start:stop] for array in self._arrays)
        return keys, values

    def keep(self, rows: Sequence[int]) -> None:
        moved = [index for index, row in enumerate(rows) if index != row]
        self._rows = len(rows)
        if not rows:
            self._arrays, self._reserved = [], (0, 0)
        elif len(moved) * FEW_MOVES <= len(rows):
            self._move([(rows[index], index) for index in moved])
        else:
            index = mx.array(list(rows))
            self._arrays = [array[index] for array in self._arrays]
            mx.eval(self._arrays)

    def _move(self, moves: Sequence[tuple[int, int]]) -> None:
        """Copy rows, `(from, to)`, in place. No row that is copied from is copied to."""
        for array in self._arrays:
            for source, target in moves if array.size else ():
                row = array[mx.array([source])]
                mx.eval(row)  # else the array would be in use twice, and be copied as a whole
                array[target : target + 1] = row
            mx.eval(array)

    def wipe(self, row: int) -> None:
        for array in self._arrays:
            if array.size:
                array[row] = mx.zeros_like(array[row])
        mx.eval(self._arrays)

    def reserve(self, rows: int, columns: int) -> None:
        self._reserved = (max(rows, self._reserved[0]), max(columns, self._reserved[1]))
        if self._arrays:
            self._have_room(0, None)
            mx.eval(self._arrays)

    def _have_room(self, columns: int, like: Pair | None) -> None:
        """Grow where the rows and so many columns do not fit. `like` tells the shapes at first."""
        rows, wanted = max(self._rows, self._reserved[0]), max(columns, self._reserved[1])
        if not self._arrays:
            assert like is not None
            wanted = -(-wanted // ROOM_STEP) * ROOM_STEP
            self._arrays = [
                mx.zeros((rows, part.shape[0], wanted, part.shape[2]), part.dtype) for part in like
            ]
            return
        have = self._arrays[0].shape
        if rows <= have[0] and wanted <= have[2]:
            return
        rows, wanted = max(rows, have[0]), max(have[2], -(-wanted // ROOM_STEP) * ROOM_STEP)
        for index, array in enumerate(self._arrays):
            grown = mx.zeros((rows, array.shape[1], wanted, array.shape[3]), array.dtype)
            if array.size:
                grown[: have[0], :, : have[2]] = array
            self._arrays[index] = grown


def _put(array: mx.array, row: int, part: mx.array) -> None:
    """Write a row's first columns. MLX divides by zero where it writes nothing: some values have no width."""
    if part.shape != (array.shape[1], part.shape[1], array.shape[3]):
        raise ValueError(f"keys or values of shape {part.shape} do not fit the batch's {array.shape}")
    if part.size:
        array[row : row + 1, :, : part.shape[1]] = part[None]
