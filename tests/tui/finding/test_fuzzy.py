"""What is found by some letters, and what comes first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.tui.finding.fuzzy import MOST, FuzzyIndex, letters_apart, lit_places


@pytest.fixture
def nodes() -> list[Heddle]:
    texts = [
        " a wall that he builds",
        " the wallet of a king",
        " no gods, no water",
        " warm and light and long",
        " Gilgamesh weeps",
        "\n\n",
        " what was said of the flood by those who came after it, and of the wall" + " and so on" * 40,
    ]
    return [Heddle.from_text(text) for text in texts]


@pytest.fixture
def index(nodes: list[Heddle]) -> FuzzyIndex:
    root = Loom(None, None, "The root", chat=False)
    for node in nodes:
        root.add_child(node)
    nodes[2].marks = replace(nodes[2].marks, tags=("Ending", "dark"), note="ask Anna about the wall")
    nodes[4].marks = replace(nodes[4].marks, bookmark=True)
    index = FuzzyIndex()
    for _ in index.build([root], {"k": nodes[1].id, "Z": nodes[1].id}):
        pass
    return index


def found(index: FuzzyIndex, query: str) -> list[Heddle]:
    result: list[Heddle] = []
    for _ in index.find(query, result):
        pass
    return result


def test_whole_words_come_before_parts_and_parts_before_letters(
    index: FuzzyIndex, nodes: list[Heddle]
) -> None:
    hits = found(index, "wall")
    assert hits[0] is nodes[0]
    assert set(hits[1:3]) == {nodes[2], nodes[6]}, "a word of a note, a word far behind"
    assert hits[3] is nodes[1], "a part of a word"
    assert found(index, "glgmsh") == [nodes[4]]
    assert found(index, "GILGA") == [nodes[4]]
    assert found(index, "zzz") == []


def test_all_words_have_to_fit(index: FuzzyIndex, nodes: list[Heddle]) -> None:
    assert found(index, "wall king") == [nodes[1]]
    assert found(index, "wall gods") == [nodes[2]], "one in the note, one in the text"
    assert found(index, "wall nowhere") == []


def test_marks_are_found_by_their_signs(index: FuzzyIndex, nodes: list[Heddle]) -> None:
    assert found(index, "#end") == [nodes[2]]
    assert found(index, "#") == [nodes[2]]
    assert found(index, ";anna") == [nodes[2]]
    assert found(index, "*") == [nodes[4]]
    assert found(index, "* weeps") == [nodes[4]]
    assert found(index, "'") == [nodes[1]]
    assert found(index, "'k") == [nodes[1]]
    assert found(index, "") == [nodes[1], nodes[2], nodes[4]], "without a query, all that is marked, in order"


def test_no_more_than_the_best_are_listed() -> None:
    root = Loom(None, None, "root", chat=False)
    for number in range(3 * MOST):
        root.add_child(Heddle.from_text(f"some word {number}"))
    best = root.add_child(Heddle.from_text("word"))
    index = FuzzyIndex()
    for _ in index.build([root], {}):
        pass
    hits = found(index, "word")
    assert len(hits) == MOST
    assert hits[0] is best


def test_letters_stand_close_together() -> None:
    assert letters_apart("fld", "the flood") == [4, 5, 8]
    assert letters_apart("fld", "f" + " " * 50 + "l d") == []
    assert letters_apart("fl", "f l") == [], "two letters are no word"


def test_what_fits_is_set_off() -> None:
    assert lit_places("wall #end", "The Wall ends") == [(4, 8), (9, 12)]
    assert lit_places("fld", "a flood") == [(2, 4), (6, 7)]
    assert lit_places("* ;", "a flood") == []
