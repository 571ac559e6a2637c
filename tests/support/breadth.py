"""One small tree on which a model shows whether it is exact, whatever is done to the tree."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import make_prompt_cache
from tiny import tiny_tokenizer

from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.protocol import BranchSpec, BranchToken, Ramify, SamplingParams, Segment, Source

TOLERANCE = 1e-3
ROOT = list(range(70, 83))
"""Longer than a window of the tiny architectures, as are most spans of the tree together."""

Path = tuple[tuple[int, ...], ...]
"""The tokens of each node, root first."""


@dataclass
class Breadth:
    """A model's engine, and what one pass over each path gives in the model's own caches.

    `recorded` are the logits that each token was drawn from, by the branch's seed and step.
    """

    model: Any
    recorded: dict[tuple[int, int], np.ndarray]
    engine: Engine = field(init=False)
    checked: int = 0
    _seeds: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.engine = Engine(self.model, tiny_tokenizer("plain"))

    def one_pass(self, tokens: list[int]) -> np.ndarray:
        """The logits behind each token."""
        logits = self.model(mx.array([tokens]), cache=make_prompt_cache(self.model))[0]
        return np.array(logits.astype(mx.float32))

    def grow(self, *paths: Path, n: int = 1, temp: float = 0.0, count: int = 4) -> list[list[int]]:
        """Grow all paths in one request, and check every token. Returns what each branch drew."""
        sources, meant = [], {}
        for path in paths:
            specs = []
            for seed in itertools.islice(self._seeds, n):
                specs.append(BranchSpec(f"b{seed}", seed))
                meant[f"b{seed}"] = (seed, list(itertools.chain.from_iterable(path)))
            segments = tuple(Segment(f"s{i}", tokens) for i, tokens in enumerate(path))
            sources.append(Source(segments, tuple(specs)))
        params = SamplingParams(temp=temp, min_p=0.0, max_tokens=count)
        said: dict[str, list[int]] = {name: [] for name in meant}
        for event in itertools.chain.from_iterable(self.engine.run(Ramify("r", tuple(sources), params))):
            if isinstance(event, BranchToken):
                said[event.branch_id].append(event.token)
        for name, tokens in said.items():
            self._check(*meant[name], tokens, greedy=temp == 0)
        return list(said.values())

    def _check(self, seed: int, path: list[int], tokens: list[int], greedy: bool) -> None:
        wanted = self.one_pass(path + tokens)[len(path) - 1 :]
        for step, logits in enumerate(wanted):
            if step == len(tokens) and (seed, step) not in self.recorded:
                break  # it was as long as it might be; else it drew what ends a text
            np.testing.assert_allclose(self.recorded[seed, step], logits, atol=TOLERANCE, rtol=0)
            assert not greedy or step == len(tokens) or logits.max() - logits[tokens[step]] < TOLERANCE
            self.checked += 1


def weave(tree: Breadth) -> None:
    """Ramify, cut, write and evict, and go on from everywhere."""
    root = (tuple(ROOT),)
    drawn = [kid for kid in tree.grow(root, n=4, temp=1.0, count=6) if len(kid) > 1]
    kids = [(*root, tuple(kid)) for kid in drawn]
    assert kids, "all branches ended at once"
    clipped = (*root, tuple(drawn[0][:2]))
    trimmed = (*root, tuple(drawn[-1][:-1]))
    written = [(*root, tuple(range(90, 90 + length))) for length in (1, 4, 11)]
    below = [(*kid, (100, 101, 102)[: 1 + index]) for index, kid in enumerate(kids)]
    shorter = (root[0][:-3],)
    cut = (root[0][:9], (*root[0][9:], *drawn[0][:3]), tuple(drawn[0][3:]) or (7,))
    tree.grow(*kids, clipped, trimmed, *written, *below, shorter, cut, root)
    tree.grow(clipped, n=2, temp=1.0)
    _evict(tree)
    tree.grow(*below[:2], written[2], n=2)
    assert tree.engine.stats().recomputed > 0


def _evict(tree: Breadth) -> None:
    """Drop everything, as a budget does that is used elsewhere, and take it back."""
    store = tree.engine.store
    budget, store.budget = store.budget, 0
    store.get([0], 0, 1)  # what was used last may go too
    store.make_room(0)
    store.budget = budget
    assert store.nbytes == 0
