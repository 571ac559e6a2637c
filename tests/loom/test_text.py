"""Text and token ids: decoding piece by piece, encoding in context, BOS and chat template."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from tiny import TOKENIZERS, tiny_model, tiny_tokenizer

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.loom.protocol import Framing
from n8loom_tui.loom.text import (
    CONTEXT_TOKENS,
    IncrementalDecoder,
    decode,
    decode_span,
    encode,
    encode_continuation,
    has_chat_template,
    leading_special_tokens,
    spell,
)

NASTY = [
    "plain words in the end",
    "🌷🌷🧑‍🚀👩‍👩‍👧‍👦🏳️‍🌈",
    "e\u0301 a\u0308 \u0301\u0302x",
    "שלום עולם, مرحبا",
    "漢字かな交じり文𠮷",
    "[/b] \x1b[31m \x00 \x7f\r\n\t",
    "  two   spaces  ",
    "\u200b\u200d\ufeff\u202e",
    "\ufffd in the \ufffd",
    "€" * 30,
]


def unfinished(text: str) -> str:
    """A text without the half character at its end."""
    return text.rstrip("\ufffd")


def body(kind: str, text: str) -> list[int]:
    return list(tiny_tokenizer(kind).encode(text, add_special_tokens=False))


@pytest.mark.parametrize("kind", list(TOKENIZERS))
@pytest.mark.parametrize("text", NASTY)
def test_pieces_add_up_to_the_whole(kind: str, text: str) -> None:
    tokenizer = tiny_tokenizer(kind)
    tokens = body(kind, text + " a")
    span = decode_span(tokenizer, (), tokens)
    assert span.text == decode(tokenizer, tokens)
    assert span.text.endswith((text + " a").lstrip())


@pytest.mark.parametrize("kind", list(TOKENIZERS))
@pytest.mark.parametrize("text", NASTY)
def test_the_ends_tell_the_text_of_every_first_k_tokens(kind: str, text: str) -> None:
    tokenizer = tiny_tokenizer(kind)
    tokens = body(kind, text)
    span = decode_span(tokenizer, (), tokens)
    assert len(span.ends) == len(tokens)
    assert all(a <= b for a, b in pairwise(span.ends))
    assert span.ends[-1] == len(span.text)
    for k in range(1, len(tokens) + 1):
        assert span.text[: span.ends[k - 1]] == decode_span(tokenizer, (), tokens[:k]).text


@pytest.mark.parametrize("kind", list(TOKENIZERS))
@pytest.mark.parametrize("text", NASTY)
def test_spans_cut_anywhere_add_up_to_the_whole(kind: str, text: str) -> None:
    """A character that lies across a node's border belongs to the node that completes it."""
    tokenizer = tiny_tokenizer(kind)
    tokens = body(kind, "the " + text + " in")
    whole = decode(tokenizer, tokens)
    numbers = random.Random(len(text))
    for _ in range(20):
        cuts = [0, *sorted(numbers.sample(range(1, len(tokens)), min(4, len(tokens) - 1))), len(tokens)]
        parts = [decode_span(tokenizer, tokens[:a], tokens[a:b]).text for a, b in pairwise(cuts)]
        assert "".join(parts) == whole


def test_broken_bytes_add_up_too_however_they_are_cut() -> None:
    """What a random model says: bytes that make no characters at all."""
    tokenizer = tiny_tokenizer("plain")
    numbers = random.Random(1)
    for _ in range(150):
        tokens = [numbers.randrange(262) for _ in range(40)]
        tokens[::9] = [65] * len(tokens[::9])  # a letter now and then, so that a piece is complete
        whole = decode(tokenizer, tokens)
        cut = numbers.randrange(1, len(tokens))
        first, second = (
            decode_span(tokenizer, (), tokens[:cut]),
            decode_span(tokenizer, tokens[:cut], tokens[cut:]),
        )
        assert whole.startswith(first.text)
        joined = first.text + second.text
        assert whole.startswith(joined)
        assert unfinished(joined) == unfinished(whole)


def test_a_long_run_of_broken_bytes_is_shown_before_it_ends() -> None:
    tokenizer = tiny_tokenizer("plain")
    broken = tokenizer.encode("é")[0]
    decoder = IncrementalDecoder(tokenizer)
    shown = [decoder.push(broken) for _ in range(200)]
    assert len("".join(shown)) > 190
    assert decoder.push(65).endswith(decode(tokenizer, [65]))


@pytest.mark.parametrize("kind", list(TOKENIZERS))
@pytest.mark.parametrize("text", ["€" * 20, "🌷" * 20, "é" * 20, "€🌷é" * 8])
def test_a_character_cut_at_the_context_limit_does_not_spoil_the_next(kind: str, text: str) -> None:
    """The context that is decoded along may begin inside a character, and end inside one too."""
    tokens = body(kind, text)
    for stop in range(CONTEXT_TOKENS + 4, len(tokens)):
        before = tokens[stop - CONTEXT_TOKENS : stop]
        told = decode_span(tiny_tokenizer(kind), (), tokens[:stop]).text
        assert told + decode_span(tiny_tokenizer(kind), before, tokens[stop:]).text == text


@pytest.mark.parametrize("kind", list(TOKENIZERS))
@pytest.mark.parametrize("text", ["abc", " abc", "the end", "  x", "\nabc", "?", "é", "🌷"])
@pytest.mark.parametrize("before", ["the in", "the ", "x\n", "🌷"])
def test_a_continuation_shows_just_its_text(kind: str, text: str, before: str) -> None:
    """No space is slipped in front of it, no BOS, and none of its own characters is lost."""
    tokenizer = tiny_tokenizer(kind)
    path = encode(tokenizer, before, Framing.RAW).tokens
    span = encode_continuation(tokenizer, text, path)
    assert span.text == text
    assert decode(tokenizer, path + span.tokens) == decode(tokenizer, path) + text
    assert not set(span.tokens) & set(tokenizer.all_special_ids)


