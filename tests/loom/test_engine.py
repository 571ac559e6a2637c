"""The engine's promises to whoever drives it: which events come, in what order, and what survives what."""

from __future__ import annotations

import gc
import random
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from support.architectures import build
from support.faults import Breaking, break_last_layer, intercept
from support.said import say
from tiny import build_model, greedy, tiny_model, tiny_tokenizer

from n8loom_tui.loom import jobs as jobs_module
from n8loom_tui.loom.batch import Batch
from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.loom.jobs import Job
from n8loom_tui.loom.protocol import (
    BranchFinished,
    BranchSpec,
    BranchToken,
    Encode,
    Encoded,
    Event,
    Finish,
    Framing,
    GivenToken,
    PrefillProgress,
    Ramify,
    RequestFailed,
    RequestFinished,
    RequestStarted,
    SamplingParams,
    Score,
    Segment,
    Source,
    Spell,
    Spelled,
    Stop,
)
from n8loom_tui.loom.scoring import Scoring

TOKENIZER = tiny_tokenizer("plain")
PATH = list(TOKENIZER.encode("the abc in the end"))


def ramify(name: str, n: int = 2, *, path: list[int] | None = None, **params: Any) -> Ramify:
    branches = tuple(BranchSpec(f"{name}{index}", index) for index in range(n))
    settings = {"temp": 0, "max_tokens": 5, **params}
    return Ramify(
        name,
        (Source((Segment("s", tuple(PATH if path is None else path)),), branches),),
        SamplingParams(**settings),
    )


def drive(engine: Engine, *, at: dict[int, Callable[[], None]] | None = None) -> list[Event]:
    """Step to the end, doing what `at` says before a step."""
    events: list[Event] = []
    step = 0
    while engine.busy or step <= max(at or {0: 0}):
        if at and step in at:
            at[step]()
        events += engine.step()
        step += 1
        assert step < 500
    return events


def said(events: list[Event], branch: str) -> list[int]:
    return [e.token for e in events if isinstance(e, BranchToken) and e.branch_id == branch]


def reasons(events: list[Event]) -> dict[str, str]:
    return {e.branch_id: e.reason for e in events if isinstance(e, BranchFinished)}


def assert_complete(events: list[Event], *requests: Ramify) -> None:
    """Each request starts and finishes once, each branch finishes once, and nothing comes before or after."""
    for request in requests:
        branches = [spec.id for source in request.sources for spec in source.branches]
        counts = Counter(e.branch_id for e in events if isinstance(e, BranchFinished))
        assert all(counts[branch] == 1 for branch in branches)
        mine = [
            e
            for e in events
            if getattr(e, "request_id", None) == request.id or getattr(e, "branch_id", None) in branches
        ]
        ends = [e for e in mine if isinstance(e, RequestFinished | RequestFailed)]
        assert len(ends) == 1
        assert mine[-1] is ends[0]
        for branch in branches:
            own = [e for e in mine if getattr(e, "branch_id", None) == branch]
            assert isinstance(own[-1], BranchFinished)
        starts = [e for e in mine if isinstance(e, RequestStarted)]
        assert len(starts) <= 1
        if any(isinstance(e, BranchToken) for e in mine):
            assert mine[0] is starts[0]


@pytest.fixture
def engine() -> Engine:
    return Engine(tiny_model("llama"), TOKENIZER)


def test_a_request_is_told_from_start_to_finish(engine: Engine) -> None:
    request = ramify("r", 3)
    engine.submit(request)
    events = drive(engine)
    assert_complete(events, request)
    assert isinstance(events[0], RequestStarted)
    progress = [e for e in events if isinstance(e, PrefillProgress)]
    assert progress[-1].done == progress[-1].total == len(PATH) - 1
    assert [e.done for e in progress] == sorted(e.done for e in progress)
    wanted = greedy(engine.model, PATH, 5)
    for branch in ("r0", "r1", "r2"):
        assert said(events, branch) == wanted
    assert set(reasons(events).values()) == {Finish.LENGTH}
    stats = engine.stats()
    assert (stats.running, stats.queued, stats.tokens, stats.prefilled) == (0, 0, 15, len(PATH) - 1)
    assert stats.kv_bytes > 0


