"""What joining rows share: decided by token ids and by what costs less."""

from __future__ import annotations

import random

from n8loom_tui.loom.sharing import COPY_WIDTH, Level, Plan, Running, Wanted, plan


def planned(
    wanted: list[tuple[list[int], int]], overhead: int, levels: list[Level] | None = None, **running: int
) -> Plan:
    return plan([Wanted(path, rows) for path, rows in wanted], Running(levels or [], **running), overhead)


def path_of(level: Level | None) -> list[int]:
    return [token for each in (level.chain() if level is not None else []) for token in each.tokens]


def tokens(first: int, count: int) -> list[int]:
    return list(range(first, first + count))


def test_branches_of_one_node_share_its_path() -> None:
    made = planned([(tokens(0, 100), 8)], overhead=50)
    assert path_of(made.below[0]) == tokens(0, 100)
    assert [(level.start, level.stop, index) for level, index in made.new] == [(0, 100, 0)]


def test_one_branch_or_a_short_path_is_copied() -> None:
    assert planned([(tokens(0, 100), 1)], overhead=50).below == [None]
    assert planned([(tokens(0, 6), 8)], overhead=50).below == [None]
    assert planned([([], 8)], overhead=0).below == [None]


def test_too_much_is_never_copied() -> None:
    (below,) = planned([(tokens(0, COPY_WIDTH + 1), 1)], overhead=5000).below
    assert path_of(below) == tokens(0, COPY_WIDTH + 1)


def test_a_held_path_is_joined_whoever_holds_it() -> None:
    trunk = Level(None, 0, tokens(0, 50))
    below = Level(trunk, 50, tokens(50, 50))
    made = planned([(tokens(0, 100), 1), (tokens(0, 53), 1)], 60, [trunk, below], rows=4, width=5)
    assert made.new == []
    assert made.below == [below, trunk]


def test_a_held_level_is_split_where_that_pays() -> None:
    held = Level(None, 0, tokens(0, 100))
    made = planned([([*tokens(0, 60), 999], 2)], 50, [held], rows=1)
    upper = made.below[0]
    assert upper is not None
    assert upper is held.parent
    assert (path_of(upper), path_of(held)) == (tokens(0, 60), tokens(0, 100))
    assert (held.start, held.stop) == (60, 100)
    held = Level(None, 0, tokens(0, 100))
    assert planned([([*tokens(0, 20), 999], 2)], 50, [held], rows=1).below == [None]
    assert held.parent is None


def test_paths_that_part_share_what_is_worth_it() -> None:
    trunk, limb = tokens(0, 30), tokens(100, 30)
    paths = [trunk + limb + tokens(200 * i, 2) for i in range(1, 5)] + [trunk + tokens(5000, 3)]
    made = planned([(path, 2) for path in paths], overhead=40)
    assert [path_of(level) for level in made.below] == [trunk + limb] * 4 + [trunk]
    assert len(made.new) == 2


def test_a_short_beginning_is_shared_along_with_what_follows() -> None:
    """Its own level would not pay; the long part that most of the paths go on with does."""
    paths = [[1, 2, *tokens(100, 60), i] for i in range(4)] + [[1, 2, 7]]
    made = planned([(path, 1) for path in paths], overhead=50)
    assert [path_of(level) for level in made.below] == [[1, 2, *tokens(100, 60)]] * 4 + [[]]


def test_equal_paths_of_two_wanted_are_one_level() -> None:
    made = planned([(tokens(0, COPY_WIDTH + 9), 1)] * 2, overhead=1 << 20)
    assert len(made.new) == 1
    assert made.below[0] is made.below[1] is made.new[0][0]


def test_long_ends_become_levels_where_copies_would_widen_every_row() -> None:
    short, long = [(tokens(1000 * i, 3), 1) for i in range(1, 9)], (tokens(0, 200), 1)
    assert [path_of(level) for level in planned([*short, long], overhead=50).below] == [[]] * 8 + [long[0]]
    same = [(tokens(1000 * i, 200), 1) for i in range(9)]
    assert planned(same, overhead=50).below == [None] * 9
    assert planned([long], overhead=50, rows=8, width=200).below == [None]


def test_whatever_is_planned_every_path_is_covered() -> None:
    numbers = random.Random(1)
    for _ in range(200):
        levels: list[Level] = []
        for _ in range(3):
            wanted = []
            for _ in range(numbers.randint(1, 6)):
                base = path_of(numbers.choice(levels)) if levels else []
                path = base[: numbers.randint(0, len(base))] + numbers.choices(
                    range(2), k=numbers.randint(0, 9)
                )
                wanted.append((path, numbers.randint(1, 3)))
            before = {id(level): path_of(level) for level in levels}
            made = planned(wanted, numbers.choice([0, 3, 9]), levels, rows=len(levels))
            assert all(path_of(level) == before[id(level)] for level in levels)
            known = {id(each) for level in levels for each in level.chain()}
            for level, index in made.new:
                assert level.tokens
                assert wanted[index][0][: level.stop] == path_of(level)
                assert level.parent is None or id(level.parent) in known
                known.add(id(level))
            for (path, _), level in zip(wanted, made.below, strict=True):
                assert path[: len(path_of(level))] == path_of(level)
            levels = list(
                {id(each): each for level in made.below + levels if level for each in level.chain()}.values()
            )