@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_an_empty_continuation_has_no_tokens(kind: str) -> None:
    span = encode_continuation(tiny_tokenizer(kind), "", [1, 2])
    assert (span.tokens, span.text, span.ends) == ([], "", [])


def test_leading_special_tokens_are_those_of_the_tokenizer() -> None:
    assert leading_special_tokens(tiny_tokenizer("plain")) == []
    for kind in ("bos", "prefix_space"):
        tokenizer = tiny_tokenizer(kind)
        assert leading_special_tokens(tokenizer) == [tokenizer.bos_token_id]


@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_a_beginning_has_what_the_tokenizer_puts_in_front_but_not_in_its_text(kind: str) -> None:
    tokenizer = tiny_tokenizer(kind)
    span = encode(tokenizer, "the end", Framing.RAW)
    assert span.tokens == list(tokenizer.encode("the end"))
    assert span.text == "the end"
    assert len(span.ends) == len(span.tokens)


@pytest.mark.parametrize("kind", list(TOKENIZERS))
@pytest.mark.parametrize("text", ["a", "the end", "x\ny"])
def test_trim_toks_drops_only_special_tokens(kind: str, text: str) -> None:
    """n8loom drops a token whatever it is; with a tokenizer without BOS that was content."""
    tokenizer = tiny_tokenizer(kind)
    node = Heddle(tiny_model("llama"), tokenizer, text, None, None)
    assert node.text == text
    assert node.tokens == body(kind, text)
    rooted = Heddle(tiny_model("llama"), tokenizer, text, None, None, trim_toks=0)
    assert rooted.text == text
    assert rooted.tokens == list(tokenizer.encode(text))
    child = node.add_text_child(text)
    assert child.text == text
    assert decode(tokenizer, node.tokens + child.tokens).strip() == text + text


def test_the_chat_template_is_applied_once() -> None:
    tokenizer = tiny_tokenizer("bos")
    root = Loom(tiny_model("llama"), tokenizer, "the end")
    assert root.chat_template_used
    assert root.tokens.count(tokenizer.bos_token_id) == 1
    assert root.text == "<s><user>the end<bot>"
    assert root.user_prompt == "the end"
    assert decode(tokenizer, root.tokens) == root.text
    assert root.display_text() == "Prompt: the end\n\nResponse:\n\n"


def test_a_bare_transformers_tokenizer_does_as_well() -> None:
    wrapped = tiny_tokenizer("bos")
    bare = wrapped._tokenizer
    assert has_chat_template(bare)
    for framing in Framing:
        assert encode(bare, "the end", framing, [65]) == encode(wrapped, "the end", framing, [65])


@pytest.mark.parametrize("kind", ["plain", "prefix_space"])
def test_without_a_chat_template_a_prompt_is_raw(kind: str) -> None:
    root = Loom(tiny_model("llama"), tiny_tokenizer(kind), "the end")
    assert not root.chat_template_used
    assert root.text == root.display_text() == "the end"
    assert root.tokens == list(tiny_tokenizer(kind).encode("the end"))


def test_the_template_can_be_declined() -> None:
    root = Loom(tiny_model("llama"), tiny_tokenizer("bos"), "the end", chat=False)
    assert not root.chat_template_used
    assert root.text == "the end"
    assert root.tokens == list(tiny_tokenizer("bos").encode("the end"))


@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_the_texts_along_a_path_add_up_to_its_tokens(kind: str) -> None:
    """Generated, written and clipped nodes, half characters at their borders included."""
    tokenizer = tiny_tokenizer(kind)
    root = Loom(tiny_model("llama"), tokenizer, "the 🌷", chat=False)
    kids = root.ramify(n=6, temp=2.0, min_p=0.0, max_tokens=12, seed=3)
    for kid in kids:
        kid.clip(9)
        kid.terminal = False
        for child in kid.ramify(n=2, temp=2.0, min_p=0.0, max_tokens=12, seed=4):
            child.add_text_child("é the").add_text_child("🌷")
    for leaf in root.get_all_leaves():
        lead = len(leading_special_tokens(tokenizer))
        whole = decode(tokenizer, leaf.get_prefix_tokens()[lead:])
        if kind != "prefix_space":  # there a broken byte spoils its whole run, which was shown already
            assert leaf.get_prefix_text() == whole
        assert leaf.get_prefix_text().endswith("é the🌷")
        for node in leaf.path()[1:]:
            for k in range(1, len(node.tokens) + 1):
                shown = decode_span(tokenizer, node.parent.get_prefix_tokens(), node.tokens[:k]).text
                assert node.text[: node.ends[k - 1]] == shown


@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_a_tokens_text_is_what_it_adds_behind_others(kind: str) -> None:
    tokenizer = tiny_tokenizer(kind)
    tokens = [t for t in tokenizer.encode("in the end, the abc") if decode(tokenizer, [t]) not in {"<s>", ""}]
    told = "".join(spell(tokenizer, tokens[:index], token) for index, token in enumerate(tokens))
    assert told.strip() == decode(tokenizer, tokens).strip()
    *first, last = tokenizer.encode("🌷", add_special_tokens=False)
    assert spell(tokenizer, [*tokens, *first[:-1]], first[-1]) == "\ufffd"
    assert spell(tokenizer, [*tokens, *first], last) == "🌷"
