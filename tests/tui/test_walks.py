"""Walks on and back from any node come by all the others, in order and round; a row's place agrees with them."""

from __future__ import annotations

import random

import pytest

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.tui.walks import backward, onward
from n8loom_tui.tui.widgets.rows import TreeRows


def grown(draw: random.Random) -> list[Heddle]:
    roots: list[Heddle] = [Loom(None, None, "root") for _ in range(3)]
    nodes = list(roots)
    for _ in range(60):
        nodes.append(draw.choice(nodes[-8:]).add_child(Heddle.from_text("x")))
    return roots


@pytest.mark.parametrize("seed", range(5))
def test_all_others_in_order_and_round(seed: int) -> None:
    draw = random.Random(seed)
    roots = grown(draw)
    tops = draw.choice((roots, [roots[0].children[0]] if roots[0].children else roots))
    order = [node for top in tops for node in top.walk()]
    rows = TreeRows()
    rows.set_roots(tops)
    for node in draw.sample(order, len(order) // 2):
        rows.fold(node)
    for at, node in enumerate(order):
        assert list(onward(node, tops)) == [*order[at + 1 :], *order[:at]]
        assert list(backward(node, tops)) == [*order[:at][::-1], *order[at + 1 :][::-1]]
    places = [rows.place(node) for node in order]
    assert None not in places and sorted(places) == places  # type: ignore[type-var]
    assert rows.place(Heddle.from_text("elsewhere")) is None


def test_any_depth() -> None:
    root = node = Heddle.from_text("root")
    for _ in range(10_000):
        node = node.add_child(Heddle.from_text("x"))
    assert sum(1 for _ in onward(node, [root])) == sum(1 for _ in backward(root, [root])) == 10_000
