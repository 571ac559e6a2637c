"""Contract point 2: with an explicit seed a branch says the same, whatever runs beside it."""

from __future__ import annotations

import random

import numpy as np
import pytest
from tiny import scratch_logits, tiny_model, tiny_tokenizer

from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.heddle import Loom
from n8loom_tui.loom.protocol import BranchSpec, BranchToken, Ramify, SamplingParams, Segment, Source
from n8loom_tui.loom.sampling import _noise
from n8loom_tui.loom.seeds import branch_seed

CLOSE = 1e-4


def assert_same_or_close(
    path: list[int], a: list[int], b: list[int], *, seed: int, params: SamplingParams, model: object
) -> None:
    """Equal; or, where they part, the two candidates' perturbed scores lay within 1e-4."""
    for step, (one, other) in enumerate(zip(a, b, strict=False)):
        if one == other:
            continue
        logits = scratch_logits(model, path + a[:step])[-1]
        pair = np.array([one, other])
        scores = logits[pair].astype(np.float64)
        if params.temp > 0:
            scores = scores / params.temp + _noise(seed, step, pair)
        assert abs(scores[0] - scores[1]) < CLOSE, f"parted at step {step}: {scores}"
        return
    assert len(a) == len(b)


SETTINGS = [
    {"temp": 0.0},
    {"temp": 0.8, "min_p": 0.05},
    {"temp": 1.5, "min_p": 0.0},
    {"temp": 1.0, "top_p": 0.9, "min_p": 0.0},
    {"temp": 1.0, "top_k": 20, "min_p": 0.0, "repetition_penalty": 1.3},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("architecture", ["llama", "mixtral", "gpt_neox"])
def test_one_branch_alone_and_with_31_beside_it(architecture: str, settings: dict[str, float]) -> None:
    model = tiny_model(architecture)
    root = Loom(model, tiny_tokenizer("bos"), "the abc in the end of it")
    for seed in (1, 2**40 + 3):
        params = SamplingParams(max_tokens=24, seed=seed, **settings)
        options = {"max_tokens": 24, "seed": seed, **settings}
        (alone,) = root.ramify(n=1, **options)
        crowd = root.ramify(n=32, **options)
        assert_same_or_close(
            root.tokens,
            alone.tokens,
            crowd[0].tokens,
            seed=alone.provenance["seed"],
            params=params,
            model=model,
        )
        again = root.ramify(n=8, **options)
        for first, second in zip(crowd, again, strict=False):
            assert first.provenance["seed"] == second.provenance["seed"]
            assert_same_or_close(
                root.tokens,
                first.tokens,
                second.tokens,
                seed=first.provenance["seed"],
                params=params,
                model=model,
            )


def test_strangers_in_the_batch_change_nothing() -> None:
    """The same branch beside branches of other requests, of other lengths, that join before and after it."""
    model = tiny_model("llama")
    numbers = random.Random(1)
    path = [numbers.randrange(256) for _ in range(30)]
    params = SamplingParams(temp=1.0, min_p=0.0, max_tokens=30)

    def request(name: str, tokens: list[int], count: int) -> Ramify:
        branches = tuple(BranchSpec(f"{name}{i}", branch_seed(9, i)) for i in range(count))
        return Ramify(name, (Source((Segment("s", tuple(tokens)),), branches),), params)

    def spoken(crowd: list[tuple[int, Ramify]]) -> list[int]:
        engine = Engine(model, tiny_tokenizer("plain"))
        said: list[int] = []
        step = 0
        while crowd or engine.busy:
            for at, other in list(crowd):
                if at <= step:
                    engine.submit(other)
                    crowd.remove((at, other))
            said += [e.token for e in engine.step() if isinstance(e, BranchToken) and e.branch_id == "me0"]
            step += 1
        return said

    me = request("me", path, 1)
    alone = spoken([(0, me)])
    others = [request(f"o{i}-", [numbers.randrange(256) for _ in range(5 + 40 * i)], 6) for i in range(3)]
    beside = spoken([(0, others[0]), (4, me), (6, others[1]), (12, others[2])])
    assert_same_or_close(path, alone, beside, seed=branch_seed(9, 0), params=params, model=model)


def test_branches_of_one_request_differ() -> None:
    root = Loom(tiny_model("llama"), tiny_tokenizer("plain"), "the abc")
    kids = root.ramify(n=8, temp=1.0, min_p=0.0, max_tokens=8, seed=4)
    assert len({tuple(kid.tokens) for kid in kids}) == 8


def test_without_a_seed_two_runs_differ_and_can_be_repeated() -> None:
    root = Loom(tiny_model("llama"), tiny_tokenizer("plain"), "the abc")
    first, second = (root.ramify(n=1, temp=1.0, min_p=0.0, max_tokens=12)[0] for _ in range(2))
    assert first.tokens != second.tokens
    engine = Engine(root.model, root.tokenizer)
    source = Source((root.segment(),), (BranchSpec("again", first.provenance["seed"]),))
    request = Ramify("r", (source,), SamplingParams(temp=1.0, min_p=0.0, max_tokens=12))
    again = [e.token for events in engine.run(request) for e in events if isinstance(e, BranchToken)]
    assert again == first.tokens
