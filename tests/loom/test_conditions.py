"""Conditions hold at the right token, and nowhere else."""

from __future__ import annotations

import math

import pytest
from tiny import tiny_tokenizer

from n8loom_tui.loom.branch import Branch
from n8loom_tui.loom.conditions import alternatives_needed, ends_sentence
from n8loom_tui.loom.draws import Choice
from n8loom_tui.loom.protocol import (
    Alternative,
    BranchFinished,
    BranchToken,
    Finish,
    GivenToken,
    SamplingParams,
)
from n8loom_tui.loom.until import (
    Condition,
    EntropyAbove,
    Fork,
    ParagraphEnd,
    SentenceEnd,
    TextSaid,
    TopProbabilityBelow,
)

TOKENIZER = tiny_tokenizer("plain")
EOS = 999


def encode(text: str) -> list[int]:
    return list(TOKENIZER.encode(text, add_special_tokens=False))


def branch_of(
    *until: Condition, given: tuple[GivenToken, ...] = (), stops: tuple[str, ...] = (), max_tokens: int = 99
) -> Branch:
    params = SamplingParams(until=until, max_tokens=max_tokens, top_logprobs=2, stop_strings=stops)
    path = [*encode("x"), *(known.token for known in given)]
    return Branch("b", "r", 0, path, params, TOKENIZER, frozenset({EOS}), 99, given)


def said_until(text: str, *until: Condition, stops: tuple[str, ...] = ()) -> tuple[str, Finish | None]:
    """What a branch says of a text, token by token, and why it ends."""
    branch = branch_of(*until, stops=stops)
    said = ""
    for token in [*encode(text), EOS]:
        events = branch.take(Choice(token, -1.0, entropy=0.0))
        said += "".join(event.text for event in events if isinstance(event, BranchToken))
        if branch.finish is not None:
            break
    return said, branch.finish


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("It is. Then", "It is."),
        ("Is it?! Then", "Is it?!"),
        ('He said "no." Then', 'He said "no."'),
        ("It costs 3.14 now. Then", "It costs 3.14 now."),
        ("See Dr. Who, e.g. here. Then", "See Dr. Who, e.g. here."),
        ("J. R. R. wrote. Then", "J. R. R. wrote."),
        ("A title\nand more", "A title\n"),
        ("1. First one. Then", "1. First one."),
        ("それは雨。そして", "それは雨。"),
        (" \n The end. And", " \n The end."),
        ("No end here", "No end here"),
        ("It is.", "It is."),
        ("Well... so it is. Then", "Well..."),
    ],
)
def test_a_sentence_ends_before_the_blank_behind_it(text: str, said: str) -> None:
    got, finish = said_until(text, SentenceEnd())
    assert got == said
    assert finish is (Finish.EOS if said == text else Finish.CONDITION)


def test_a_sentence_may_end_inside_a_token_that_brings_the_blank() -> None:
    assert ends_sentence("It is. ")
    assert ends_sentence('It is."\n\n')
    assert not ends_sentence("It is.")
    assert not ends_sentence("See Dr. ")
    assert not ends_sentence("  \n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("One.\n\nTwo", "One.\n\n"),
        ("One.\n \nTwo", "One.\n \n"),
        ("One.\nTwo.\n\nThree", "One.\nTwo.\n\n"),
        ("\n\nOne.\n\nTwo", "\n\nOne.\n\n"),
        ("One.\nTwo", "One.\nTwo"),
    ],
)
def test_a_paragraph_ends_with_an_empty_line(text: str, said: str) -> None:
    assert said_until(text, ParagraphEnd())[0] == said


def test_a_text_ends_the_branch_with_the_token_that_completes_it() -> None:
    assert said_until("So: the Answer: 42", TextSaid("Answer:")) == ("So: the Answer:", Finish.CONDITION)
    assert said_until("xy the end", TextSaid("y t")) == ("xy the", Finish.CONDITION)
    assert said_until("aab", TextSaid("ab"), TextSaid("zz")) == ("aab", Finish.CONDITION)
    assert said_until("x🌷y", TextSaid("🌷")) == ("x🌷", Finish.CONDITION)
    assert said_until("abc", TextSaid("ac")) == ("abc", Finish.EOS)


def test_a_stop_string_comes_before_a_condition_and_held_text_is_said() -> None:
    assert said_until("a b. c", SentenceEnd(), stops=("b.",)) == ("a ", Finish.STOP)
    assert said_until("a b. END", SentenceEnd(), stops=(". ENX",)) == ("a b.", Finish.CONDITION)


