"""Prompts and texts get the probabilities that a run from scratch gives them, beside whatever else is going on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from support.architectures import build
from support.faults import break_last_layer
from tiny import build_model, greedy, scratch_logits, tiny_model, tiny_tokenizer

from n8loom_tui.loom import scoring as scoring_module
from n8loom_tui.loom import store as store_module
from n8loom_tui.loom.engine import Engine, engine_for
from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.loom.kernels import strand as strand_module
from n8loom_tui.loom.protocol import (
    BranchSpec,
    BranchToken,
    Encoded,
    Event,
    Framing,
    PrefillProgress,
    Ramify,
    RequestFailed,
    RequestFinished,
    RequestStarted,
    SamplingParams,
    Score,
    Scored,
    Segment,
    Source,
    Stop,
)
from n8loom_tui.loom.scoring import Scoring
from n8loom_tui.loom.strand import Row

MODEL = tiny_model("llama")
TOKENIZER = tiny_tokenizer("plain")
LONG = list(TOKENIZER.encode("the abc in the end, and once more ")) * 12


def logprobs_of(model: Any, path: list[int]) -> np.ndarray:
    """`[tokens, vocabulary]` from scratch; row i is what may stand behind token i."""
    logits = scratch_logits(model, path).astype(np.float64)
    best = logits.max(axis=1, keepdims=True)
    return np.asarray(logits - best - np.log(np.exp(logits - best).sum(axis=1, keepdims=True)))


def assert_scored(node: Heddle) -> None:
    """All that is known of a node's tokens is right, and all that can be known is."""
    path = node.get_prefix_tokens()
    start = len(path) - len(node.tokens)
    rows = logprobs_of(node.model, path)
    for index, (logprob, others, entropy) in enumerate(
        zip(node.logprobs, node.alternatives, node.entropies, strict=True)
    ):
        position = start + index
        if position == 0:
            assert math.isnan(logprob)
            assert math.isnan(entropy)
            assert others == ()
            continue
        row = rows[position - 1]
        assert logprob == pytest.approx(row[path[position]], abs=2e-3)
        assert entropy == pytest.approx(-(np.exp(row) * row).sum(), abs=2e-3)
        assert [other.logprob for other in others] == pytest.approx(np.sort(row)[::-1][:8], abs=3e-3)
        assert [other.logprob for other in others] == pytest.approx([row[o.token] for o in others], abs=3e-3)


def segments(*tokens: list[int]) -> tuple[Segment, ...]:
    return tuple(Segment(f"n{i}", tuple(part)) for i, part in enumerate(tokens))


def run(engine: Engine, request: Any) -> list[Event]:
    return [event for events in engine.run(request) for event in events]


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "mixtral", "cohere"])
def test_prompt_and_text_are_scored(architecture: str) -> None:
    root = Loom(tiny_model(architecture), TOKENIZER, "the abc in the end")
    text = root.add_text_child(" and 🌷 a text behind it")
    below = text.add_text_child("\n\nmore")
    assert text.score() is text
    assert_scored(text)
    assert root.odds is None
    assert below.odds is None
    below.score(whole_path=True)
    for node in (root, text, below):
        assert_scored(node)


@pytest.mark.parametrize("architecture", ["mamba", "gemma3_text", "recurrent_gemma", "llama4_text"])
def test_every_kind_of_layer_is_scored(architecture: str) -> None:
    """States, sliding windows, both together, and caches that are of no known kind."""
    root = Loom(build(architecture), TOKENIZER, "the abc in the end")
    kid = root.ramify(n=2, max_tokens=5, seed=1)[1]
    text = kid.add_text_child(" and a text that is longer than any window")
    assert_scored(text.score())
    below = text.add_text_child(" more")
    below.score(whole_path=True)
    for node in (root, kid, text, below):
        assert_scored(node)


def test_what_was_generated_is_scored_as_it_was_drawn() -> None:
    root = Loom(MODEL, TOKENIZER, "the abc")
    (kid,) = root.ramify(n=1, temp=1.5, min_p=0.0, max_tokens=12, seed=1)
    logprobs, others = kid.logprobs, kid.alternatives
    kid.score()
    assert kid.logprobs == pytest.approx(logprobs, abs=1e-3)
    assert [[o.token for o in row] for row in kid.alternatives] == [[o.token for o in row] for row in others]
    kid.score(top_logprobs=0)
    assert kid.alternatives == [()] * len(kid.tokens)
    assert kid.logprobs == pytest.approx(logprobs, abs=1e-3)


def test_chunks_and_tables_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring_module, "LARGEST_TABLE", 384 * 7)
    root = Loom(MODEL, TOKENIZER, "x")
    root.add_text_child("the end " * 20).add_text_child("in the abc" * 9).score(whole_path=True)
    for node in root.walk():
        assert_scored(node)


