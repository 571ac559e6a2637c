"""The budget holds at its peak, in a tree of many nodes and over many requests, and all stays exact."""

from __future__ import annotations

import gc
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import pytest
from support.architectures import build
from tiny import scratch_logits, tiny_tokenizer

from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.protocol import (
    BranchSpec,
    BranchToken,
    Event,
    Ramify,
    RequestFailed,
    SamplingParams,
    Segment,
    Source,
)
from n8loom_tui.loom.support import eos_tokens

NODES = 2000
GROWN = 8
"""Tokens that each node has."""
Path = tuple[tuple[int, ...], ...]
"""The tokens of each node, root first."""


def requested(name: str, paths: Sequence[Path], n: int, params: SamplingParams) -> Ramify:
    sources = [
        Source(
            tuple(Segment(f"{depth}", tokens) for depth, tokens in enumerate(path)),
            tuple(BranchSpec(f"{name}/{number}/{index}", number * n + index) for index in range(n)),
        )
        for number, path in enumerate(paths)
    ]
    return Ramify(name, tuple(sources), params)


class Watched:
    """An engine's steps, and the most that MLX and NumPy held meanwhile above what the model takes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        gc.collect()
        self._before = mx.get_active_memory()
        mx.reset_peak_memory()
        self.most = 0

    def serve(self, request: Ramify) -> dict[str, list[int]]:
        """What its branches say."""
        said: dict[str, list[int]] = {}
        self.engine.submit(request)
        while self.engine.busy:
            self._take(self.engine.step(), said)
            self._look()
        return said

    @staticmethod
    def _take(events: Sequence[Event], said: dict[str, list[int]]) -> None:
        for event in events:
            assert not isinstance(event, RequestFailed), event.message
            if isinstance(event, BranchToken):
                said.setdefault(event.branch_id, []).append(event.token)

    def _look(self) -> None:
        in_numpy = 0
        if self.engine.network is not None:
            in_numpy = self.engine.network.nbytes + self.engine.store.reserved
        held = mx.get_active_memory() - self._before + in_numpy
        self.most = max(self.most, held, mx.get_peak_memory() - self._before)


@pytest.mark.parametrize("own_code", [False, True], ids=["network", "shared"])
def test_a_large_tree_keeps_to_a_quarter_of_its_keys_and_values(
    own_code: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if own_code:
        monkeypatch.setattr("n8loom_tui.loom.trial.network_for", lambda model, layout: None)
    model, numbers = build("llama"), random.Random(3)
    root: Path = (tuple(numbers.randrange(200) for _ in range(20)),)
    engine = Engine(model, tiny_tokenizer("plain"))
    engine.prefill(root[0])
    budget = engine.store.budget = (len(root[0]) + NODES * GROWN) * engine.store.per_token // 4
    watched, nodes = Watched(engine), [root]
    params = SamplingParams(temp=1.5, min_p=0.0, max_tokens=GROWN)
    for turn in itertools.count():
        parents = numbers.sample(nodes, min(len(nodes), 25))
        said = watched.serve(requested(f"{turn}", parents, 8, params))
        nodes += [(*parents[int(name.split("/")[1])], tuple(tokens)) for name, tokens in said.items()]
        if len(nodes) >= NODES:
            break
    assert watched.most <= budget
    assert engine.stats().evictions > NODES // 4
    chosen = numbers.sample(nodes, 100)
    said = watched.serve(requested("on", chosen, 1, SamplingParams(temp=0, max_tokens=2)))
    assert watched.most <= budget
    for number, path in enumerate(chosen[:40]):
        assert_greedy(model, list(itertools.chain.from_iterable(path)), said.get(f"on/{number}/0", []))


def assert_greedy(model: Any, path: list[int], tokens: list[int]) -> None:
    """Each token is as good as the best of a run from scratch; where there is none, the best ends the text."""
    wanted = scratch_logits(model, path + tokens)[len(path) - 1 :]
    if not tokens:
        assert wanted[0].argmax() in eos_tokens(tiny_tokenizer("plain"))
    for logits, token in zip(wanted, tokens, strict=False):
        assert logits.max() - logits[token] < 1e-3


@pytest.mark.parametrize("architecture", ["llama", "mamba", "llama4"])
def test_many_requests_leave_memory_flat(architecture: str) -> None:
    engine, numbers = Engine(build(architecture), tiny_tokenizer("plain")), random.Random(5)
    watched = Watched(engine)

    def some(turn: int) -> None:
        for index in range(25):
            path = (tuple(numbers.randrange(200) for _ in range(numbers.randrange(2, 9))),)
            watched.serve(requested(f"{turn}-{index}", [path], 2, SamplingParams(temp=1.0, max_tokens=3)))

    def counted(turn: int) -> tuple[int, int, Counter[str]]:
        some(turn)
        gc.collect()
        kinds = Counter(type(each).__name__ for each in gc.get_objects())
        return mx.get_active_memory(), engine.store.nbytes, kinds

    some(0)
    engine.store.budget = engine.store.nbytes // 2
    counts = [counted(turn) for turn in range(1, 5)]
    (active, held, kinds), (active_then, held_then, kinds_then) = counts[1], counts[3]
    assert held_then <= engine.store.budget
    assert abs(held_then - held) < engine.store.budget // 2
    assert active_then - active < engine.store.budget
    ours = ("Job", "Branch", "Row", "Level", "Piece", "Pin", "Waiting", "Prefill", "Strand", "NetworkStrand")
    assert {kind: kinds_then[kind] for kind in ours if kinds_then[kind] > kinds[kind] + 2} == {}