def alternatives(*probabilities: float) -> tuple[Alternative, ...]:
    return tuple(Alternative(70 + i, math.log(p)) for i, p in enumerate(probabilities))


@pytest.mark.parametrize(
    ("condition", "choice", "holds"),
    [
        (EntropyAbove(2.0), Choice(70, -1.0, (), 2.5), True),
        (EntropyAbove(2.0), Choice(70, -1.0, (), 2.0), False),
        (TopProbabilityBelow(0.3), Choice(70, -1.0, alternatives(0.29, 0.2)), True),
        (TopProbabilityBelow(0.3), Choice(71, -1.0, alternatives(0.31, 0.2)), False),
        (Fork(0.25), Choice(70, -1.0, alternatives(0.4, 0.26, 0.2)), True),
        (Fork(0.25), Choice(70, -1.0, alternatives(0.4, 0.24)), False),
        (Fork(0.25), Choice(70, -1.0, alternatives(0.2, 0.1)), True),
    ],
)
def test_conditions_on_what_comes_end_before_it(condition: Condition, choice: Choice, holds: bool) -> None:
    branch = branch_of(condition)
    branch.take(Choice(65, -1.0, alternatives(1.0), 0.0))
    events = branch.take(choice)
    assert (branch.finish is Finish.CONDITION) is holds
    if holds:
        assert events == [BranchFinished("b", Finish.CONDITION, choice.alternatives, choice.entropy)]
        assert branch.sampled == [65]


def test_a_branch_says_something_before_its_uncertainty_ends_it() -> None:
    """Else every child of an uncertain place would end at once."""
    sure, unsure = (Choice(65, -1.0, alternatives(p), h) for p, h in ((0.9, 0.1), (0.1, 5.0)))
    for condition in (EntropyAbove(2.0), TopProbabilityBelow(0.3), Fork(0.3)):
        branch = branch_of(condition)
        assert isinstance(branch.take(unsure)[-1], BranchToken)
        assert isinstance(branch.take(unsure)[-1], BranchFinished)
    branch = branch_of(EntropyAbove(2.0, after=3))
    for choice in (sure, unsure, unsure):
        branch.take(choice)
        assert branch.finish is None
    branch.take(unsure)
    assert branch.finish is Finish.CONDITION


def test_a_fork_may_stand_at_the_very_beginning() -> None:
    branch = branch_of(Fork(0.2, after=0))
    branch.take(Choice(70, -1.0, alternatives(0.4, 0.3)))
    assert branch.finish is Finish.CONDITION
    assert branch.sampled == []


def test_how_many_alternatives_conditions_need() -> None:
    assert alternatives_needed(()) == 0
    assert alternatives_needed((SentenceEnd(), EntropyAbove(1.0))) == 0
    assert alternatives_needed((TopProbabilityBelow(0.1),)) == 1
    assert alternatives_needed((Fork(0.05), TopProbabilityBelow(0.1))) >= 20


def test_given_tokens_are_said_first_with_what_is_known_of_them() -> None:
    token, *rest = encode("the end")
    known = GivenToken(token, -0.5, alternatives(0.6, 0.3, 0.1), 1.25)
    branch = branch_of(given=(known, *(GivenToken(t) for t in rest)), max_tokens=len(rest) + 2)
    events = branch.begin()
    assert events[0] == BranchToken("b", token, "the", -0.5, known.alternatives, 1.25)
    assert "".join(event.text for event in events if isinstance(event, BranchToken)) == "the end"
    assert branch.sampled == []
    assert branch.next_token == rest[-1]
    branch.take(Choice(65, -1.0))
    assert branch.finish is Finish.LENGTH


def test_a_branch_may_end_with_what_it_is_given() -> None:
    assert branch_of(given=(GivenToken(EOS),)).begin() == [BranchFinished("b", Finish.EOS)]
    given = tuple(map(GivenToken, encode("ab")))
    events = branch_of(given=given, max_tokens=1).begin()
    assert [type(event) for event in events] == [BranchToken, BranchFinished]
    events = branch_of(given=tuple(map(GivenToken, encode("xyENDz"))), stops=("END",)).begin()
    assert "".join(event.text for event in events if isinstance(event, BranchToken)) == "xy"
    assert events[-1] == BranchFinished("b", Finish.STOP)
