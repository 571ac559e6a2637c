"""What the engine tells of what it holds of a node."""

from __future__ import annotations

from tiny import tiny_model, tiny_tokenizer

from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.protocol import (
    BranchSpec,
    NodeWeight,
    Ramify,
    SamplingParams,
    Segment,
    Source,
    Weigh,
    Weighed,
)

TOKENIZER = tiny_tokenizer("plain")
ROOT = Segment("root", tuple(TOKENIZER.encode("the abc in the end")))


def ask(engine: Engine, *paths: tuple[Segment, ...]) -> tuple[NodeWeight, ...]:
    told = [event for events in engine.run(Weigh("weigh", paths)) for event in events]
    return next(event for event in told if isinstance(event, Weighed)).nodes


def test_a_node_is_weighed_by_itself() -> None:
    engine = Engine(tiny_model("llama"), TOKENIZER)
    below = Segment("below", (5, 6, 7, 8))
    assert ask(engine, (ROOT,), (ROOT, below)) == (NodeWeight("root", 0, 0, 0), NodeWeight("below", 0, 0, 0))
    branch = Source((ROOT, below), (BranchSpec("branch", 1),))
    for _ in engine.run(Ramify("grow", (branch,), SamplingParams(temp=0, max_tokens=4))):
        pass
    root, child = ask(engine, (ROOT,), (ROOT, below))
    assert root.tokens == len(ROOT.tokens or ()) and child.tokens == 4
    assert child.nbytes == child.tokens * engine.store.per_token == child.tokens * engine.stats().kv_per_token
    assert not root.evicted and not child.evicted


def test_what_was_evicted_is_told() -> None:
    engine = Engine(tiny_model("llama"), TOKENIZER)
    below = Segment("below", (5, 6, 7, 8))
    for _ in engine.run(
        Ramify("grow", (Source((ROOT, below), (BranchSpec("b", 1),)),), SamplingParams(temp=0, max_tokens=4))
    ):
        pass
    engine.store.get([], 0, 0)  # somebody else's turn: nothing is in use any more
    engine.store.budget = 0
    engine.store.make_room(0)
    root, child = ask(engine, (ROOT,), (ROOT, below))
    assert (child.tokens, child.nbytes, child.evicted) == (0, 0, 4)
    assert root.evicted == len(ROOT.tokens or ())


def test_of_a_path_that_is_not_encoded_nothing_is_known() -> None:
    engine = Engine(tiny_model("llama"), TOKENIZER)
    assert ask(engine, (ROOT, Segment("text", None, "written"))) == (NodeWeight("text", 0, 0, 0),)
