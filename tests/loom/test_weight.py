"""What the engine tells of what it holds of a node."""

from __future__ import annotations

import pytest
from tiny import tiny_model, tiny_tokenizer

from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.protocol import BranchSpec, Ramify, SamplingParams, Segment, Source, Weigh, Weighed

TOKENIZER = tiny_tokenizer("plain")
ROOT = tuple(TOKENIZER.encode("the abc in the end"))
BELOW = (5, 6, 7, 8)


@pytest.fixture
def engine() -> Engine:
    return Engine(tiny_model("llama"), TOKENIZER)


def grow(engine: Engine) -> None:
    source = Source((Segment("root", ROOT), Segment("below", BELOW)), (BranchSpec("branch", 1),))
    for _ in engine.run(Ramify("grow", (source,), SamplingParams(temp=0, max_tokens=4))):
        pass


def ask(engine: Engine, name: str, before: tuple[int, ...], tokens: tuple[int, ...]) -> Weighed:
    told = [event for events in engine.run(Weigh("weigh", name, before, tokens)) for event in events]
    return next(event for event in told if isinstance(event, Weighed))


def test_a_node_is_weighed_by_itself(engine: Engine) -> None:
    assert ask(engine, "below", ROOT, BELOW) == Weighed("weigh", "below", 0, 0, 0)
    grow(engine)
    root, child = ask(engine, "root", (), ROOT), ask(engine, "below", ROOT, BELOW)
    assert (root.tokens, child.tokens) == (len(ROOT), len(BELOW))
    assert child.nbytes == child.tokens * engine.store.per_token == child.tokens * engine.stats().kv_per_token
    assert not root.evicted and not child.evicted


def test_what_was_evicted_is_told(engine: Engine) -> None:
    grow(engine)
    engine.store.get([], 0, 0)  # somebody else's turn: nothing is in use any more
    engine.store.budget = 0
    engine.store.make_room(0)
    root, child = ask(engine, "root", (), ROOT), ask(engine, "below", ROOT, BELOW)
    assert (child.tokens, child.nbytes, child.evicted) == (0, 0, len(BELOW))
    assert root.evicted == len(ROOT)
