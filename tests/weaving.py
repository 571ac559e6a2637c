"""Weaving a tree at random, and checking it against runs from scratch."""

from __future__ import annotations

import random
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import make_prompt_cache
from tiny import scratch_logits

from n8loom_tui.loom.heddle import Heddle, Loom

TOLERANCE = 1e-3
TEXTS = ["the abc", " in 🌷 the end", "\n", "é", "?", "", "שלום the", "   "]


def assert_drawn_exactly(recorded: Any, model: Any, path: list[int], tokens: list[int], seed: int) -> None:
    """Each token of a branch was drawn from the logits of a fresh run."""
    wanted = scratch_logits(model, path + tokens)[len(path) - 1 :]
    for step in range(len(tokens)):
        np.testing.assert_allclose(recorded[seed, step], wanted[step], atol=TOLERANCE, rtol=0)


def assert_greedy(model: Any, path: list[int], tokens: list[int]) -> None:
    """Each token is the best of a fresh run (one that is as good as the best counts)."""
    wanted = scratch_logits(model, path + tokens)[len(path) - 1 : -1]
    assert len(wanted) == len(tokens)
    for token, logits in zip(tokens, wanted, strict=True):
        assert token == logits.argmax() or logits.max() - logits[token] < TOLERANCE


class Weaver:
    """Does random things to a tree, and checks each generation as it happens."""

    def __init__(self, root: Loom, recorded: Any, seed: int) -> None:
        self.root = root
        self.recorded = recorded
        self.random = random.Random(seed)
        self.removed: list[tuple[Heddle, Heddle]] = []

    def any_node(self) -> Heddle:
        return self.random.choice(list(self.root.walk()))

    def weave(self, steps: int) -> None:
        moves = (
            [self.grow] * 4 + [self.write] * 2 + [self.clip, self.trim, self.remove, self.put_back, self.leaf]
        )
        for _ in range(steps):
            self.random.choice(moves)()

    def grow(self) -> None:
        node = self.any_node()
        kids = node.ramify(
            n=self.random.choice([1, 2, 3, 5]),
            temp=self.random.choice([0, 0.7, 1.5]),
            max_tokens=self.random.choice([1, 2, 5, 9]),
            min_p=0.0,
            seed=self.random.getrandbits(48),
        )
        path = node.get_prefix_tokens()
        for kid in kids:
            seed = kid.provenance["seed"]
            assert_drawn_exactly(self.recorded, self.root.model, path, kid.tokens, seed)
            if kid.terminal:
                wanted = scratch_logits(self.root.model, path + kid.tokens)[-1]
                np.testing.assert_allclose(
                    self.recorded[seed, len(kid.tokens)], wanted, atol=TOLERANCE, rtol=0
                )

    def write(self) -> None:
        self.any_node().ramify(self.random.choice([self.random.choice(TEXTS), TEXTS[:2]]))

    def clip(self) -> None:
        node = self.any_node()
        least = 1 if node.parent is None else 0
        node.clip(self.random.randint(least, max(least, len(node.tokens))))

    def trim(self) -> None:
        node = self.any_node()
        if node.parent is not None or len(node.tokens) > 2:
            node.trim(1)

    def remove(self) -> None:
        node = self.any_node()
        if node.parent is not None:
            self.removed.append((node.parent, node))
            node.parent.remove_child(node)

    def put_back(self) -> None:
        if self.removed:
            parent, node = self.removed.pop()
            parent.add_child(node)

    def leaf(self) -> None:
        node = self.any_node()
        if node.parent is not None:
            node.to_leaf()


def assert_fragments_exact(node: Heddle) -> None:
    """`frag` and `get_prefix_cache` are what a fresh run leaves in its cache."""
    path = node.get_prefix_tokens()
    fresh = make_prompt_cache(node.model)
    node.model(mx.array([path]), cache=fresh)
    start = len(path) - len(node.tokens)
    for frag, whole, wanted in zip(node.frag, node.get_prefix_cache(), fresh, strict=True):
        assert frag.keys.shape[2] == frag.values.shape[2] == len(node.tokens)
        assert whole.offset == whole.keys.shape[2] == len(path)
        for got, part in ((frag.keys, wanted.keys), (frag.values, wanted.values)):
            np.testing.assert_allclose(got, part[:, :, start : len(path)], atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(whole.keys, wanted.keys[:, :, : len(path)], atol=TOLERANCE)
        np.testing.assert_allclose(whole.values, wanted.values[:, :, : len(path)], atol=TOLERANCE)


def assert_cache_continues(node: Heddle) -> None:
    """A model goes on from `get_prefix_cache` as from a fresh run, and the tree is none the worse for it."""
    path = node.get_prefix_tokens()
    cache = node.get_prefix_cache()
    for probe in ([65], [66, 67]):
        got = np.array(node.model(mx.array([probe]), cache=cache)[0])
        path = path + probe
        np.testing.assert_allclose(
            got, scratch_logits(node.model, path)[-len(probe) :], atol=TOLERANCE, rtol=0
        )