def test_what_is_known_is_not_read_again(engine: Engine) -> None:
    engine.submit(ramify("a"))
    drive(engine)
    engine.submit(ramify("b", path=PATH + greedy(engine.model, PATH, 4)))
    events = drive(engine)
    assert not [e for e in events if isinstance(e, PrefillProgress)]
    assert engine.stats().prefilled == len(PATH) - 1
    assert engine.stats().reused == len(PATH) + 3


def test_a_long_path_is_read_in_chunks_while_others_stream(engine: Engine) -> None:
    engine.submit(ramify("short", max_tokens=60))
    for _ in range(4):
        engine.step()
    engine.submit(ramify("long", path=PATH * 20))
    events = []
    while not any(isinstance(e, BranchToken) and e.branch_id == "long0" for e in events):
        step = engine.step()
        assert any(isinstance(e, BranchToken) and e.branch_id == "short0" for e in step)
        events += step
    progress = [e.done for e in events if isinstance(e, PrefillProgress)]
    assert len(progress) > 2
    assert progress == sorted(progress)


def test_more_branches_than_rows_wait_their_turn() -> None:
    engine = Engine(tiny_model("llama"), TOKENIZER, max_rows=3)
    first, second = ramify("a", 7), ramify("b", 2)
    engine.submit(first)
    engine.submit(second)
    events: list[Event] = []
    while engine.busy:
        events += engine.step()
        assert engine.stats().running <= 3
    assert_complete(events, first, second)
    wanted = greedy(engine.model, PATH, 5)
    assert all(said(events, f"a{index}") == wanted for index in range(7))
    assert said(events, "b1") == wanted


def test_queued_is_what_waits(engine: Engine) -> None:
    engine.submit(ramify("a", 3))
    engine.submit(ramify("b", 4))
    assert engine.stats().queued == 7
    engine.submit(Stop(frozenset({"b1"})))
    assert engine.stats().queued == 6


def test_stopping_running_branches_keeps_what_they_said(engine: Engine) -> None:
    request = ramify("r", 3, max_tokens=50)
    stopped: list[Event] = []

    def stop() -> None:
        engine.submit(Stop(frozenset({"r1"})))
        assert engine.stats().running == 2

    engine.submit(request)
    events = drive(engine, at={8: stop}) + stopped
    assert_complete(events, request)
    wanted = greedy(engine.model, PATH, 50)
    assert reasons(events)["r1"] == Finish.CANCELLED
    assert 0 < len(said(events, "r1")) < 50
    assert said(events, "r1") == wanted[: len(said(events, "r1"))]
    assert said(events, "r0") == said(events, "r2") == wanted


@pytest.mark.parametrize("step", [0, 1, 2, 3, 9])
def test_stop_takes_effect_at_once(engine: Engine, step: int) -> None:
    """Queued, being read, or running: the next step says that it ended, and no token comes after."""
    first, second = ramify("a", 2, max_tokens=90, path=PATH * 12), ramify("b", 2)
    engine.submit(first)
    engine.submit(second)
    events = [event for _ in range(step) for event in engine.step()]
    engine.submit(Stop(None))
    assert engine.stats().running == engine.stats().queued == 0
    last = engine.step()
    assert not [e for e in last if isinstance(e, BranchToken)]
    events += last
    assert set(reasons(events)) == {"a0", "a1", "b0", "b1"}
    events += drive(engine)
    assert_complete(events, first, second)
    after = ramify("c", 1)
    engine.submit(after)
    assert said(drive(engine), "c0") == greedy(engine.model, PATH, 5)


def test_a_queued_request_that_is_stopped_finishes_though_the_queue_is_stuck() -> None:
    engine = Engine(tiny_model("llama"), TOKENIZER, max_rows=1)
    engine.submit(ramify("a", 3, max_tokens=40))
    engine.submit(ramify("b", 2))
    for _ in range(5):
        engine.step()
    engine.submit(Stop(frozenset({"b0", "b1"})))
    events = engine.step()
    assert reasons(events) == {"b0": Finish.CANCELLED, "b1": Finish.CANCELLED}
    assert RequestFinished("b") in events
    assert engine.stats().queued == 2


