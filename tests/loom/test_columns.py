"""Rows' own keys and values: what is written is read back, whatever comes and goes beside it."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from n8loom_tui.loom.columns import ROOM_STEP, Cursor, MlxColumns, Pair

HEADS, DIM, VALUE_DIM = 2, 3, 5


class Expected:
    """The same in plain lists: for each row the tokens' marks, of which keys and values are made."""

    def __init__(self) -> None:
        self.columns = MlxColumns()
        self.rows: list[list[int]] = []
        self.count = 0

    def marks(self, count: int) -> list[int]:
        self.count += count
        return list(range(self.count - count, self.count))

    @staticmethod
    def pair(marks: list[int]) -> Pair:
        base = mx.array(marks, dtype=mx.float32)[None, :, None]
        return mx.broadcast_to(base, (HEADS, len(marks), DIM)), mx.broadcast_to(
            -base, (HEADS, len(marks), VALUE_DIM)
        )

    def add(self, *lengths: int) -> None:
        new = [self.marks(length) for length in lengths]
        self.columns.add([self.pair(marks) if marks else None for marks in new])
        self.rows += new

    def append(self) -> None:
        cursor = Cursor([len(row) for row in self.rows])
        marks = self.marks(len(self.rows))
        keys, values = (mx.stack([self.pair([m])[part] for m in marks]) for part in (0, 1))
        got = self.columns.append(keys, values, cursor)
        for row, mark in zip(self.rows, marks, strict=True):
            row.append(mark)
        self.check(*got, cursor.width)
        self.check(*self.columns.filled(cursor.width), cursor.width)

    def check(self, keys: mx.array, values: mx.array, width: int) -> None:
        assert keys.shape == (len(self.rows), HEADS, width, DIM)
        assert values.shape == (len(self.rows), HEADS, width, VALUE_DIM)
        for index, row in enumerate(self.rows):
            for got, wanted in zip((keys[index], values[index]), self.pair(row), strict=True):
                np.testing.assert_array_equal(got[:, : len(row)], wanted)
                assert np.isfinite(np.array(got)).all()
            for start, stop in ((0, len(row)), (len(row) // 2, len(row))):
                for got, wanted in zip(
                    self.columns.cut(index, start, stop), self.pair(row[start:stop]), strict=True
                ):
                    np.testing.assert_array_equal(got, wanted)

    def keep(self, rows: list[int]) -> None:
        self.columns.keep(rows)
        self.rows = [self.rows[row] for row in rows]


def test_rows_of_different_lengths_are_written_where_they_end() -> None:
    store = Expected()
    store.add(0, 0)
    store.append()
    store.append()
    store.add(5, 0, 130)
    for _ in range(70):
        store.append()


@pytest.mark.parametrize("first", [[0, 0], [3, 0, 7]])
def test_rows_leave_and_others_take_their_places(first: list[int]) -> None:
    store = Expected()
    store.add(*first)
    store.append()
    store.add(*range(20))
    store.append()
    size = len(store.rows)
    store.keep([0, size - 1, *range(2, size - 1)])
    store.append()
    store.keep([5, 4, 3, 9])
    store.append()
    store.add(2, 0)
    store.append()
    store.keep([])
    assert store.columns.nbytes == 0
    store.add(1, 0)
    store.append()


def test_room_is_made_ahead_and_changes_nothing() -> None:
    store = Expected()
    store.columns.reserve(8, 200)
    store.add(3)
    store.append()
    size = store.columns.nbytes
    assert size == 8 * HEADS * -(-200 // ROOM_STEP) * ROOM_STEP * (DIM + VALUE_DIM) * 4
    store.add(*[1] * 7)
    for _ in range(100):
        store.append()
    assert store.columns.nbytes == size
    store.columns.reserve(9, 100)
    assert store.columns.nbytes > size
    store.append()


def test_a_failed_addition_leaves_the_rows_as_they_were() -> None:
    store = Expected()
    store.add(3, 1)
    store.append()
    with pytest.raises(ValueError, match="shape"):
        store.columns.add([None, (mx.zeros((7, 4, DIM)), mx.zeros((7, 4, VALUE_DIM)))])
    store.append()
    store.add(2)
    store.append()


def test_a_wiped_row_holds_numbers_again() -> None:
    store = Expected()
    store.add(3, 3)
    store.append()
    cursor = Cursor([4, 4])
    nothing = mx.full((2, HEADS, 1, 1), float("nan"))
    store.columns.append(
        mx.broadcast_to(nothing, (2, HEADS, 1, DIM)),
        mx.broadcast_to(nothing, (2, HEADS, 1, VALUE_DIM)),
        cursor,
    )
    store.columns.wipe(0)
    store.columns.wipe(1)
    keys, values = store.columns.filled(5)
    assert np.isfinite(np.array(keys)).all()
    assert np.isfinite(np.array(values)).all()
