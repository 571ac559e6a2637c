"""Edits of many nodes at once: what is nested is taken once, places among siblings stay right, any depth."""

from __future__ import annotations

import random

import pytest

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.session import history_sets as sets
from n8loom_tui.session.change import Change
from n8loom_tui.session.history import History
from n8loom_tui.session.history_edits import EditError
from n8loom_tui.session.history_trees import Trees


def tree(draw: random.Random, size: int) -> Loom:
    root = Loom(None, None, "root", chat=False)
    nodes: list[Heddle] = [root]
    for number in range(size):
        node = Heddle.from_span([1, 2], f" {number % 5}!", [2, 3])
        node.created = float(draw.randrange(9))
        nodes.append(draw.choice(nodes[-6:]).add_child(node))
    return root


def shape(trees: Trees) -> list[tuple[str | None, str]]:
    return [(n.parent.id if n.parent else None, n.id) for root in trees.roots for n in root.walk()]


@pytest.mark.parametrize("seed", range(20))
def test_taking_any_nodes_leaves_the_rest_as_it_was_and_can_be_undone(seed: int) -> None:
    draw = random.Random(seed)
    trees = Trees([tree(draw, 60), tree(draw, 5)])
    history = History(trees)
    before = shape(trees)
    chosen = {node.id for node in draw.sample(list(trees.nodes.values()), 12)}
    gone = {below.id for name in chosen for below in trees.nodes[name].walk()}
    tops = sets.topmost(trees.roots, chosen)
    assert len({node.id for node in tops}) == len(tops)
    history.perform("delete", sets.delete(trees, tops), Change())
    assert shape(trees) == [row for row in before if row[1] not in gone]
    history.undo(Change())
    assert shape(trees) == before


def test_sorting_and_thinning_a_chain_of_any_depth_does_not_recurse() -> None:
    root = Loom(None, None, "root", chat=False)
    node: Heddle = root
    for depth in range(10_000):
        for created in (2.0, 1.0):
            other = node.add_child(Heddle.from_span([1], " x", [2]))
            other.created = created + depth
        node = node.children[0]
    trees = Trees([root])
    history = History(trees)
    history.perform("sort", sets.sort_below(root, sets.age), Change())
    assert [child.created for child in root.children] == [1.0, 2.0]
    with pytest.raises(EditError):
        sets.sort_below(root, sets.age)
    thin = sets.duplicates(root, growing=())
    assert len(thin) == 10_000
    history.perform("thin", sets.delete(trees, thin), Change())
    assert len(trees.nodes) == 10_001
    history.undo(Change())
    history.undo(Change())
    assert len(trees.nodes) == 20_001


def test_the_most_probable_come_first_and_unknown_ones_last() -> None:
    def node(*logprobs: float) -> Heddle:
        made = Heddle.from_span([], "", [])
        for value in logprobs:
            made.append_token(1, "x", value)
        return made

    root = Loom(None, None, "root", chat=False)
    for child in (node(), node(-5.0), node(-1.0, -2.0), node(-0.5, float("nan"))):
        root.add_child(child)
    first, second, third, fourth = root.children
    assert sorted(root.children, key=sets.improbability) == [fourth, third, second, first]


def test_of_the_same_ones_the_oldest_stays_unless_others_matter() -> None:
    root = Loom(None, None, "root", chat=False)
    for text, created in ((" a", 3.0), (" a", 1.0), (" a", 2.0), (" b", 1.0), (" a", 0.0)):
        root.add_child(Heddle.from_span([1], text, [2])).created = created
    first, second, third, _, ended = root.children
    ended.terminal = True
    assert sets.duplicates(root, growing=()) == [first, third]
    assert sets.duplicates(root, growing={second.id}) == [first]
    third.add_child(Heddle.from_span([1], " c", [2]))
    assert sets.duplicates(root, growing=()) == [first, second]
