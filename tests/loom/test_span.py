"""Contents cut between tokens and put together again are what they were."""

from __future__ import annotations

import math
import random

import pytest
from tiny import tiny_tokenizer

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.marks import parse_tags
from n8loom_tui.loom.span import Span
from n8loom_tui.loom.text import decode_span

TEXT = "the abc é 🌷 in the end\n漢字"


def node_of(logprobs: bool) -> Heddle:
    tokenizer = tiny_tokenizer("plain")
    tokens = tokenizer.encode(TEXT)
    span = decode_span(tokenizer, (), tokens)
    node = Heddle.from_span(span.tokens, span.text, span.ends)
    if logprobs:
        node.provenance = {"logprobs": [-float(index) for index in range(len(tokens))], "seed": 1}
    return node


@pytest.mark.parametrize("logprobs", [True, False])
def test_cut_anywhere_and_put_together(logprobs: bool) -> None:
    node = node_of(logprobs)
    whole = Span.of(node)
    assert whole.text == TEXT
    for at in range(len(whole.tokens) + 1):
        first, rest = whole.first(at), whole.after(at)
        assert first.then(rest) == whole
        assert first.ends == node.ends[:at]
        assert rest.text[: rest.ends[-1] if rest.ends else 0] == rest.text


def test_many_cuts_in_nodes_leave_no_trace() -> None:
    draw = random.Random(0)
    node, other = node_of(True), Heddle.from_span([], "", [])
    before = (list(node.tokens), node.text, list(node.ends), dict(node.provenance))
    for _ in range(100):
        span = Span.of(node)
        at = draw.randint(0, len(span.tokens))
        span.first(at).put(other)
        span.after(at).put(node)
        Span.of(other).then(Span.of(node)).put(node)
        assert (node.tokens, node.text, node.ends, node.provenance) == before


def test_what_is_not_known_of_a_token_stays_unknown() -> None:
    known, unknown = node_of(True), node_of(False)
    count = len(known.tokens)
    joined = Span.of(unknown).then(Span.of(known))
    node = Heddle.from_span([], "", [])
    joined.put(node)
    assert [math.isnan(value) for value in node.provenance["logprobs"]] == [True] * count + [False] * count
    Span.of(node).after(count).put(node)
    assert node.provenance == {"logprobs": known.provenance["logprobs"]}
    joined.first(count).put(node)
    assert node.provenance == {}


def test_a_node_stays_what_it_is_to_the_model() -> None:
    node = node_of(False)
    node.encoded = False
    Span.of(node).first(3).put(node)
    assert not node.encoded
    assert len(node.tokens) == 3


def test_a_border_is_found_before_any_character() -> None:
    span = Span.of(node_of(False))
    for character in range(len(TEXT) + 1):
        count = span.border(character)
        end = span.ends[count - 1] if count else 0
        assert end <= character
        assert all(later > character for later in span.ends[count:] if later > end)
        # A token that only begins a character belongs to the part that completes it.
        assert count < 2 or span.ends[count - 2] < end


def test_tags_as_people_write_them() -> None:
    assert parse_tags(" #one two,three  #one ##four, ") == ("one", "two", "three", "four")
    assert parse_tags(" # , ") == ()
    with pytest.raises(ValueError, match="64 characters"):
        parse_tags("x" * 65)
    with pytest.raises(ValueError, match="64 tags"):
        parse_tags(" ".join(map(str, range(65))))
