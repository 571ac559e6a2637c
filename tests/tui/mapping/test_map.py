"""The picture's bars, and what of them falls on which cell."""

from __future__ import annotations

import random

import pytest

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.tui.mapping.layout import TreeMap
from n8loom_tui.tui.mapping.window import Run, Window


def grow(parent: Heddle, text: str = "x") -> Heddle:
    return parent.add_child(Heddle.from_text(text))


def mapped(*roots: Heddle) -> TreeMap:
    tree = TreeMap()
    for _ in tree.build(roots):
        pass
    return tree


def wild(size: int, seed: int, reach: int = 50) -> Loom:
    draw = random.Random(seed)
    nodes: list[Heddle] = [Loom(None, None, "root")]
    for _ in range(size):
        nodes.append(grow(nodes[max(0, len(nodes) - 1 - draw.randrange(reach))]))
    return nodes[0]  # type: ignore[return-value]


def test_a_stretch_without_a_branch_is_one_bar() -> None:
    root = Loom(None, None, "root")
    a, b = grow(root), grow(root)
    end = grow(grow(a))
    c, d = grow(b), grow(b)
    tree = mapped(root)
    assert tree.heads == [root, a, b, c, d]
    assert tree.tails == [root, end, b, c, d]
    assert tree.sizes == [1, 3, 1, 1, 1]
    assert tree.depths == [0, 1, 1, 2, 2]
    assert tree.leaves == [3, 1, 2, 1, 1]
    assert tree.starts == [0, 0, 1, 1, 2]
    assert tree.bar_of(end) == tree.bar_of(a) == 1
    assert tree.path(4) == [4, 2, 0]
    assert tree.beside(1, 1) == 2
    assert tree.beside(4, 5) == 4
    assert tree.at_leaf(2, 0) is None
    assert [tree.nearest(2, leaf) for leaf in range(3)] == [3, 3, 4]
    assert tree.within(3, 2) and not tree.within(1, 2) and tree.within(0, -1)


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (80, 20), (200, 60)])
@pytest.mark.parametrize("nodes", [0, 5, 300, 3000])
def test_every_bar_is_in_the_picture_and_none_over_another(nodes: int, size: tuple[int, int]) -> None:
    tree = mapped(wild(nodes, nodes), wild(nodes // 2, 7))
    for top in (-1, 0, len(tree.heads) // 2):
        window = Window(tree, top, *size)
        runs: dict[int, list[Run]] = {}
        for y in range(size[1]):
            runs[y] = window.row(y)
            ends = [0, *(run.x + run.width for run in runs[y])]
            assert all(run.x >= end for run, end in zip(runs[y], ends, strict=False))
            assert ends[-1] <= size[0]
            assert all(run.width >= 1 for run in runs[y])
        shown = [bar for bar in range(len(tree.heads)) if tree.within(bar, top)]
        for bar in shown:
            y = window.line_of(tree.depths[bar])
            assert y < size[1], "the whole of it is on the screen"
            assert any(window.holds(run, bar) for run in runs[y])


def test_wide_bars_are_as_wide_as_their_leaves() -> None:
    root = Loom(None, None, "root")
    for _ in range(3):
        grow(root)
    for _ in range(2):
        grow(root.children[0])
    window = Window(mapped(root), -1, 40, 12)
    assert window.lines == 4, "where there is room, a level has several lines"
    assert [(run.x, run.width) for run in window.row(0)] == [(0, 40)]
    assert [(run.x, run.width) for run in window.row(4)] == [(0, 20), (20, 10), (30, 10)]
    assert [(run.x, run.width) for run in window.row(11)] == [(0, 10), (10, 10)]
    assert window.row(12) == []


def test_a_chain_of_ten_thousand_and_ten_thousand_children() -> None:
    root = Loom(None, None, "root")
    below: Heddle = root
    for _ in range(10_000):
        below = grow(below)
    for _ in range(10_000):
        grow(below)
    tree = mapped(root)
    assert len(tree.heads) == 10_001
    window = Window(tree, -1, 100, 20)
    crowd = window.row(window.line_of(1))
    assert [run.count for run in crowd] == [100] * 100


def test_a_tree_deeper_than_the_screen_shares_lines() -> None:
    root = Loom(None, None, "root")
    spine: Heddle = root
    for _ in range(2000):
        grow(spine, "side")
        spine = grow(spine, "spine")
    tree = mapped(root)
    window = Window(tree, -1, 60, 15)
    assert window.levels > 1
    last = tree.bar_of(spine)
    assert last is not None
    y = window.line_of(tree.depths[last])
    assert y < 15
    assert any(window.holds(run, last) for run in window.row(y))
