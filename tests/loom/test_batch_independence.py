"""Contract point 2: with an explicit seed a branch says the same, whatever runs beside it."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from support.architectures import build
from tiny import scratch_logits, tiny_model, tiny_tokenizer

from n8loom_tui.loom import trial as trial_module
from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.heddle import Loom
from n8loom_tui.loom.noise import counters, gumbel
from n8loom_tui.loom.protocol import BranchSpec, BranchToken, Ramify, SamplingParams, Segment, Source
from n8loom_tui.loom.seeds import branch_seed
from n8loom_tui.loom.trial import Mode

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
            scores = scores / params.temp + gumbel(counters([seed], [step]), pair)
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


WAYS = [
    ("llama", Mode.NETWORK),
    ("llama", Mode.SHARED),
    ("mamba", Mode.WHOLE),
    ("deepseek_v3", Mode.WHOLE),
    ("gpt_bigcode", Mode.SINGLE),
    ("llama4", Mode.SINGLE),
]


@pytest.mark.parametrize(("architecture", "mode"), WAYS, ids=str)
def test_a_branch_among_31_that_come_and_go(
    architecture: str, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every way of serving: of other parents, some above, some beside, joining and ending at other steps."""
    if mode is not Mode.NETWORK:
        monkeypatch.setattr(trial_module, "network_for", lambda model, layout: None)
    model, numbers = build(architecture), random.Random(7)
    trunk = [numbers.randrange(200) for _ in range(20)]
    paths = [
        trunk[:9],
        trunk,
        *([*trunk, *(numbers.randrange(200) for _ in range(4 + 9 * i))] for i in range(6)),
    ]
    params = SamplingParams(temp=1.0, min_p=0.0, max_tokens=14)
    first, last = (Ramify(name, (source_of(name, paths[3], 1),), params) for name in ("early", "late"))

    def serve(requests: dict[int, Ramify]) -> dict[str, list[int]]:
        engine = Engine(model, tiny_tokenizer("plain"))
        assert engine.serving.mode is mode
        for path in paths if len(requests) > 1 else ():
            engine.prefill(path[:-1])
        said: dict[str, list[int]] = {}
        most = step = 0
        while engine.busy or step <= max(requests):
            if step in requests:
                engine.submit(requests[step])
            for event in engine.step():
                if isinstance(event, BranchToken):
                    said.setdefault(event.branch_id, []).append(event.token)
            step, most = step + 1, max(most, engine.running)
        assert most > 20 or len(requests) == 1  # some draw what ends a text
        return said

    crowd = {
        2 * i: Ramify(
            f"c{i}",
            tuple(source_of(f"c{i}-{j}-", path, 2) for j, path in enumerate(paths[i % 2 :: 2])),
            replace(params, max_tokens=numbers.randrange(30, 40)),
        )
        for i in range(3)
    }
    short = Ramify("s", (source_of("s", trunk, 6),), replace(params, max_tokens=9))
    beside = serve({1: first, **crowd, 7: short, 9: last})
    for request in (first, last):
        alone = serve({0: request})
        (branch,) = alone
        assert_same_or_close(
            paths[3], alone[branch], beside[branch], seed=branch_seed(9, 0), params=params, model=model
        )


def source_of(name: str, path: list[int], count: int) -> Source:
    return Source(
        (Segment("s", tuple(path)),), tuple(BranchSpec(f"{name}{i}", branch_seed(9, i)) for i in range(count))
    )


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
