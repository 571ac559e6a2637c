"""What a query finds in a text, and where."""

from __future__ import annotations

import pytest

from n8loom_tui.tui.finding.query import Query, fold


@pytest.mark.parametrize(
    ("query", "text", "spans"),
    [
        ("flood", "The Flood, the flood", [(4, 9), (15, 20)]),
        ("Flood", "The Flood, the flood", [(4, 9)]),
        ("the end", "at the\nend of\tthe end", [(3, 10), (14, 21)]),
        ("aa", "aaaaa", [(0, 2), (2, 4)]),
        ("σας", "ΣΑΣ σας", [(0, 3), (4, 7)]),
        ("x", "İİx", [(2, 3)]),
        ("[/b]", "a [/b] b", [(2, 6)]),
        ("\ud800", "a\ud800b", [(1, 2)]),
        ("", "anything", []),
    ],
)
def test_spans_are_places_in_the_text_as_it_is(query: str, text: str, spans: list[tuple[int, int]]) -> None:
    assert Query(query).spans(text) == spans


@pytest.mark.parametrize("text", ["İstanbul ΟΔΟΣ", "ǅ ẞ ŉ", "a\nb\r\tc", "\u0130" * 9, "忘却 é e\u0301"])
def test_folding_keeps_the_length_whatever_stands_behind(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert all(fold(text[:at]) + fold(text[at:]) == fold(text) for at in range(len(text)))


def test_a_label_shows_line_ends_as_signs_and_has_no_blanks_at_its_ends() -> None:
    assert Query("the end").label_spans("at the ⏎ end", "⏎") == [(3, 12)]
    assert Query(" flood").label_spans("flood and flood", "⏎") == [(0, 5), (9, 15)]
    assert Query("a.c (").label_spans("abc a.c (", "⏎") == [(4, 9)]
    assert Query("a b").label_spans("a / b", "/") == [(0, 5)]
    assert Query("  ").label_spans("a  b", "⏎") == []
