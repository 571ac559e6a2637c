"""Two texts compared by word."""

from __future__ import annotations

import random

import pytest

from n8loom_tui.tui.comparing import MOST_UNITS, Comparison, compare


def both(comparison: Comparison) -> tuple[str, str]:
    parts = comparison.parts
    return "".join(part.left for part in parts), "".join(part.right for part in parts)


def changed(comparison: Comparison) -> list[tuple[str, str]]:
    return [(part.left, part.right) for part in comparison.parts if not part.same]


def test_words_that_differ_are_found_with_their_blanks() -> None:
    result = compare(" the flood came over the wall", " the water came over the old wall")
    assert changed(result) == [(" flood", " water"), ("", " old")]
    assert (result.removed, result.added) == (1, 2)


@pytest.mark.parametrize(("left", "right"), [("", ""), ("same", "same"), ("a\n", "a\n")])
def test_the_same_text_has_no_difference(left: str, right: str) -> None:
    assert compare(left, right).equal


def test_one_may_be_empty() -> None:
    assert changed(compare("", " all of it")) == [("", " all of it")]
    assert changed(compare("all", "")) == [("all", "")]


def test_a_word_in_common_by_chance_is_not_set_apart() -> None:
    result = compare("one two and three four", "red blue and green white")
    assert changed(result) == [("one two and three four", "red blue and green white")]


def test_what_both_have_for_long_is_a_passage_of_its_own() -> None:
    common = " so it goes on and on until the very end of the long night"
    result = compare("A" + common + " here", "B" + common + " there")
    passages = list(result.passages())
    assert [[part.same for part in passage] for passage in passages] == [[False], [True], [False]]
    assert "".join(part.left for passage in passages for part in passage) == both(result)[0]


@pytest.mark.parametrize("size", [40, 400, 3 * MOST_UNITS])
def test_nothing_of_either_text_is_lost_whatever_its_size(size: int) -> None:
    draw = random.Random(size)
    words = ["the", "flood", ".", "\n", "  ", "\ud800", "忘却", "e\u0301", "king!", "a"]
    for _ in range(4):
        left = " ".join(draw.choices(words, k=size))
        at = draw.randrange(len(left))
        right = left[:at] + " ".join(draw.choices(words, k=size // 3)) + left[at + size // 5 :]
        assert both(compare(left, right)) == (left, right)
        right = " ".join(draw.choices(words, k=size))
        assert both(compare(left, right)) == (left, right)


def test_long_texts_that_differ_little_are_still_compared_by_word() -> None:
    sentences = [f"Sentence number {number} says nothing much." for number in range(2000)]
    left = " ".join(sentences)
    sentences[5] = "Sentence number 5 says something."
    sentences[1500] = sentences[1500].replace("nothing", "very")
    result = compare(left, " ".join(sentences))
    assert ("nothing" in str(changed(result))) and result.removed < 20
    assert both(result) == (left, " ".join(sentences))
