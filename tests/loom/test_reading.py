"""Fragments and caches of any path: only of the model's own tokens, and nothing is left behind by a failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.faults import intercept
from tiny import build_model, tiny_tokenizer

from n8loom_tui.loom.engine import Engine, engine_for
from n8loom_tui.loom.fragments import KVFrag
from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.loom.jobs import Waiting
from n8loom_tui.loom.protocol import (
    BranchSpec,
    Ramify,
    RequestFinished,
    SamplingParams,
    Segment,
    Source,
    Stop,
)

TOKENIZER = tiny_tokenizer("plain")
PATH = list(TOKENIZER.encode("the abc in the end"))
FOREIGN = [384, 500_000, -1]

READS: dict[str, Callable[[Engine, list[int]], Any]] = {
    "fragments": lambda engine, path: engine.fragments(path[:-1], path[-1:]),
    "prefix_cache": lambda engine, path: engine.prefix_cache(path),
    "prefill": lambda engine, path: engine.prefill(path),
    "adopt below": lambda engine, path: engine.adopt(path, [1], engine.fragments([], [1])),
}


@pytest.mark.parametrize("token", FOREIGN)
@pytest.mark.parametrize("read", READS)
def test_token_ids_that_the_model_does_not_have_are_not_read(read: str, token: int) -> None:
    engine = Engine(build_model("llama"), TOKENIZER)
    with pytest.raises(ValueError, match="not this model's"):
        READS[read](engine, [*PATH, token])
    assert engine.store.match_length([*PATH, token]) <= len(PATH)
    assert engine.store.reserved == 0


def test_a_node_has_no_fragments_of_token_ids_that_the_model_does_not_have() -> None:
    root = Loom(build_model("llama"), TOKENIZER, "the abc")
    frags: list[KVFrag] = root.ramify(n=1, max_tokens=3, seed=1)[0].frag
    for token in (384, 500_000):
        kid = Heddle(root.model, TOKENIZER, [token, 5, 6], None, None, root)
        with pytest.raises(ValueError, match="not this model's"):
            kid.frag  # noqa: B018 - reading it computes it
        with pytest.raises(ValueError, match="not this model's"):
            kid.get_prefix_cache()
        with pytest.raises(ValueError, match="not this model's"):
            kid.frag = frags
    assert engine_for(root.model, TOKENIZER).store.reserved == 0


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_a_reading_that_breaks_leaves_nothing_behind(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(build_model("llama"), TOKENIZER)
    path = PATH * 40
    calls = iter(range(9))

    def before(tokens: list[int]) -> None:
        if len(tokens) > 1 and next(calls) == 1:
            raise error

    with monkeypatch.context() as patch:
        intercept(patch, engine.model, before)
        with pytest.raises(error):
            engine.prefix_cache(path)
    assert engine.store.reserved == 0
    assert not engine.store.pins
    engine.prefill(path)
    assert engine.store.match_length(path) == len(path)


def test_a_path_that_does_not_fit_keeps_none_waiting_that_does() -> None:
    engine = Engine(build_model("llama"), TOKENIZER)
    engine.prefill(PATH)
    per_token = engine.store.per_token
    engine.store.budget = engine.store.nbytes + engine.store.headroom + 2 * 2 * 40 * per_token
    long, short = [1] * 400, [2] * 12
    wanted = [Waiting(path, (len(path),)) for path in (long, short)]
    assert [each.path for each in engine.fitting(wanted)] == [short]
    wanted = [Waiting(path, (len(path),)) for path in (long, [3] * 300)]
    assert [each.path for each in engine.fitting(wanted)] == [[3] * 300], "one always: what needs least"


def test_what_stands_for_an_unknown_token_is_never_fed() -> None:
    engine = Engine(build_model("llama"), TOKENIZER)
    engine.vocabulary, engine.borrowed = None, 2
    segments = (Segment("a", (-1, -2, *PATH)),)
    request = Ramify("r", (Source(segments, (BranchSpec("b", 1),)),), SamplingParams(max_tokens=2))
    with pytest.raises(RuntimeError, match="not this model's"):
        list(engine.run(request))
    assert engine.store.nbytes == 0


def test_a_request_that_is_stopped_ends_though_what_it_read_cannot_be_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine(build_model("llama"), TOKENIZER)
    source = Source((Segment("a", tuple(PATH * 40)),), (BranchSpec("b", 1),))
    engine.submit(Ramify("r", (source,), SamplingParams(max_tokens=2)))
    engine.step()
    assert engine.reading

    def full(*_args: Any, **_options: Any) -> None:
        raise MemoryError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(engine.store, "put", full)
        engine.submit(Stop())
    told = engine.step()
    assert RequestFinished("r") in told and not engine.busy
    assert engine.store.reserved == 0 and not engine.store.pins
    engine.prefill(PATH)
    assert engine.store.match_length(PATH) == len(PATH)