def test_nodes_far_apart_are_scored_and_what_lies_between_is_only_read() -> None:
    engine = Engine(MODEL, TOKENIZER)
    parts = [LONG[:50], LONG[50:51], LONG[51:120], [], LONG[120:130], LONG[130:200]]
    rows = logprobs_of(MODEL, LONG[:200])
    events = run(engine, Score("s", segments(*parts), frozenset({"n1", "n3", "n4"})))
    scored = {event.node_id: event for event in events if isinstance(event, Scored)}
    assert list(scored) == ["n1", "n3", "n4"]
    assert scored["n3"].logprobs == scored["n3"].tokens == ()
    for name, start, stop in (("n1", 50, 51), ("n4", 120, 130)):
        wanted = [rows[i - 1, LONG[i]] for i in range(start, stop)]
        assert scored[name].tokens == tuple(LONG[start:stop])
        assert list(scored[name].logprobs) == pytest.approx(wanted, abs=2e-3)
    assert engine.stats().prefilled == 129  # each token once, and none behind the last that is asked for
    assert isinstance(events[0], RequestStarted)
    assert events[-1] == RequestFinished("s")
    progress = [(e.done, e.total) for e in events if isinstance(e, PrefillProgress)]
    assert progress == sorted(progress)
    assert progress[-1] == (11, 11)


def test_fragments_are_used_and_kept() -> None:
    engine = Engine(MODEL, TOKENIZER)
    path = segments(LONG[:100], LONG[100:140])
    run(engine, Score("s", path, frozenset({"n0"})))
    assert engine.store.match_length(LONG[:140]) == 99
    run(engine, Score("s", path, frozenset({"n1"})))
    assert engine.stats().prefilled == 139
    run(engine, Score("s", path))
    assert engine.stats().prefilled == 139
    request = Ramify("r", (Source(path, (BranchSpec("b", 0),)),), SamplingParams(temp=0, max_tokens=1))
    run(engine, request)
    assert engine.stats().prefilled == 139
    assert engine.store.reserved == 0


