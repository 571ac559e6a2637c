"""What a file holds of a node is unpacked when somebody asks for it, and only then."""

from __future__ import annotations

from typing import Any

import pytest

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.odds import Odds


class Packed:
    """Two tokens, and how often they were asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __len__(self) -> int:
        return 2

    def __call__(self) -> tuple[list[int], list[int]]:
        self.asked += 1
        return [7, 8], [1, 2]


@pytest.fixture
def packed() -> Packed:
    return Packed()


@pytest.fixture
def node(packed: Packed) -> Heddle:
    return Heddle.stored("ab", packed, lambda: {"seed": 3})


def test_it_is_asked_for_once(node: Heddle, packed: Packed) -> None:
    assert (node.text, node.token_count, node.encoded, packed.asked) == ("ab", 2, True, 0)
    assert (node.ends, node.tokens, node.token_count) == ([1, 2], [7, 8], 2)
    assert node.tokens is node.tokens and packed.asked == 1
    assert node.provenance is node.provenance and node.provenance == {"seed": 3}


def test_what_is_put_in_its_place_stays(node: Heddle, packed: Packed) -> None:
    node.provenance = {}
    node.set_span([1], "x", [1])
    assert (node.tokens, node.ends, node.token_count, node.provenance, packed.asked) == ([1], [1], 1, {}, 0)


def test_one_of_the_two_may_be_set_first(node: Heddle) -> None:
    node.tokens = [1, 2]
    assert (node.ends, node.tokens) == ([1, 2], [1, 2])


def test_odds_fit_before_anything_is_unpacked(node: Heddle, packed: Packed) -> None:
    node.packed_odds = Odds.of([-1.0, -2.0]).pack()
    with pytest.raises(ValueError, match="2 tokens"):
        node.packed_odds = Odds.of([-1.0]).pack()
    assert packed.asked == 0
    assert node.logprobs == [-1.0, -2.0]


def test_it_grows_and_is_cut_as_any_other(node: Heddle) -> None:
    node.append_token(9, "c", -0.5)
    assert (node.tokens, node.text) == ([7, 8, 9], "abc")
    node.clip(1)
    assert (node.tokens, node.text) == ([7], "a")


def test_other_names_are_no_attributes(node: Heddle) -> None:
    for name in ("nothing", "_late_nothing", "kind"):  # what was never set is not made up
        with pytest.raises(AttributeError):
            getattr(node, name)
    blank: Any = Heddle.__new__(Heddle)
    with pytest.raises(AttributeError):
        _ = blank.tokens
