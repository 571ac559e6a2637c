"""Each contender does what was asked of it, no less; whose functions it runs with; and that nobody ends early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import pytest
from tiny import VOCABULARY, greedy, tiny_model, tiny_tokenizer

from n8loom_tui.bench.contenders import (
    EngineBranches,
    Floor,
    MlxLmBranches,
    OwnFloor,
    mlx_lm_refuses,
    read_by_mlx_lm,
    source,
)
from n8loom_tui.bench.measure import BenchError
from n8loom_tui.bench.prompts import EndlessTokenizer, Prompts, vocabulary
from n8loom_tui.loom import kernels
from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.protocol import SamplingParams, Stop

MODEL = tiny_model("llama")
TOKENIZER = tiny_tokenizer("plain")
PATH = Prompts(vocabulary(MODEL, TOKENIZER), 0).path("test", 12)
GREEDY = SamplingParams(temp=0, max_tokens=100)


class Hasty:
    """A tokenizer to which every token ends a text."""

    eos_token_ids = frozenset(range(VOCABULARY))

    def __getattr__(self, name: str) -> Any:
        return getattr(TOKENIZER, name)


def engine_branches(n: int, tokenizer: Any = None, params: SamplingParams = GREEDY) -> EngineBranches:
    engine = Engine(MODEL, tokenizer if tokenizer is not None else EndlessTokenizer(Hasty()))
    return EngineBranches(engine, [source(PATH, n)], params)


def mlx_lm_branches(n: int) -> MlxLmBranches:
    cache = Engine(MODEL, TOKENIZER).prefix_cache(PATH[:-1])
    return MlxLmBranches(MODEL, [(cache, PATH[-1])] * n, 100)


@pytest.mark.parametrize("make", [engine_branches, mlx_lm_branches])
@pytest.mark.parametrize("n", [1, 3, 9])
def test_every_branch_gets_a_token_at_every_step(make: Callable[[int], Any], n: int) -> None:
    branches = make(n)
    assert branches.start() > 0
    for steps in (1, 4):
        before = branches.generated
        times = branches.round(steps)
        assert len(times) == steps
        assert min(times) > 0
        assert branches.generated - before == n * steps
    wanted = greedy(MODEL, list(PATH), len(next(iter(branches.tokens.values()))))
    assert list(branches.tokens.values()) == [wanted] * n
    branches.close()


def test_the_engine_runs_a_request_to_its_end() -> None:
    branches = engine_branches(2, params=SamplingParams(max_tokens=5))
    assert branches.run() > 0
    assert [len(tokens) for tokens in branches.tokens.values()] == [5, 5]
    assert not branches.engine.busy


def test_mlx_lm_runs_to_its_end() -> None:
    cache = Engine(MODEL, TOKENIZER).prefix_cache(PATH[:-1])
    branches = MlxLmBranches(MODEL, [(cache, PATH[-1])] * 2, 5)
    branches.run()
    assert [len(tokens) for tokens in branches.tokens.values()] == [5, 5]
    branches.close()


def test_a_round_of_fewer_tokens_than_meant_is_not_counted() -> None:
    branches = engine_branches(2)
    branches.start()
    branches.engine.submit(Stop(frozenset(list(branches.tokens)[:1])))
    with pytest.raises(BenchError, match="not what was meant"):
        branches.round(2)


def test_branches_that_end_are_not_waited_for() -> None:
    branches = engine_branches(2, Hasty())
    with pytest.raises(BenchError, match="nothing to do"):
        branches.start()


def test_what_the_engine_says_of_a_failure_is_handed_on() -> None:
    branches = EngineBranches(Engine(MODEL, TOKENIZER), [source((), 1)], GREEDY)
    with pytest.raises(BenchError, match="the prompt is empty"):
        branches.start()


def has_replacements() -> bool:
    """Whether this program's replacements stand in the model's modules."""
    with kernels.uninstalled(MODEL) as put_back:
        return bool(put_back)


class Watched:
    """The model, and whether it ran with this program's replacements, call by call."""

    def __init__(self) -> None:
        self.replaced: list[bool] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(MODEL, name)

    def __call__(self, tokens: mx.array, cache: Any = None) -> mx.array:
        self.replaced.append(has_replacements())
        return MODEL(tokens, cache=cache)


def test_the_floor_runs_with_the_functions_that_mlx_ships() -> None:
    kernels.install(MODEL)
    model = Watched()
    assert len(Floor(model, Prompts(vocabulary(MODEL, TOKENIZER), 0), 4).round(3)) == 3
    assert model.replaced == [False] * 3
    assert has_replacements()


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_the_own_floor_runs_as_the_engine_does(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(tiny_model(architecture), TOKENIZER)
    kind = type(engine.serving.rows(engine.model, engine.layout))
    fed: list[list[int]] = []
    forward = kind.forward
    monkeypatch.setattr(kind, "forward", lambda rows, tokens: fed.append(tokens) or forward(rows, tokens))
    assert len(OwnFloor(engine, Prompts(vocabulary(engine.model, TOKENIZER), 0), 4).round(3)) == 3
    assert [len(tokens) for tokens in fed] == [4] * 4, "one that is not timed, then three"


def test_mlx_lm_runs_with_its_own_functions() -> None:
    cache = Engine(MODEL, TOKENIZER).prefix_cache(PATH[:-1])
    model = Watched()
    branches = MlxLmBranches(model, [(cache, PATH[-1])] * 2, 100)
    branches.start()
    branches.round(2)
    assert model.replaced
    assert not any(model.replaced)
    reader = Watched()
    read_by_mlx_lm(reader, PATH)
    assert reader.replaced
    assert not any(reader.replaced)
    assert has_replacements()


def test_the_vocabulary_is_what_exists_and_means_text() -> None:
    tokens = vocabulary(MODEL, TOKENIZER)
    assert tokens
    assert max(tokens) < VOCABULARY
    assert all(TOKENIZER.decode([token]) for token in tokens)
    assert not {TOKENIZER.convert_tokens_to_ids(name) for name in ("</s>",)} & set(tokens)


def test_prompts_are_the_same_for_the_same_seed_alone() -> None:
    tokens = vocabulary(MODEL, TOKENIZER)
    first = Prompts(tokens, 0).path("a", 50)
    assert first == Prompts(tokens, 0).path("a", 50)
    assert set(first) <= set(tokens)
    assert len({first, Prompts(tokens, 1).path("a", 50), Prompts(tokens, 0).path("b", 50)}) == 3
    assert Prompts(tokens, 0).path("a", 51)[:50] != first


def test_why_mlx_lm_does_not_serve_a_model_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(MODEL, TOKENIZER)
    assert mlx_lm_refuses(MODEL, engine, PATH) is None

    class Unbatched:
        state = ()

    monkeypatch.setattr(engine, "prefix_cache", lambda path: [Unbatched(), Unbatched()])
    assert "does not yet support batching" in (mlx_lm_refuses(MODEL, engine, PATH) or "")