def test_what_is_kept_of_a_scored_path_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that fits beside it is dropped for it."""
    for place in (scoring_module, store_module, strand_module):
        monkeypatch.setattr(place, "EDGE_TOKENS", 32)
    engine = Engine(MODEL, TOKENIZER)
    assert engine.network is not None
    other, path = [7] * 100, LONG[:300]
    engine.prefill(other)
    engine.store.budget = 420 * engine.store.per_token
    scoring = Scoring(engine, Score("score", segments(path)), path, [len(path)])
    while not scoring.done:
        scoring.step(64)
    scoring.close()
    assert engine.store.held(path[:-1], 0, 299).tokens == 299
    assert engine.store.held(other, 0, 100).tokens == 100
    assert engine.store.reserved == 0


def test_a_text_that_is_not_encoded_yet_is_encoded_first() -> None:
    engine = Engine(MODEL, TOKENIZER)
    path = (
        Segment("a", None, "the abc", Framing.RAW),
        Segment("b", None, " in the end", Framing.CONTINUATION),
    )
    events = run(engine, Score("s", path, frozenset({"b"})))
    encoded = {event.node_id: event.tokens for event in events if isinstance(event, Encoded)}
    (scored,) = [event for event in events if isinstance(event, Scored)]
    assert scored.tokens == encoded["b"]
    rows = logprobs_of(MODEL, [*encoded["a"], *encoded["b"]])
    start = len(encoded["a"])
    wanted = [rows[start + i - 1, token] for i, token in enumerate(encoded["b"])]
    assert list(scored.logprobs) == pytest.approx(wanted, abs=2e-3)


def test_branches_stream_on_while_a_long_path_is_scored() -> None:
    engine = Engine(MODEL, TOKENIZER)
    source = Source(segments(LONG[:20]), (BranchSpec("b", 0),))
    engine.submit(Ramify("r", (source,), SamplingParams(temp=0, max_tokens=40, min_p=0.0)))
    while not engine.running:
        engine.step()
    engine.submit(Score("s", segments(LONG)))
    scored = False
    while not scored:
        events = engine.step()
        scored = any(isinstance(event, Scored) for event in events)
        assert any(isinstance(event, BranchToken) for event in events) or not engine.running


def test_scoring_and_reading_take_turns() -> None:
    engine = Engine(MODEL, TOKENIZER)
    engine.submit(Score("s", segments(LONG)))
    source = Source(segments(LONG[::-1]), (BranchSpec("b", 0),))
    engine.submit(Ramify("r", (source,), SamplingParams(temp=0, max_tokens=2)))
    done: list[str] = []
    progress: dict[str, int] = {}
    while engine.busy:
        for event in engine.step():
            if isinstance(event, PrefillProgress):
                progress[event.request_id] = event.done
                if len(progress) == 2 and min(progress.values()) > 0:
                    done.append("both")
            if isinstance(event, RequestFinished):
                done.append(event.request_id)
    assert done[0] == "both"
    assert {"r", "s"} <= set(done)


@pytest.mark.parametrize("meant", [None, frozenset({"s"})])
def test_a_scoring_can_be_stopped(meant: frozenset[str] | None) -> None:
    engine = Engine(MODEL, TOKENIZER)
    engine.submit(Score("s", segments(LONG)))
    for _ in range(4):
        engine.step()
    engine.submit(Stop(meant))
    events = [event for _ in range(3) for event in engine.step()]
    assert [event for event in events if isinstance(event, RequestFinished)] == [RequestFinished("s")]
    assert not engine.busy
    assert engine.store.match_length(LONG) > 32
    assert engine.store.reserved == 0


def test_stopping_branches_leaves_a_scoring_alone() -> None:
    engine = Engine(MODEL, TOKENIZER)
    engine.submit(Score("s", segments(LONG)))
    engine.submit(Stop(frozenset({"b"})))
    assert any(isinstance(event, Scored) for _ in range(40) for event in engine.step())


def test_what_breaks_fails_that_request_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(MODEL, TOKENIZER)
    source = Source(segments(LONG[:20]), (BranchSpec("b", 0),))
    engine.submit(Ramify("r", (source,), SamplingParams(temp=0, max_tokens=30)))
    while not engine.running:
        engine.step()

    def broken(*_: object) -> None:
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(engine, "strand", broken)
    engine.submit(Score("s", segments(LONG)))
    events = [event for _ in range(40) for event in engine.step()]
    assert [event for event in events if isinstance(event, RequestFailed)] == [
        RequestFailed("s", "the device is gone")
    ]
    assert RequestFinished("r") in events
    assert not engine.busy
    monkeypatch.undo()
    assert any(isinstance(event, Scored) for event in run(engine, Score("s", segments(LONG))))


def test_logits_that_are_not_numbers_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(MODEL, TOKENIZER)
    nothing = np.full((8, 384), np.nan, dtype=np.float32)
    strand = engine.strand([Row(LONG[:9], 0, 8)])
    monkeypatch.setattr(type(strand), "logits", lambda *_: nothing)
    with pytest.raises(RuntimeError, match="logits that are not numbers"):
        run(engine, Score("s", segments(LONG[:9])))
    assert engine.store.match_length(LONG) == 0


def test_a_path_longer_than_the_model_reads_is_refused() -> None:
    engine = Engine(build_model("llama", max_position_embeddings=50), TOKENIZER)
    with pytest.raises(RuntimeError, match="the text is 51 tokens long and the model reads 50"):
        run(engine, Score("s", segments(LONG[:51])))
    assert any(isinstance(event, Scored) for event in run(engine, Score("s", segments(LONG[:50]))))


def test_a_path_without_tokens_is_scored_at_once() -> None:
    engine = Engine(MODEL, TOKENIZER)
    events = run(engine, Score("s", segments([], [])))
    assert [event.node_id for event in events if isinstance(event, Scored)] == ["n0", "n1"]
    (scored,) = [e for e in run(engine, Score("s", segments([7]))) if isinstance(e, Scored)]
    assert scored.tokens == (7,)
    assert math.isnan(scored.logprobs[0])


def test_an_edited_text_loses_its_score() -> None:
    root = Loom(MODEL, TOKENIZER, "the abc")
    kid = root.add_text_child(" in the end").score()
    kid.trim(2)
    assert_scored(kid)
    kid.text = " another"
    assert kid.odds is None
    assert engine_for(MODEL, TOKENIZER).busy is False


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="top_logprobs must be a whole number of at most 128"):
        Score("s", (), top_logprobs=500)


@pytest.mark.parametrize("architecture", ["mamba2", "recurrent_gemma"])
def test_what_breaks_halfway_through_the_layers_is_not_kept(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(build(architecture), TOKENIZER)
    engine.submit(Score("s", segments(LONG[:200], LONG[200:220]), frozenset({"n1"})))
    with monkeypatch.context() as patch:
        break_last_layer(engine.model, patch, 3, RuntimeError("out of memory"))
        events = [event for _ in range(9) for event in engine.step()]
    assert RequestFailed("s", "out of memory") in events
    assert engine.store.reserved == 0
    for stop in (engine.chunk, 2 * engine.chunk):
        source = Source(segments(LONG[: stop + 1]), (BranchSpec("b", 0),))
        told = run(engine, Ramify("r", (source,), SamplingParams(temp=0, max_tokens=3, min_p=0.0)))
        said = [event.token for event in told if isinstance(event, BranchToken)]
        assert said == greedy(engine.model, LONG[: stop + 1], 3)


def test_what_cannot_be_kept_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(MODEL, TOKENIZER)

    def full(*_: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(engine.store, "put", full)
    for stop in (False, True):
        engine.submit(Score("s", segments(LONG)))
        for _ in range(3):
            engine.step()
        if stop:
            engine.submit(Stop(None))
        events = [event for _ in range(20) for event in engine.step()]
        assert [event for event in events if isinstance(event, RequestFailed | RequestFinished)] == [
            RequestFailed("s", "no room")
        ]
        assert not engine.busy
