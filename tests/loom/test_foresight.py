"""What could come next, by a real (tiny) model: the probabilities of a run from scratch, a level in one request."""

from __future__ import annotations

import math

import numpy as np
from tiny import scratch_logits, tiny_model, tiny_tokenizer

from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.foresight import AT_ONCE, LEAST, Foresight, Possible
from n8loom_tui.loom.protocol import Encoded, Framing, Ramify, RequestFailed, Segment, Stop

MODEL = tiny_model("llama")
TOKENIZER = tiny_tokenizer("plain")
PATH = tuple(TOKENIZER.encode("the abc in the end"))


def look(engine: Engine, foresight: Foresight, base: Possible, depth: int) -> int:
    """Have all that is missing found out. Returns in how many requests."""
    requests = 0
    while (request := foresight.look(base, depth)) is not None:
        requests += 1
        for events in engine.run(request):
            for event in events:
                foresight.take(event)
    return requests


def test_two_levels_are_as_from_scratch() -> None:
    engine = Engine(MODEL, TOKENIZER)
    foresight = Foresight([Segment("root", PATH[:4]), Segment("node", PATH[4:])], width=6)
    assert look(engine, foresight, foresight.root, 2) == 2, "a request for each level"
    assert foresight.root.below is not None and len(foresight.root.below) == 6
    known = [place for place in (foresight.root, *foresight.root.below) if place.below is not None]
    assert len(known) > 1
    for place in known:
        tokens = [*PATH, *(each.token for each in place.way)]
        logits = scratch_logits(MODEL, tokens)[-1].astype(np.float64)
        logprobs = logits - logits.max() - math.log(np.exp(logits - logits.max()).sum())
        for below in place.below or ():
            assert abs(below.logprob - logprobs[below.token]) < 1e-3
        assert abs(place.entropy + float((np.exp(logprobs) * logprobs).sum())) < 1e-3
        assert [b.logprob for b in place.below or ()] == sorted(
            (b.logprob for b in place.below or ()), reverse=True
        )


def test_only_what_is_probable_enough_is_looked_behind() -> None:
    engine = Engine(MODEL, TOKENIZER)
    foresight = Foresight([Segment("root", PATH)], width=12)
    look(engine, foresight, foresight.root, 2)
    for below in foresight.root.below or ():
        assert (below.below is not None) == (math.exp(below.logprob) >= LEAST)


def test_a_way_is_given_with_what_is_known_of_each_place() -> None:
    engine = Engine(MODEL, TOKENIZER)
    foresight = Foresight([Segment("root", PATH)], width=5)
    look(engine, foresight, foresight.root, 1)
    first = (foresight.root.below or [])[2]
    look(engine, foresight, first, 1)
    second = (first.below or [])[1]
    given = second.given()
    assert [each.token for each in given] == [first.token, second.token]
    assert given[0].entropy == foresight.root.entropy
    assert [other.token for other in given[1].alternatives] == [b.token for b in first.below or ()]


def test_it_asks_for_no_more_than_is_served_at_once() -> None:
    foresight = Foresight([Segment("root", PATH)], width=128)
    foresight.root.below = [Possible(token, math.log(0.0101), foresight.root) for token in range(99)]
    request = foresight.look(foresight.root, 2)
    assert isinstance(request, Ramify) and len(request.sources) == AT_ONCE
    assert foresight.look(foresight.root, 2) is None, "what is on its way is not asked for again"


def test_a_text_that_is_encoded_meanwhile_and_a_failure() -> None:
    foresight = Foresight([Segment("name", None, "text")])
    first = foresight.look(foresight.root, 1)
    assert first is not None
    foresight.take(Encoded("name", (1, 2), "text", (2, 4), Framing.RAW))
    foresight.take(RequestFailed(first.id, "no"))
    assert foresight.failed == "no"
    assert foresight.look(foresight.root, 1) is None
    assert foresight.stop() is None


def test_what_is_stopped_by_somebody_is_not_known_and_can_be_asked_for_again() -> None:
    engine = Engine(MODEL, TOKENIZER)
    foresight = Foresight([Segment("root", PATH)])
    request = foresight.look(foresight.root, 1)
    assert request is not None
    engine.submit(request)
    engine.submit(Stop(None))
    while engine.busy:
        for event in engine.step():
            foresight.take(event)
    assert foresight.root.below is None
    assert look(engine, foresight, foresight.root, 1) == 1
    assert foresight.root.below
