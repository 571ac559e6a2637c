"""What levels are made of: lent as it lies, put together where it is short, folded while the batch goes on."""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx
import numpy as np
import pytest

from n8loom_tui.loom.fragments import Fragment
from n8loom_tui.loom.levels import Folder, fill, size, without_end
from n8loom_tui.loom.radix import Edge, Piece
from n8loom_tui.loom.sharing import Level

LEAVES = 3
DATA = np.random.default_rng(0).normal(size=(2, LEAVES, 2, 400, 4)).astype(np.float32)


@dataclass(frozen=True)
class Place:
    level: Level
    low: int
    high: int


def pieces(*lengths: int) -> list[Piece]:
    found, at = [], 0
    for length in lengths:
        keys, values = (mx.array(part[:, :, at : at + length]) for part in DATA)
        fragment = Fragment.pack([(keys[i], values[i]) for i in range(LEAVES)])
        found.append(Piece(Edge(list(range(at, at + length)), fragment, None), fragment, 0, length))
        at += length
    return found


def filled(*lengths: int, overhead: int) -> Level:
    level = Level(None, 0, list(range(sum(lengths))))
    fill(level, pieces(*lengths), overhead)
    return level


def assert_holds(level: Level, tokens: int) -> None:
    chain = level.chain()
    assert [token for each in chain for token in each.tokens] == list(range(tokens))
    for leaf in range(LEAVES):
        for part in range(2):
            joined = mx.concatenate([each.pairs[leaf][part] for each in chain], axis=1)
            np.testing.assert_array_equal(joined, DATA[part, leaf, :, :tokens])


def test_long_pieces_are_lent_and_short_ones_in_a_row_are_put_together() -> None:
    level = filled(50, 2, 3, 4, 60, 5, overhead=80)
    chain = level.chain()
    assert [len(each.tokens) for each in chain] == [50, 9, 60, 5]
    assert [each.lent is not None for each in chain] == [True, False, True, True]
    assert size(chain) == chain[1].nbytes
    assert_holds(level, 124)


def test_what_the_store_drops_counts_for_the_level_that_holds_it() -> None:
    level = filled(50, 60, overhead=0)
    assert size(level.chain()) == 0
    assert level.lent is not None
    level.lent.edge.fragment = None
    assert size(level.chain()) == level.lent.fragment.nbytes


def test_a_split_of_what_is_lent_copies_nothing() -> None:
    level = filled(100, overhead=0)
    upper = level.split(30)
    assert size([upper, level]) == 0
    assert (len(upper.tokens), len(level.tokens), level.parent) == (30, 70, upper)
    assert_holds(level, 100)


def test_a_short_end_is_left_away_for_few_rows() -> None:
    for rows, kept in ((1, 100), (9, 110)):
        level, parts = Level(None, 0, list(range(110))), pieces(100, 6, 4)
        assert sum(map(len, without_end(level, parts, 100, rows))) == len(level.tokens) == kept
    level, parts = Level(None, 0, list(range(10))), pieces(6, 4)
    assert without_end(level, parts, 100, 1) == parts


def folded(folder: Folder, level: Level, overhead: int, room: int) -> int:
    """Fold until nothing changes any more. Returns how often two became one."""
    count = idle = 0
    while idle < 20:
        done = folder.step([Place(each, 0, 2) for each in level.chain()], overhead, room)
        count, idle = count + done, 0 if done else idle + 1
    return count


def test_short_levels_are_folded_in_the_end() -> None:
    level = filled(100, 100, 30, 20, overhead=0)
    assert folded(Folder(), level, 60, 1 << 30) == 2
    assert [len(each.tokens) for each in level.chain()] == [100, 150]
    assert level.lent is None
    assert_holds(level, 250)


def test_no_more_is_folded_than_there_is_room_for() -> None:
    level = filled(100, 20, 20, overhead=0)
    assert folded(Folder(), level, 60, 40 * LEAVES * 2 * 2 * 4 * 4) == 1
    assert_holds(level, 140)


def test_a_fold_is_given_up_where_a_level_is_split_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("n8loom_tui.loom.levels.FOLDED_BYTES", 1)
    level, folder = filled(100, 50, overhead=0), Folder()
    places = [Place(each, 0, 2) for each in level.chain()]
    assert not folder.step(places, 60, 1 << 30)
    assert folder.nbytes > 0
    upper = level.split(20)
    assert not folder.step([*places, Place(upper, 0, 2)], 0, 1 << 30)
    assert folder.nbytes == 0
    assert_holds(level, 150)
    assert not folder.step([Place(each, 0, 2) for each in level.chain()], 60, 1 << 30)
    assert folder.nbytes > 0
    folder.arranged([])
    assert folder.nbytes == 0
    parted = [Place(level, 0, 1), *(Place(each, 0, 2) for each in level.chain()[:-1])]
    assert not any(folder.step(parted[:1] + parted[1:2], 60, 1 << 30) for _ in range(9))
