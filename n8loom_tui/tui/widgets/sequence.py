"""A long list of rows in which each row knows where it stands. No user interface in here.

The list is kept in blocks of a few hundred rows, and a row knows its block. So looking a row up by number,
finding a row's number, and putting rows in or out cost about the same in a list of a hundred as in one of a
hundred thousand.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from n8loom_tui.loom.heddle import Heddle

_BLOCK = 256


class Row:
    """A node that has a row: the node, and the row of its parent as it was when the row was made (None for a
    root).

    Rows keep their own way to the parent's row because the tree may have changed before the widget hears of
    it.
    """

    __slots__ = ("above", "block", "node")

    def __init__(self, node: Heddle, above: Row | None) -> None:
        self.node = node
        self.above = above
        self.block: _Block | None = None


class _Block:
    __slots__ = ("rows", "start")

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.start = 0
        for row in rows:
            row.block = self


class RowList:
    """An indexed list of `Row`."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._starts: list[int] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Row:
        if not 0 <= index < self._length:
            raise IndexError(index)
        block = self._blocks[bisect_right(self._starts, index) - 1]
        return block.rows[index - block.start]

    def index(self, row: Row) -> int:
        """The row's number. ValueError if it stands in no list."""
        if row.block is None:
            raise ValueError("the row has been taken out")
        return row.block.start + row.block.rows.index(row)

    def from_(self, index: int) -> Iterator[Row]:
        """The rows from this number on. The list must not change meanwhile."""
        if index >= self._length:
            return
        number = bisect_right(self._starts, index) - 1
        block = self._blocks[number]
        yield from block.rows[index - block.start :]
        for block in self._blocks[number + 1 :]:
            yield from block.rows

    def clear(self) -> None:
        """Take out all rows. Rows and blocks refer to each other: parted, they are freed without the collector."""
        for block in self._blocks:
            block.rows.clear()
        self._blocks.clear()
        self._starts.clear()
        self._length = 0

    def insert(self, index: int, rows: list[Row]) -> None:
        """Put rows in before the row with this number."""
        if not rows:
            return
        if not self._blocks:
            self._replace(0, 0, rows)
            return
        number = max(bisect_right(self._starts, index) - 1, 0)
        block = self._blocks[number]
        at = index - block.start
        if len(block.rows) + len(rows) <= 2 * _BLOCK:
            block.rows[at:at] = rows
            for row in rows:
                row.block = block
            self._renumber(number)
        else:
            self._replace(number, number + 1, block.rows[:at] + rows + block.rows[at:])

    def remove(self, index: int, count: int) -> None:
        """Take out `count` rows from this number on."""
        if count <= 0:
            return
        number = bisect_right(self._starts, index) - 1
        last = bisect_right(self._starts, index + count - 1) - 1
        first, final = self._blocks[number], self._blocks[last]
        for block in self._blocks[number : last + 1]:
            low = max(index - block.start, 0)
            for row in block.rows[low : index + count - block.start]:
                row.block = None
        kept = first.rows[: index - first.start] + final.rows[index + count - final.start :]
        self._replace(number, last + 1, kept)

    def _replace(self, number: int, behind: int, rows: list[Row]) -> None:
        self._blocks[number:behind] = [_Block(rows[at : at + _BLOCK]) for at in range(0, len(rows), _BLOCK)]
        self._renumber(number)

    def _renumber(self, number: int) -> None:
        """Set right what the blocks from this one on know of their place."""
        start = 0
        if number:
            before = self._blocks[number - 1]
            start = before.start + len(before.rows)
        del self._starts[number:]
        for block in self._blocks[number:]:
            block.start = start
            self._starts.append(start)
            start += len(block.rows)
        self._length = start
