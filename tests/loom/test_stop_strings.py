"""Stop strings end a branch before them, wherever they lie among the tokens, never half matched."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from support.said import say
from tiny import TOKENIZERS, greedy, scratch_logits, tiny_model, tiny_tokenizer

from n8loom_tui.loom.branch import Branch
from n8loom_tui.loom.draws import Choice
from n8loom_tui.loom.heddle import Loom
from n8loom_tui.loom.protocol import BranchFinished, BranchToken, Finish, SamplingParams
from n8loom_tui.loom.text import decode


def run(text: str | list[int], *stops: str, kind: str = "plain", max_tokens: int = 99) -> tuple[Any, ...]:
    """What a branch says of what the model means to say: its steps, the text, its tokens, the reason."""
    tokenizer = tiny_tokenizer(kind)
    params = SamplingParams(stop_strings=stops, max_tokens=max_tokens)
    path = list(tokenizer.encode("x", add_special_tokens=False))
    branch = Branch("b", "r", 0, path, params, tokenizer, frozenset({999}), 99)
    tokens = list(tokenizer.encode(text, add_special_tokens=False)) if isinstance(text, str) else text
    steps, said = [], []
    for token in [*tokens, 999]:
        events = branch.take(Choice(token, -1.0))
        said += [event for event in events if isinstance(event, BranchToken)]
        steps.append("".join(event.text for event in events if isinstance(event, BranchToken)))
        if branch.finish is not None:
            assert isinstance(events[-1], BranchFinished)
            break
    return steps, "".join(event.text for event in said), [event.token for event in said], branch.finish


@pytest.mark.parametrize(
    ("text", "stops", "wanted"),
    [
        ("xyEND more", ("END",), "xy"),
        ("xyEND", ("END",), "xy"),
        ("END", ("END",), ""),
        ("xy the end", (" the",), "xy"),
        ("xy theend", ("he",), "xy t"),
        ("abcabc", ("bc",), "a"),
        ("one two", ("two", "ne"), "o"),
        ("abab!", ("abac", "b!"), "aba"),
        ("aaab", ("aab",), "a"),
        ("x🌷y", ("🌷",), "x"),
        ("x€y", ("€y",), "x"),
        ("line\n\nnext", ("\n\n",), "line"),
    ],
)
def test_a_branch_ends_before_the_stop_string(text: str, stops: tuple[str, ...], wanted: str) -> None:
    _, said, tokens, finish = run(text, *stops)
    assert said == wanted
    assert finish is Finish.STOP
    tokenizer = tiny_tokenizer("plain")
    assert decode(tokenizer, tokens) == wanted


def test_no_half_character_of_a_stop_string_is_left_in_the_tokens() -> None:
    """The first bytes of a stop string's first character are tokens of their own, without any text."""
    _, said, tokens, _ = run("x🌷y", "🌷")
    assert said == "x"
    assert tokens == tiny_tokenizer("plain").encode("x", add_special_tokens=False)


def test_what_could_begin_a_stop_string_is_held_back() -> None:
    steps, said, _, finish = run("aENxEND", "END")
    assert steps == ["a", "", "", "ENx", "", "", ""]
    assert said == "aENx"
    assert finish is Finish.STOP


def test_half_a_match_is_said_when_the_branch_ends_otherwise() -> None:
    steps, said, tokens, finish = run("xEN", "END")
    assert steps == ["x", "", "", "EN"]
    assert (said, finish) == ("xEN", Finish.EOS)
    assert tokens == tiny_tokenizer("plain").encode("xEN", add_special_tokens=False)
    _, said, _, finish = run("xENx", "END", max_tokens=3)
    assert (said, finish) == ("xEN", Finish.LENGTH)


def test_half_a_match_is_said_when_the_branch_is_stopped() -> None:
    tokenizer = tiny_tokenizer("plain")
    branch = Branch(
        "b", "r", 0, [65], SamplingParams(stop_strings=("END",), max_tokens=9), tokenizer, frozenset(), 9
    )
    for token in tokenizer.encode("EN", add_special_tokens=False):
        assert branch.take(Choice(token, 0.0)) == []
    events = branch.end(Finish.CANCELLED)
    assert [event.text for event in events[:-1]] == ["E", "N"]
    assert events[-1] == BranchFinished("b", Finish.CANCELLED)


def test_without_stop_strings_nothing_is_held() -> None:
    steps, _, _, _ = run("aEND")
    assert steps == ["a", "E", "N", "D", ""]


def test_a_stop_string_inside_a_token_leaves_the_part_before_it() -> None:
    tokenizer = tiny_tokenizer("plain")
    token = tokenizer.encode(" the", add_special_tokens=False)
    assert len(token) == 1
    _, said, tokens, finish = run([*tokenizer.encode("x", add_special_tokens=False), *token], "he")
    assert (said, finish) == ("x t", Finish.STOP)
    assert decode(tokenizer, tokens) == "x t"


@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_every_kind_of_tokenizer(kind: str) -> None:
    _, said, tokens, finish = run("in the abc in 🌷 the end", "🌷 t", kind=kind)
    assert finish is Finish.STOP
    assert said.lstrip() == "in the abc in "
    assert decode(tiny_tokenizer(kind), tokens).strip() == "in the abc in"


def test_a_child_after_a_stop_string_goes_on_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model read past the stop string; the node must not."""
    model, tokenizer = tiny_model("llama"), tiny_tokenizer("plain")
    root = Loom(model, tokenizer, "the end")
    with monkeypatch.context() as patch:
        said = tokenizer.encode("x theEND", add_special_tokens=False)
        say(patch, lambda draw: said[draw.step])
        (kid,) = root.ramify(n=1, max_tokens=20, stop_strings=["heEND"])
    assert kid.text == "x t"
    assert kid.finish == "stop"
    assert not kid.terminal
    (next_one,) = kid.ramify(n=1, temp=0, max_tokens=6)
    assert next_one.tokens == greedy(model, root.tokens + kid.tokens, 6)
    path = kid.get_prefix_tokens()
    got = np.array(model(mx.array([[7]]), cache=kid.get_prefix_cache())[0, -1])
    np.testing.assert_allclose(got, scratch_logits(model, [*path, 7])[-1], atol=1e-3, rtol=0)


def test_closing_a_stream_says_what_was_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = tiny_tokenizer("plain")
    root = Loom(tiny_model("llama"), tokenizer, "the end")
    said = tokenizer.encode("xENDxxxx", add_special_tokens=False)
    say(monkeypatch, lambda draw: said[draw.step])
    stream = root.make_child_stream(n=2, max_tokens=20, stop_strings=["ENDxxING"])
    for told in stream:
        assert told["decoded_texts"] == ["x", "x"]
        break
    stream.close()
    assert [kid.text for kid in root.children] == ["x", "x"]
    stream = root.make_child_stream(n=2, max_tokens=20, stop_strings=["ENDxxING", "yy"])
    other = root.make_child_stream(n=1, max_tokens=5)
    next(stream)
    for _ in other:  # it steps for both
        pass
    stream.close()
    first, second = root.children[-2:]
    assert first.text == second.text
    assert first.text.startswith("xENDx")
    assert decode(tokenizer, first.tokens) == first.text
