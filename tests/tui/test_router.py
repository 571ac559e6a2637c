"""Typing under a keymap: counts, sequences, escape."""

from n8loom_tui.tui.keymap import Keymap, load_keymaps, shipped_keymaps_path
from n8loom_tui.tui.router import Cancelled, Fire, KeyRouter, Pending, Routed, Unknown


def router(name: str = "default") -> KeyRouter:
    return KeyRouter(load_keymaps(name, shipped_keymaps_path(), None)[0])


def type_keys(typed: KeyRouter, *keys: str) -> list[Routed]:
    return [typed.feed(key, key if len(key) == 1 else None) for key in keys]


def test_one_key_fires_at_once() -> None:
    assert type_keys(router(), "space", "j", "down", "question_mark") == [
        Fire("ramify"),
        Fire("row_down"),
        Fire("row_down"),
        Fire("help"),
    ]


def test_a_count_is_given_to_the_action_once() -> None:
    typed = router()
    assert type_keys(typed, "1", "2", "t", "t") == [
        Pending("1"),
        Pending("12"),
        Fire("trim", 12),
        Fire("trim"),
    ]
    assert type_keys(typed, "8", "space") == [Pending("8"), Fire("ramify", 8)]


def test_a_count_is_dropped_where_it_means_nothing() -> None:
    assert type_keys(router(), "3", "q")[-1] == Fire("quit")


def test_zero_counts_only_after_another_digit() -> None:
    typed = router()
    assert type_keys(typed, "0") == [Unknown(("0",))]
    assert type_keys(typed, "1", "0", "t")[-1] == Fire("trim", 10)


def test_counts_are_capped_and_never_wrap() -> None:
    typed = router()
    assert type_keys(typed, *"9" * 50)[-1] == Pending("9999")
    assert type_keys(typed, "t") == [Fire("trim", 9999)]
    assert type_keys(typed, *"12345", "t")[-1] == Fire("trim", 9999)


def test_sequences_wait_and_fire() -> None:
    typed = router("vim")
    assert type_keys(typed, "g", "g") == [Pending("g"), Fire("top")]
    assert type_keys(typed, "3", "d") == [Pending("3"), Pending("3 d")]
    assert type_keys(typed, "d") == [Fire("delete")]
    assert type_keys(router(), "6", "4", "comma", "l")[-1] == Fire("set_max_tokens", 64)


def test_an_unknown_key_ends_a_sequence_and_does_nothing_else() -> None:
    typed = router("vim")
    assert type_keys(typed, "g", "q") == [Pending("g"), Unknown(("g", "q"))]
    assert type_keys(typed, "q") == [Fire("quit")]
    unknown = typed.feed("f20")
    assert isinstance(unknown, Unknown) and unknown.text == "f20"


def test_an_unknown_key_drops_the_count() -> None:
    assert type_keys(router(), "5", "f20", "t")[-1] == Fire("trim")


def test_escape_cancels_what_waits_and_stops_otherwise() -> None:
    typed = router("vim")
    assert type_keys(typed, "escape") == [Fire("stop")]
    assert type_keys(typed, "g", "escape", "g") == [Pending("g"), Cancelled(), Pending("g")]
    assert type_keys(typed, "escape", "4", "escape", "x") == [
        Cancelled(),
        Pending("4"),
        Cancelled(),
        Fire("trim"),
    ]
    assert type_keys(typed, "escape", "escape") == [Fire("stop"), Fire("stop")]


def test_digits_inside_a_sequence_are_keys() -> None:
    typed = KeyRouter(Keymap("mine", {"top": (("g", "1"),)}))
    assert type_keys(typed, "g", "1") == [Pending("g"), Fire("top")]


def test_reset_forgets_what_waits() -> None:
    typed = router("vim")
    type_keys(typed, "4", "g")
    assert typed.pending == "4 g"
    typed.reset()
    assert typed.pending == ""
    assert type_keys(typed, "g") == [Pending("g")]


def test_hostile_key_events_are_unknown_and_shown_harmlessly() -> None:
    typed = router()
    for key, character in (("\x1b[31m", None), ("x" * 10_000, "\x00"), ("", None), ("<ignore>", "\x1b[O")):
        result = typed.feed(key, character)
        assert isinstance(result, Unknown)
        assert result.text.isprintable() and len(result.text) < 100
