"""Hostile text: shown by symbols, measured in cells, wrapped without harm."""

import random
import sys
import unicodedata

import pytest
from rich.cells import cell_len, get_character_cell_size

from n8loom_tui.tui.widgets.sanitize import tail_cells, truncate_cells, visible, wrap_cells

# Letters of Arabic, Syriac and Kaithi that belong to the text though Unicode files them under format; ZWNJ.
HARMLESS = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, 0x200C}


def test_no_control_or_format_character_is_left() -> None:
    left = []
    for code in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(code))
        bad = category in ("Cc", "Cf", "Cs", "Zl", "Zp") and code not in HARMLESS and code != 0x0A
        if bad and chr(code) in visible(chr(code)):
            left.append(hex(code))
    assert not left


def test_control_characters_become_their_pictures() -> None:
    assert visible("a\x00\x1b[31m\x7f\r") == "a␀␛[31m␡␍"
    assert visible("\u202e\x9b\ud800") == "‹U+202E›‹U+009B›‹U+D800›"
    assert visible("\tx") == "    x"
    assert visible("a\nb") == "a\nb"
    assert visible("a\nb", "⏎") == "a⏎b"


def test_ordinary_text_of_any_script_is_left_alone() -> None:
    for text in ("naïve – “quotes”", "忘却", "e\u0301", "می\u200cخواهم", "שלום", "Привет", "한국어", "😀"):
        assert visible(text) == text


def test_a_part_of_a_text_is_shown_as_in_the_whole(hostile: list[str]) -> None:
    text = "".join(hostile)
    for cut in range(0, len(text), 37):
        assert visible(text[:cut]) + visible(text[cut:]) == visible(text)


def test_lines_fit_and_lose_nothing_but_blanks(hostile: list[str]) -> None:
    rng = random.Random(1)
    alphabet = [*"a \n忘’é😀\u0301\u200d", "word", "  ", "e\u0301", "x" * 30, "❤\ufe0f"]
    texts = [*hostile, *map(visible, hostile)]
    texts += ["".join(rng.choices(alphabet, k=rng.randrange(120))) for _ in range(300)]
    for text in texts:
        for width in (2, 3, 7, 40):
            lines = wrap_cells(text, width)
            assert lines[0][0] == 0 and lines[-1][1] <= len(text)
            before = 0
            for start, end in lines:
                assert before <= start <= end
                assert text[before:start].strip(" \n") == ""
                assert cell_len(text[start:end]) <= width
                before = end
            assert text[before:].strip(" ") == ""
            assert text.count("\n") < len(lines)


def test_wrapping_breaks_at_spaces_then_within_words() -> None:
    def lines(text: str, width: int) -> list[str]:
        return [text[start:end] for start, end in wrap_cells(text, width)]

    assert lines("the king of Uruk", 8) == ["the king", "of Uruk"]
    assert lines("the kings of Uruk", 8) == ["the", "kings of", "Uruk"]
    assert lines("abcdefghij kl", 4) == ["abcd", "efgh", "ij", "kl"]
    assert lines("忘却について", 5) == ["忘却", "につ", "いて"]
    assert lines("a\n\nb\n", 5) == ["a", "", "b", ""]
    assert lines("", 5) == [""]


def test_what_hangs_together_is_not_torn() -> None:
    for cluster in ("e\u0301\u0302", "👨\u200d👩\u200d👧", "❤\ufe0f"):
        for start, end in wrap_cells(cluster * 20, 5):
            assert (end - start) % len(cluster) == 0


@pytest.mark.parametrize("unit", ["e\u0301", "忘", "’", "a", " ", "\x1b", "x\n", "\u0301"])
def test_a_megabyte_is_wrapped_into_lines_of_bounded_length(unit: str) -> None:
    lines = wrap_cells(unit * (1_000_000 // len(unit)), 60)
    assert max(end - start for start, end in lines) <= 8 * 60 + 32


def test_truncated_texts_fit_and_say_that_something_is_missing(hostile: list[str]) -> None:
    for text in map(visible, hostile):
        line = text.replace("\n", "⏎")
        for width in range(12):
            for short in (truncate_cells(line, width), tail_cells(line, width)):
                assert cell_len(short) <= width
                assert short == line or "…" in short or width == 0
    assert truncate_cells("Uruk", 4) == "Uruk"
    assert truncate_cells("Uruks", 4) == "Uru…"
    assert truncate_cells("忘却に", 4) == "忘…"
    assert tail_cells("Uruks", 4) == "…uks"
    assert tail_cells("忘却に", 4) == "…に"


def test_letters_taken_for_plain_are_one_cell_each() -> None:
    codes = [*range(0x20, 0x7F), *range(0xA1, 0x300), *range(0x370, 0x483), *range(0x2010, 0x205F)]
    plain = [character for character in map(chr, codes) if visible(character) == character]
    assert all(get_character_cell_size(character) == 1 for character in plain)
