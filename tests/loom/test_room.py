"""Rows get room ahead of need, and no more memory is in use meanwhile than is counted beforehand."""

from __future__ import annotations

import mlx.core as mx

from n8loom_tui.loom.columns import Cursor, MlxColumns
from n8loom_tui.loom.room import Room

HEADS, DIM, ROWS, LAYERS, REACH = 2, 64, 8, 16, 200


class Rows:
    """Some layers' columns, and what is held of them."""

    def __init__(self) -> None:
        self.columns = [MlxColumns() for _ in range(LAYERS)]
        self.room = Room(self.columns, self._let_go)
        self.views: list[mx.array] = []

    def _let_go(self) -> None:
        self.views = []

    def step(self, number: int) -> None:
        new = mx.ones((ROWS, HEADS, 1, DIM))
        self._let_go()
        self.views = [columns.append(new, new, Cursor([number] * ROWS))[0] for columns in self.columns]
        mx.eval(self.views)


def test_one_layer_at_a_time_is_there_twice() -> None:
    rows = Rows()
    said = rows.room.planned(0, ROWS, REACH) * LAYERS * 2 * HEADS * DIM * 4
    rows.room.admit(0, ROWS)
    for columns in rows.columns:
        columns.add([None] * ROWS)
    most = widths = 0
    for number in range(REACH):
        rows.step(number)
        held = sum(columns.nbytes for columns in rows.columns)
        mx.reset_peak_memory()
        before = mx.get_active_memory()
        rows.room.tend(number + 1, REACH)
        most = max(most, held + mx.get_peak_memory() - before)
        widths += sum(columns.nbytes for columns in rows.columns) > held
    assert widths > 8, "they have grown more than once, some at a time"
    assert said < most <= said + said // LAYERS
