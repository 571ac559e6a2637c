"""Names of keys: what people write becomes what Textual sends, and is shown as people write it."""

import random
import string

import pytest
from textual.keys import Keys, _character_to_key

from n8loom_tui.tui.keys import (
    NAMED,
    BadKey,
    character_key,
    doubtful,
    event_key,
    format_keys,
    parse_key,
    parse_keys,
    shown,
)

PRINTABLE = list(map(chr, range(33, 127)))


def test_characters_have_the_names_that_textual_sends() -> None:
    for character in [*PRINTABLE, "é", "ß", "あ", "→", "«", "Ж"]:
        assert character_key(character) == _character_to_key(character)
        assert parse_key(character) in (_character_to_key(character), "right")


def test_named_keys_are_those_that_textual_knows() -> None:
    assert {str(key.value) for key in Keys} >= NAMED


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("?", "question_mark"), (",", "comma"), ("+", "plus"), ("Esc", "escape"), ("RETURN", "enter"),
        ("pgdn", "pagedown"), ("G", "G"), ("g", "g"), ("shift+g", "G"), ("shift+tab", "shift+tab"),
        ("ctrl+r", "ctrl+r"), ("Ctrl+R", "ctrl+r"), ("ctrl+shift+r", "ctrl+shift+r"), ("ctrl++", "ctrl+plus"),
        ("shift+ctrl+up", "ctrl+shift+up"), ("alt+G", "alt+shift+g"), ("option+x", "alt+x"), ("f12", "f12"),
        ("question_mark", "question_mark"), ("commercial_at", "at"), ("↑", "up"), ("e\u0301", "é"),
        ("backtab", "shift+tab"), ("F5", "f5"), ("cmd+k", "super+k"),
    ],
)  # fmt: skip
def test_keys_as_people_write_them(written: str, canonical: str) -> None:
    assert parse_key(written) == canonical


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ("spce", '"space"'), ("ctrl+entr", '"ctrl+enter"'), ("ctrl-r", '"ctrl+r"'), ("<C-r>", '"ctrl+r"'),
        ("k,up", '["k", "up"]'), ("gg", '"g g"'), ("shift+?", "character"), ("qwertz", "a name"),
        ("ctrl+", "a name"), ("x" * 10_000, "a name"), ("\x1b", "a name"), ("\x00", "a name"),
        ("1", "not a digit"), ("ctrl+c", "another key"), ("g escape", "another key"), ("", "[]"),
        ("  ", "[]"), ("a b c d e", "at most"),
    ],
)  # fmt: skip
def test_keys_that_cannot_be_say_what_to_write_instead(written: str, fix: str) -> None:
    with pytest.raises(BadKey) as caught:
        parse_keys(written)
    assert fix in caught.value.fix
    for text in (caught.value.message, caught.value.fix):
        assert text.isprintable() and len(text) < 200


def test_sequences_and_the_space_bar() -> None:
    assert parse_keys("g g") == ("g", "g")
    assert parse_keys(", n") == ("comma", "n")
    assert parse_keys(" ") == ("space",) == parse_keys("space")
    assert parse_keys("g 1") == ("g", "1")
    assert parse_keys("0") == ("0",)


def test_shown_keys_can_be_written_back() -> None:
    bases = [*NAMED, *map(character_key, PRINTABLE)]
    sequences = [(base,) for base in bases if base not in tuple("123456789")]
    sequences += [("g", base) for base in bases if base != "escape"]
    sequences += [(f"ctrl+{base}",) for base in bases if base not in string.ascii_uppercase + "c"]
    for sequence in sequences:
        assert parse_keys(format_keys(sequence, ascii_only=True)) == sequence
        assert parse_keys(format_keys(sequence)) == sequence


def test_keys_on_the_screen() -> None:
    assert format_keys(("up",)) == "↑"
    assert format_keys(("up",), ascii_only=True) == "up"
    assert format_keys(("comma", "n")) == ", n"
    assert [format_keys((key,)) for key in ("space", "escape", "ctrl+p", "question_mark", "pagedown")] == [
        "space", "esc", "ctrl+p", "?", "pgdn",
    ]  # fmt: skip


def test_events_of_different_terminals_are_one_key() -> None:
    assert event_key("question_mark", "?") == "question_mark"
    assert event_key("shift+a", "A") == "A" == event_key("A", "A")
    assert event_key("add", "+") == "plus"  # the number pad
    assert event_key("ctrl+@") == "ctrl+space" == parse_key("ctrl+space")
    assert event_key("enter", "\r") == "enter"
    assert event_key("tab", "\t") == "tab"
    assert event_key("alt+x", "x") == "alt+x"
    assert event_key("space", " ") == "space"


def test_twins_in_most_terminals_are_known() -> None:
    assert doubtful(("ctrl+i",)) == ("ctrl+i", "tab")
    assert doubtful(("g", "ctrl+h")) == ("ctrl+h", "backspace")
    assert doubtful(("ctrl+shift+r",)) == ("ctrl+shift+r", "ctrl+r")
    assert doubtful(("ctrl+r",)) is None


def test_shown_text_holds_nothing_that_a_terminal_obeys() -> None:
    assert shown("a\x1b[31m\u202eb\x00\ud800") == "a\\x1b[31m\\u202eb\\x00\\ud800"
    assert len(shown("x" * 10_000)) == 61


def test_no_key_text_raises_anything_but_bad_key() -> None:
    rng = random.Random(7)
    alphabet = [*string.printable, "ctrl+", "shift+", "alt+", "é", "\u0301", "\x1b", "\ud800", "\u202e", "𝒳"]
    for _ in range(3000):
        text = "".join(rng.choices(alphabet, k=rng.randrange(8)))
        try:
            assert all(shown(key) for key in parse_keys(text))
            assert format_keys(parse_keys(text)).isprintable()
        except BadKey as bad:
            assert bad.message.isprintable() and bad.fix.isprintable()
