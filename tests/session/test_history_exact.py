"""Splits, merges, cuts and their undoing leave every node with the fragments of a run from scratch."""

from __future__ import annotations

import random

from tiny import build_model, tiny_tokenizer
from weaving import assert_cache_continues, assert_fragments_exact

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.session import history_edits as edits
from n8loom_tui.session.change import Change
from n8loom_tui.session.history import History
from n8loom_tui.session.history_edits import EditError
from n8loom_tui.session.history_trees import Trees


def paths(root: Heddle) -> list[list[int]]:
    return [leaf.get_prefix_tokens() for leaf in root.get_all_leaves()]


def test_any_node_goes_on_exactly_after_any_edits_and_their_undoing() -> None:
    draw = random.Random(1)
    root = Loom(build_model("llama"), tiny_tokenizer("plain"), "the abc 🌷")
    for child in root.ramify(n=2, max_tokens=6, temp=1.0, min_p=0.0, seed=1):
        child.ramify(n=2, max_tokens=5, temp=1.0, min_p=0.0, seed=2)
    trees = Trees([root])
    history = History(trees)
    before = paths(root)
    for _ in range(60):
        node = draw.choice([node for node in root.walk() if node is not root])
        try:
            match draw.randrange(7):
                case 0 | 1 | 2 | 3:
                    history.perform("split", edits.split(trees, node, draw.randint(1, 4)), Change())
                case 4 | 5:
                    history.perform("merge", edits.merge(trees, node), Change())
                case 6:
                    history.undo(Change())
        except EditError:
            continue
        assert paths(root) == before, "where a path is cut makes no difference to its tokens"
    assert root.count_children() > 9
    for node in draw.sample(list(root.walk()), 6):
        assert_fragments_exact(node)
        assert_cache_continues(node)
    leaf = max(root.get_all_leaves(), key=lambda node: len(node.tokens))
    history.perform("clip", edits.clip(trees, leaf, 1), Change())
    assert_fragments_exact(leaf)
    while history.undo(Change()) is not None:
        pass
    assert paths(root) == before
    assert root.count_children() == 7
    for node in root.walk():
        assert_fragments_exact(node)
