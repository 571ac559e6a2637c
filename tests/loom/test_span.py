"""Contents cut between tokens and put together again are what they were."""

from __future__ import annotations

import math
import random

import pytest
from tiny import tiny_tokenizer

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.marks import parse_tags
from n8loom_tui.loom.odds import Odds
from n8loom_tui.loom.protocol import Alternative
from n8loom_tui.loom.span import Span
from n8loom_tui.loom.text import decode_span

TEXT = "the abc é 🌷 in the end\n漢字"


def node_of(known: bool) -> Heddle:
    tokenizer = tiny_tokenizer("plain")
    tokens = tokenizer.encode(TEXT)
    span = decode_span(tokenizer, (), tokens)
    node = Heddle.from_span(span.tokens, span.text, span.ends)
    if known:
        others = [(Alternative(index, -0.5), Alternative(7, -2.0)) for index in range(len(tokens))]
        node.odds = Odds.of(map(float, range(-len(tokens), 0)), others, [1.5] * len(tokens))
    return node


def facts(span: Span) -> tuple[object, ...]:
    odds = None
    if span.odds is not None:
        odds = (repr(span.odds.logprobs), span.odds.alternatives, repr(span.odds.entropies))
    return span.tokens, span.text, span.ends, odds


@pytest.mark.parametrize("known", [True, False])
def test_cut_anywhere_and_put_together(known: bool) -> None:
    node = node_of(known)
    whole = Span.of(node)
    assert whole.text == TEXT
    for at in range(len(whole.tokens) + 1):
        first, rest = whole.first(at), whole.after(at)
        assert facts(first.then(rest)) == facts(whole)
        assert first.ends == node.ends[:at]
        assert rest.text[: rest.ends[-1] if rest.ends else 0] == rest.text


def test_many_cuts_in_nodes_leave_no_trace() -> None:
    draw = random.Random(0)
    node, other = node_of(True), Heddle.from_span([], "", [])
    before = facts(Span.of(node))
    for _ in range(100):
        span = Span.of(node)
        at = draw.randint(0, len(span.tokens))
        span.first(at).put(other)
        span.after(at).put(node)
        Span.of(other).then(Span.of(node)).put(node)
        assert facts(Span.of(node)) == before


def test_what_is_not_known_of_a_token_stays_unknown() -> None:
    known, unknown = Span.of(node_of(True)), Span.of(node_of(False))
    count = len(known.tokens)
    joined = unknown.then(known)
    assert joined.odds is not None
    assert [math.isnan(value) for value in joined.odds.logprobs] == [True] * count + [False] * count
    assert facts(joined.first(count)) == facts(unknown)
    assert facts(joined.after(count)) == facts(known)
    assert unknown.then(unknown).odds is None


def test_a_node_stays_what_it_is_to_the_model() -> None:
    node = node_of(False)
    node.encoded = False
    Span.of(node).first(3).put(node)
    assert not node.encoded
    assert len(node.tokens) == 3


def test_tags_as_people_write_them() -> None:
    assert parse_tags(" #one two,three  #one ##four, ") == ("one", "two", "three", "four")
    assert parse_tags(" # , ") == ()
    with pytest.raises(ValueError, match="64 characters"):
        parse_tags("x" * 65)
    with pytest.raises(ValueError, match="64 tags"):
        parse_tags(" ".join(map(str, range(65))))