def test_what_was_read_before_a_stop_is_not_lost(engine: Engine) -> None:
    engine.submit(ramify("a", path=PATH * 12))
    engine.step()
    engine.submit(Stop(None))
    drive(engine)
    assert engine.store.match_length(PATH * 12) == 64


@pytest.mark.parametrize("call", range(1, 8))
def test_an_error_in_the_model_is_told_and_the_next_request_is_exact(
    call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(build_model("llama"), TOKENIZER)
    wanted = greedy(engine.model, PATH, 5)
    with monkeypatch.context() as patch:
        breaking = Breaking(engine.model, patch)
        breaking.left = call
        request = ramify("r", 3, path=PATH * 6, max_tokens=9)
        engine.submit(request)
        events = drive(engine)
    assert_complete(events, request)
    assert RequestFailed("r", "out of memory") in events
    assert isinstance(engine.last_error, RuntimeError)
    assert set(reasons(events).values()) == {Finish.CANCELLED}
    assert engine.stats().running == 0
    engine.submit(ramify("next"))
    assert said(drive(engine), "next0") == wanted
    engine.submit(ramify("again", path=PATH * 6, max_tokens=9))
    assert said(drive(engine), "again1") == greedy(engine.model, PATH * 6, 9)


def test_an_error_while_one_request_is_read_leaves_the_running_one_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine(build_model("llama"), TOKENIZER)
    running, unlucky = ramify("a", 2, max_tokens=30), ramify("b", 2, path=[9] * 100)
    wanted = greedy(engine.model, PATH, 30)

    def before(tokens: list[int]) -> None:
        if len(tokens) > 8 and set(tokens) == {9}:
            raise MemoryError

    intercept(monkeypatch, engine.model, before)
    engine.submit(running)
    events = drive(engine, at={6: lambda: engine.submit(unlucky)})
    assert_complete(events, running, unlucky)
    assert RequestFailed("b", "MemoryError") in events
    assert said(events, "a0") == said(events, "a1") == wanted


def test_an_error_while_branches_join_is_told_of_every_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(build_model("llama"), TOKENIZER)
    running, unlucky = ramify("a", 2, max_tokens=30), ramify("b", 3, path=[*PATH, 4, 4, 4])
    engine.submit(running)
    events = [event for _ in range(5) for event in engine.step()]
    engine.submit(unlucky)
    original = Batch.join

    def join(batch: Any, joining: Any, held: Any) -> None:
        if joining[0].owners[0].request_id == "b":
            raise RuntimeError("no room")
        original(batch, joining, held)

    with monkeypatch.context() as patch:
        patch.setattr(Batch, "join", join)
        while not any(isinstance(e, RequestFailed) for e in events):
            events += engine.step()
    events += drive(engine)
    assert_complete(events, running, unlucky)
    assert RequestFailed("b", "no room") in events
    assert said(events, "a0") == greedy(engine.model, PATH, 30)


def test_broken_logits_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(build_model("llama"), TOKENIZER)
    intercept(monkeypatch, engine.model, after=lambda out: out * float("nan"))
    request = ramify("r")
    engine.submit(request)
    events = drive(engine)
    assert_complete(events, request)
    (failed,) = [e for e in events if isinstance(e, RequestFailed)]
    assert "not numbers" in failed.message


def test_an_empty_prompt_is_refused_with_advice(engine: Engine) -> None:
    engine.submit(ramify("r", path=[]))
    events = drive(engine)
    (failed,) = [e for e in events if isinstance(e, RequestFailed)]
    assert "empty" in failed.message
    with pytest.raises(RuntimeError, match="empty"):
        Heddle(engine.model, TOKENIZER, "", None, None).ramify(n=2)


@pytest.mark.parametrize("token", [-1, 10**5, 2**31 - 1, 2**40])
def test_token_ids_that_no_model_has_are_refused(engine: Engine, token: int) -> None:
    """A session's file may claim any. An embedding read there would be memory of anybody's."""
    given = BranchSpec("g0", 0, given=(GivenToken(token),))
    for request in (
        ramify("r", path=[70, token, 70]),
        Ramify("g", (Source((Segment("s", tuple(PATH)),), (given,)),), SamplingParams()),
        Score("s", (Segment("s", (70, token)),)),
    ):
        engine.submit(request)
        (failed,) = [e for e in drive(engine) if isinstance(e, RequestFailed)]
        assert "not this model's" in failed.message
    request = ramify("again")
    engine.submit(request)
    assert_complete(drive(engine), request)


def test_a_context_that_is_full_is_refused_and_a_nearly_full_one_ends_there() -> None:
    model = build_model("llama", max_position_embeddings=20)
    engine = Engine(model, TOKENIZER)
    assert engine.context_length == 20
    engine.submit(ramify("full", path=[70] * 20))
    (failed,) = [e for e in drive(engine) if isinstance(e, RequestFailed)]
    assert "20 tokens long and the model reads 20" in failed.message
    request = ramify("near", 1, path=[70] * 17, max_tokens=10)
    engine.submit(request)
    events = drive(engine)
    assert_complete(events, request)
    assert len(said(events, "near0")) == 3
    assert reasons(events)["near0"] == Finish.LENGTH


def test_texts_are_encoded_in_their_place_and_told(engine: Engine) -> None:
    path = (Segment("root", None, "the abc", Framing.RAW), Segment("kid", None, " in"))
    engine.submit(Encode("e", path))
    events = engine.step()
    assert [e.node_id for e in events if isinstance(e, Encoded)] == ["root", "kid"]
    first, second = events
    assert isinstance(first, Encoded)
    assert isinstance(second, Encoded)
    assert list(first.tokens) == TOKENIZER.encode("the abc")
    assert (second.text, len(second.ends)) == (" in", len(second.tokens))
    engine.submit(Ramify("r", (Source(path, (BranchSpec("b", 0),)),), SamplingParams(temp=0, max_tokens=4)))
    assert said(drive(engine), "b") == greedy(engine.model, [*first.tokens, *second.tokens], 4)


def test_a_chat_message_for_a_model_without_a_template_is_raw(engine: Engine) -> None:
    engine.submit(Encode("e", (Segment("root", None, "the abc", Framing.CHAT),)))
    (told,) = engine.step()
    assert isinstance(told, Encoded)
    assert told.framing is Framing.RAW
    assert list(told.tokens) == TOKENIZER.encode("the abc")


def test_the_end_of_text_makes_a_node_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Loom(tiny_model("llama"), TOKENIZER, "the abc")
    with monkeypatch.context() as patch:
        say(patch, lambda draw: [70, 71, TOKENIZER.eos_token_id][draw.step])
        (kid,) = root.ramify(n=1)
    assert kid.tokens == [70, 71]
    assert kid.terminal
    assert kid.finish == "eos"
    assert kid.ramify(n=3) == []
    (final,) = kid.make_child_stream(n=3)
    assert (final["type"], final["children"], final["tokens"]) == ("final", [], [])
    kid.trim(1)
    assert not kid.terminal
    (further,) = kid.ramify(n=1, temp=0, max_tokens=3)
    assert further.tokens == greedy(root.model, kid.get_prefix_tokens(), 3)


def test_closing_a_stream_early_keeps_the_children_and_frees_the_engine() -> None:
    root = Loom(tiny_model("llama"), TOKENIZER, "the abc")
    stream = root.make_child_stream(n=3, temp=0, max_tokens=40)
    for count, update in enumerate(stream, 1):
        assert update["type"] == "update"
        if count == 4:
            break
    stream.close()
    assert len(root.children) == 3
    wanted = greedy(root.model, root.tokens, 6)
    for kid in root.children:
        assert kid.tokens == wanted[: len(kid.tokens)]
        assert len(kid.tokens) >= 4
        assert kid.finish == "cancelled"
    (more,) = root.children[0].ramify(n=1, temp=0, max_tokens=3)
    assert more.tokens == greedy(root.model, root.children[0].get_prefix_tokens(), 3)


def test_tokens_are_spelled_on_request() -> None:
    engine = Engine(tiny_model("llama"), TOKENIZER)
    the, end = (TOKENIZER.encode(text)[0] for text in (" the", "🌷"))
    engine.submit(Spell("s", tuple(PATH), (the, end)))
    assert engine.step() == [Spelled("s", (" the", "\ufffd")), RequestFinished("s")]
    engine.submit(Spell("s", (), (-1,)))
    (failed,) = engine.step()
    assert isinstance(failed, RequestFailed)
    assert "could not be decoded" in failed.message


def test_a_stream_that_fails_leaves_no_empty_children(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Loom(build_model("llama"), TOKENIZER, "the abc")
    root.ramify(n=1, max_tokens=1)
    breaking = Breaking(root.model, monkeypatch)
    for call, kept in ((1, 0), (3, 2)):
        root.to_leaf()
        breaking.left = call
        with pytest.raises(RuntimeError, match="out of memory"):
            list(root.make_child_stream(n=2, temp=0, max_tokens=9))
        assert [len(kid.tokens) for kid in root.children] == [2] * kept


def test_closing_a_run_stops_its_branches_and_no_others(engine: Engine) -> None:
    engine.submit(ramify("other", 1, max_tokens=30))
    run = engine.run(ramify("r", 2, max_tokens=30))
    for events in run:
        if said(events, "r0"):
            break
    run.close()
    assert engine.stats().running == 1
    events = drive(engine)
    assert not said(events, "r0")
    assert RequestFinished("other") in events
    again = ramify("again", 1, max_tokens=30)
    told = [event for events in engine.run(again) for event in events]
    assert_complete(told, again)


def test_streams_beside_each_other_lose_nothing() -> None:
    root = Loom(tiny_model("llama"), TOKENIZER, "the abc")
    left = root.add_text_child(" in")
    right = root.add_text_child("?")
    streams = [node.make_child_stream(n=2, temp=0, max_tokens=8) for node in (left, right)]
    updates = list(zip(*streams, strict=False))
    for stream in streams:
        list(stream)
    assert updates
    (between,) = root.ramify(n=1, temp=0, max_tokens=2)
    assert between.tokens == greedy(root.model, root.tokens, 2)
    for node in (left, right):
        wanted = greedy(root.model, node.get_prefix_tokens(), 8)
        if TOKENIZER.eos_token_id in wanted:
            wanted = wanted[: wanted.index(TOKENIZER.eos_token_id)]
        assert [kid.tokens for kid in node.children] == [wanted] * 2


def test_growing_another_node_inside_a_stream_loses_nothing() -> None:
    root = Loom(tiny_model("llama"), TOKENIZER, "the abc")
    other = root.add_text_child(" in")
    finals = []
    for count, update in enumerate(root.make_child_stream(n=2, temp=0, max_tokens=8)):
        if count == 2:
            (kid,) = other.ramify(n=1, temp=0, max_tokens=4)
            assert kid.tokens == greedy(root.model, other.get_prefix_tokens(), 4)
            assert [frag.keys.shape[2] for frag in other.frag] == [len(other.tokens)] * 2
        finals.append(update)
    wanted = greedy(root.model, root.tokens, 8)
    assert finals[-1]["type"] == "final"
    assert finals[-1]["tokens"] == [wanted] * 2
    assert finals[-1]["children"] == root.children[1:]


# ------------------------------------------------------------------ side by side


def test_each_branch_has_its_own_parameters(engine: Engine) -> None:
    own = SamplingParams(temp=0, max_tokens=3, stop_strings=())
    branches = (BranchSpec("long", 1), BranchSpec("short", 2, params=own))
    source = Source((Segment("s", tuple(PATH)),), branches)
    engine.submit(Ramify("r", (source,), SamplingParams(temp=0, max_tokens=6)))
    events = drive(engine)
    wanted = greedy(engine.model, PATH, 6)
    assert said(events, "long") == wanted
    assert said(events, "short") == wanted[:3]


def test_a_covered_path_need_not_wait_for_a_long_one(engine: Engine) -> None:
    engine.submit(ramify("known", 1))
    drive(engine)
    slow, quick = ramify("slow", path=[9, *PATH * 60]), ramify("quick", 2)
    engine.submit(slow)
    engine.submit(quick)
    events = [event for _ in range(6) for event in engine.step()]
    assert RequestFinished("quick") in events
    assert not said(events, "slow0")
    events += drive(engine)
    assert_complete(events, slow, quick)
    assert said(events, "slow1") == greedy(engine.model, [9, *PATH * 60], 5)


def test_requests_read_in_turn(engine: Engine) -> None:
    """A short text behind a very long one is not kept waiting for all of it."""
    slow, quick = ramify("slow", path=[9, *PATH * 60]), ramify("quick", path=[8, *PATH * 8])
    engine.submit(slow)
    engine.submit(quick)
    events = drive(engine)
    assert_complete(events, slow, quick)
    assert events.index(RequestFinished("quick")) < min(
        index for index, e in enumerate(events) if isinstance(e, BranchToken) and e.branch_id == "slow0"
    )
    assert said(events, "quick0") == greedy(engine.model, [8, *PATH * 8], 5)


def test_the_paths_of_a_request_that_are_covered_begin_at_once(engine: Engine) -> None:
    engine.submit(ramify("known", 1))
    drive(engine)
    sources = tuple(
        Source((Segment(name, tuple(path)),), (BranchSpec(name, 1),))
        for name, path in (("slow", [9, *PATH * 30]), ("quick", PATH))
    )
    engine.submit(Ramify("r", sources, SamplingParams(temp=0, max_tokens=3)))
    events = drive(engine)
    first = [e.branch_id for e in events if isinstance(e, BranchToken)][:3]
    assert first == ["quick"] * 3
    assert said(events, "slow") == greedy(engine.model, [9, *PATH * 30], 3)


def test_a_large_request_leaves_room_for_a_small_one() -> None:
    engine = Engine(tiny_model("llama"), TOKENIZER, max_rows=4)
    large, small = ramify("large", 40), ramify("small", 2)
    engine.submit(large)
    events = [event for _ in range(3) for event in engine.step()]
    engine.submit(small)
    events += drive(engine)
    assert_complete(events, large, small)
    finished = [e.branch_id for e in events if isinstance(e, BranchFinished)]
    assert finished.index("small1") < 12


def test_rows_are_capped_by_memory_and_all_are_served_in_the_end() -> None:
    engine = Engine(tiny_model("llama"), TOKENIZER)
    per_token = 2 * 2 * 2 * 16 * 4
    request = ramify("r", 8, max_tokens=50)
    engine.store.budget = per_token * (2 * 5 * 64)  # half of it is left for what a step takes
    engine.submit(request)
    events: list[Event] = []
    most = 0
    while engine.busy:
        events += engine.step()
        most = max(most, engine.running)
    assert 1 <= most <= 4
    assert_complete(events, request)
    assert said(events, "r7") == greedy(engine.model, PATH, 50)
    engine.store.budget = per_token
    engine.submit(ramify("tight", 3))
    assert said(drive(engine), "tight2") == greedy(engine.model, PATH, 5)


def test_numbers_that_break_in_one_row_end_its_request_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = engine._forward
    steps = iter(range(100))

    def broken(tokens: list[int]) -> Any:
        table = np.array(forward(tokens))
        if next(steps) == 4:
            table[[row.owner.id for row in engine._batch.rows].index("b1")] = np.nan
        return table

    monkeypatch.setattr(engine, "_forward", broken)
    requests = [ramify("a", 2, max_tokens=5), ramify("b", 3, max_tokens=20), ramify("c", 2, max_tokens=12)]
    for request in requests:
        engine.submit(request)
    events = drive(engine)
    assert_complete(events, *requests)
    assert [e.request_id for e in events if isinstance(e, RequestFailed)] == ["b"]
    wanted = greedy(engine.model, PATH, 12)
    assert said(events, "a1") == wanted[:5]
    assert said(events, "c0") == said(events, "c1") == wanted
    assert engine.store.match_length(PATH + wanted) >= len(PATH) + 11


def test_what_fails_to_join_takes_nobody_with_it(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.submit(ramify("known", 1))
    drive(engine)
    original = engine._batch.join

    def join(joining: Any, held: Any) -> None:
        if any(owner.request_id == "bad" for one in joining for owner in one.owners):
            raise RuntimeError("no room")
        original(joining, held)

    monkeypatch.setattr(engine._batch, "join", join)
    requests = [ramify("good"), ramify("bad"), ramify("fine")]
    for request in requests:
        engine.submit(request)
    events = drive(engine)
    assert_complete(events, *requests)
    assert RequestFailed("bad", "no room") in events
    assert said(events, "fine1") == said(events, "good0") == greedy(engine.model, PATH, 5)


def test_three_presses_at_one_node_hold_its_path_once() -> None:
    engine = Engine(tiny_model("llama"), TOKENIZER)
    path = PATH * 60
    for name in ("a", "b", "c"):
        engine.submit(ramify(name, 4, path=path, max_tokens=8))
        engine.step()
    while engine.running != 12:
        engine.step()
    assert isinstance(engine._batch, Batch)
    assert {(span.low, span.high) for span in engine._batch.spans} == {(0, 12)}
    assert max(row.length for row in engine._batch.rows) < 0.2 * len(path)
    drive(engine)


@pytest.mark.parametrize("architecture", ["recurrent_gemma", "mamba2"])
def test_a_path_of_one_token_beside_others_whose_layers_have_states(architecture: str) -> None:
    """Before the first token there is no state, which a model may treat unlike one of zeros."""
    model = build(architecture)
    engine = Engine(model, TOKENIZER)
    paths = {"long": PATH, "first": [70], "late": [71], "more": PATH[:4]}
    engine.submit(ramify("long", 2, path=PATH, max_tokens=12))
    events = engine.step()
    for name in ("first", "late", "more"):
        engine.submit(ramify(name, 2, path=paths[name], max_tokens=6))
    events += drive(engine)
    for name, path in paths.items():
        wanted = greedy(model, path, 12 if name == "long" else 6)
        assert said(events, f"{name}0") == said(events, f"{name}1") == wanted


def test_many_short_requests_leave_nothing_behind() -> None:
    engine = Engine(tiny_model("llama"), TOKENIZER, kv_budget=200_000)
    numbers = random.Random(1)
    sizes = []
    for turn in range(6):
        for index in range(50):
            path = [numbers.randrange(256) for _ in range(numbers.randrange(1, 12))]
            engine.submit(ramify(f"r{turn}-{index}", 2, path=path, max_tokens=numbers.randrange(1, 6)))
            for _ in range(numbers.randrange(3)):
                engine.step()
            if index % 10 == 9:
                engine.submit(Stop(frozenset({f"r{turn}-{index}0", f"r{turn}-{index - 1}1"})))
        drive(engine)
        assert engine.store.nbytes <= engine.store.budget
        assert engine.store.reserved == 0
        assert not (engine._admission.pinned or len(engine._queue) or engine._events or len(engine._runs))
        sizes.append(mx.get_active_memory())
    assert sizes[-1] - sizes[2] < 50_000


@pytest.mark.usefixtures("own_code")
@pytest.mark.parametrize("architecture", ["mamba2", "recurrent_gemma", "llama"])
@pytest.mark.parametrize("call", [2, 6])
def test_an_interrupted_step_keeps_nothing_that_is_half_done(
    architecture: str, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a person stops a script. It comes while a path is read, or while branches decode."""
    engine = Engine(build(architecture), TOKENIZER)
    path = (PATH * 9)[:130]
    with monkeypatch.context() as patch:
        break_last_layer(engine.model, patch, call, KeyboardInterrupt())
        told: list[Event] = []
        with pytest.raises(KeyboardInterrupt):
            for events in engine.run(ramify("r", 2, path=path, max_tokens=9)):
                told += events
    assert not engine.busy
    assert engine.store.reserved == 0
    for further in ([], said(told, "r0")):
        wanted = greedy(engine.model, path + further, 5)
        engine.submit(ramify("next", 1, path=path + further))
        assert said(drive(engine), "next0") == wanted


def test_a_run_beside_an_interrupted_one_hears_of_it(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = engine.run(ramify("beside", 2, max_tokens=50))
    next(beside)
    with monkeypatch.context() as patch:
        patch.setattr(engine, "_forward", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(engine.run(ramify("r")))
    with pytest.raises(RuntimeError, match="KeyboardInterrupt"):
        list(beside)
    assert said([e for events in engine.run(ramify("next")) for e in events], "next0") == greedy(
        engine.model, PATH, 5
    )


def interrupted(*_: object) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize("scored", [False, True])
def test_an_error_that_is_remembered_holds_nothing_in_memory(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, scored: bool
) -> None:
    class Large:
        pass

    alive: list[weakref.ref[Large]] = []

    def broken(*_: object) -> Any:
        large = Large()
        alive.append(weakref.ref(large))
        raise RuntimeError("out of memory")

    request = Score("s", (Segment("n", tuple(PATH)),)) if scored else ramify("r", path=PATH * 12)
    monkeypatch.setattr(engine.store, "put", broken)
    engine.submit(request)
    drive(engine)
    gc.collect()
    assert isinstance(engine.last_error, RuntimeError)
    assert "in broken" in "".join(engine.last_error.__notes__), "where it came from is still known"
    assert [ref() for ref in alive] == [None]
    assert not any(isinstance(o, Job | Scoring) and o.request is request for o in gc.get_objects())


def crowded(engine: Engine, request: Ramify, small: Callable[[str], Ramify]) -> list[Event]:
    """Serve a request while small ones keep coming, so that something runs at any time."""
    names = iter(range(10_000))
    engine.submit(small(f"small{next(names)}"))
    while not engine.running:
        engine.step()
    engine.submit(request)
    events: list[Event] = []
    for _ in range(1000):
        if any(isinstance(e, RequestFinished | RequestFailed) and e.request_id == request.id for e in events):
            return events
        if len(engine._queue) < 2:
            engine.submit(small(f"small{next(names)}"))
        events += engine.step()
    raise AssertionError("it has never been served")


def test_a_long_path_is_served_though_small_requests_keep_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "PATIENCE", 20)
    engine = Engine(tiny_model("llama"), TOKENIZER)
    engine.store.budget = (1 << 18) + 1024 * 400
    path = [token % 250 for token in range(600)]
    events = crowded(engine, ramify("long", 1, path=path), lambda name: ramify(name, 1, max_tokens=9))
    assert said(events, "long0") == greedy(engine.model, path, 5)


def test_many_branches_are_served_though_small_requests_keep_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their path is there, but they may get too long to run beside anything else."""
    monkeypatch.setattr(jobs_module, "PATIENCE", 20)
    engine = Engine(tiny_model("llama"), TOKENIZER)
    engine.store.budget = (1 << 18) + 1024 * 400
    events = crowded(engine, ramify("long", 1, max_tokens=450), lambda name: ramify(name, 1, max_tokens=9))
    assert len(said(events, "long0")) == 450


def test_what_does_not_fit_now_does_not_hide_what_does() -> None:
    engine = Engine(tiny_model("llama"), TOKENIZER)
    engine.store.budget = (1 << 18) + 1024 * 400
    engine.submit(ramify("running", 1, max_tokens=60))
    while not engine.running:
        engine.step()
    long = [ramify(f"long{n}", 1, path=[n, *range(250), *range(250), *range(100)]) for n in range(5)]
    wide = ramify("wide", 1, max_tokens=450)
    small = ramify("small", 1, path=[9, 8, 7])
    for request in (*long, wide, small):
        engine.submit(request)
    events: list[Event] = []
    while not (ends := [e.request_id for e in events if isinstance(e, RequestFinished)]):
        events += engine.step()
    assert ends == ["small"], "while the first still runs"
    assert said(events, "small0") == greedy(engine.model, [9, 8, 7], 5)
    engine.submit(Stop(None))
    assert_complete(events + drive(engine), *long, wide, small)
