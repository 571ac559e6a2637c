"""Settings, presets and preferences without an app: what is typed, stored, read back, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from n8loom_tui.loom.protocol import SamplingParams
from n8loom_tui.loom.until import EntropyAbove, SentenceEnd, TextSaid
from n8loom_tui.tui.fields import FIELDS, from_stored, to_stored
from n8loom_tui.tui.given import check_theme, given_settings
from n8loom_tui.tui.preferences import Motion, PreferencesFile, SignSet, locale_takes_unicode
from n8loom_tui.tui.presets import FILE_NAME, SHIPPED, Preset, Presets, Scope, check_name
from n8loom_tui.tui.settings import Settings
from n8loom_tui.tui.toml_file import FileProblem, read_toml, write_toml

ODD = Settings(
    3,
    SamplingParams(
        temp=1.25,
        max_tokens=7,
        stop_strings=('a"b', "\n\n", "\x7f\u202e\\", "'", "😀"),
        seed=12,
        until=(SentenceEnd(), EntropyAbove(2.5), TextSaid("x, y")),
    ),
)


def test_every_sampling_parameter_can_be_set() -> None:
    assert set(FIELDS) == {"n", *SamplingParams.__dataclass_fields__}


@pytest.mark.parametrize("name", FIELDS)
def test_what_is_shown_can_be_typed_again(name: str) -> None:
    for settings in (Settings(), ODD):
        value = settings.value(name)
        assert FIELDS[name].read(FIELDS[name].show(value)) == value


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("temp", " 0,7 ", 0.7),
        ("stop_strings", "User:", ("User:",)),
        ("stop_strings", r'"\n\n" "User:"', ("\n\n", "User:")),
        ("stop_strings", "'a', 'b'", ("a", "b")),
        ("stop_strings", "", ()),
        ("seed", "", None),
        ("seed", "7", 7),
        ("until", "sentence, entropy 2.5", (SentenceEnd(), EntropyAbove(2.5))),
    ],
)
def test_what_is_typed(name: str, typed: str, value: Any) -> None:
    assert FIELDS[name].read(typed) == value


@pytest.mark.parametrize(
    ("name", "typed", "says"),
    [
        ("temp", "warm", "Temperature takes a number, not 'warm'"),
        ("top_k", "1.5", "Top-k takes a whole number"),
        ("max_tokens", "9" * 400, "can't be larger than"),
        ("stop_strings", '"open', "texts in quotes"),
        ("until", "soon", "one or more of sentence"),
        ("until", "fork 7", "p must lie between"),
        ("temp", "x" * 3000, "at most 2000 characters"),
    ],
)
def test_what_means_nothing_is_told_in_a_line(name: str, typed: str, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        FIELDS[name].read(typed)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "stored",
    [
        {"n": True},
        {"n": 0},
        {"n": 10**400},
        {"temp": "hot"},
        {"temp": -1},
        {"temp": 10**400},
        {"top_k": 3.5},
        {"stop_strings": "text"},
        {"stop_strings": [1]},
        {"until": ["soon"]},
        {"seed": "x"},
        {"nothing": 1},
        {"min_p": [0.1]},
        {"max_tokens": None},
    ],
)
def test_what_a_file_says_wrongly_is_refused(stored: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        from_stored(stored)


def test_presets_are_saved_replaced_deleted_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "config" / FILE_NAME
    presets = Presets(path)
    presets.put(Preset("odd [one]", Scope.ALL, from_stored(to_stored(ODD))))
    presets.put(Preset("own", Scope.SESSION, {"temp": 0.1}))
    presets.put(Preset("second", Scope.ALL, {"n": 2}))
    again = Presets(path, presets.session_values)
    assert [(found.name, found.scope) for found in again][:3] == [
        ("own", Scope.SESSION),
        ("odd [one]", Scope.ALL),
        ("second", Scope.ALL),
    ]
    odd = next(found for found in again if found.name == "odd [one]")
    assert odd.applied(Settings()) == ODD
    assert again.in_force(ODD) == odd
    again.delete(odd)
    assert [found.name for found in Presets(path)] == ["second", *(found.name for found in SHIPPED)]


def test_another_windows_presets_are_kept(tmp_path: Path) -> None:
    here, there = Presets(tmp_path / FILE_NAME), Presets(tmp_path / FILE_NAME)
    there.put(Preset("theirs", Scope.ALL, {"n": 2}))
    here.put(Preset("ours", Scope.ALL, {"n": 3}))
    assert {"ours", "theirs"} <= {found.name for found in Presets(tmp_path / FILE_NAME)}


def test_a_mistake_in_the_presets_is_named_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    text = '[good]\ntemp = 0.3\n[bad]\ntemp = "hot"\n'
    path.write_text(text, "utf-8")
    presets = Presets(path)
    assert next(iter(presets)).name == "good"
    assert len(presets.problems) == 1
    assert "'bad'" in presets.problems[0] and "temp" in presets.problems[0]
    with pytest.raises(FileProblem):
        presets.put(Preset("new", Scope.ALL, {"n": 3}))
    assert path.read_text("utf-8") == text
    path.write_text("[broken", "utf-8")
    assert "mend it" in Presets(path).problems[0]


@pytest.mark.parametrize("name", ["", "  ", "wild", "a" * 41, "a\nb", "\x1b[2J"])
def test_names_that_presets_cannot_have(name: str) -> None:
    assert check_name(name)


def test_preferences_are_remembered_and_a_mistake_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "new" / "settings.toml"
    file = PreferencesFile(path)
    assert not file.change(theme="light", tree_width=55, motion=Motion.REDUCED, hints_given=("a", "a"))
    again = PreferencesFile(path)
    assert again.values == file.values
    assert again.values.theme == "light" and again.values.motion is Motion.REDUCED
    path.write_text("tree_width = 900\n", "utf-8")
    broken = PreferencesFile(path)
    assert "tree_width can't be '900'" in broken.problem
    broken.change(theme="ansi")
    assert path.read_text("utf-8") == "tree_width = 900\n"


@pytest.mark.parametrize(
    ("environment", "takes"),
    [
        ({}, True),
        ({"LANG": "de_DE.UTF-8"}, True),
        ({"LANG": "de_DE.utf8"}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, False),
        ({"LC_ALL": "", "LC_CTYPE": "POSIX", "LANG": "x.UTF-8"}, False),
    ],
)
def test_whether_the_locale_takes_unicode(environment: dict[str, str], takes: bool) -> None:
    assert locale_takes_unicode(environment) is takes


def test_toml_holds_any_text(tmp_path: Path) -> None:
    texts = ['"', "\\", "\x00\x1f\x7f", "\ud800", "ü…", "", "a.b c"]
    values = {"list": texts, "on": True, "n": -3, "x": 0.1, "table": {text or "e": 1 for text in texts}}
    write_toml(tmp_path / "a.toml", "two\nlines", values)
    found = read_toml(tmp_path / "a.toml")
    assert found["list"] == [text.replace("\ud800", "\ufffd") for text in texts]
    assert {name: found[name] for name in ("on", "n", "x")} == {"on": True, "n": -3, "x": 0.1}
    assert found["table"]["a.b c"] == 1
    assert SignSet("ascii") is SignSet.ASCII


def test_the_command_line_takes_presets_and_themes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("N8LOOM_CONFIG_DIR", str(tmp_path))
    Presets(tmp_path / FILE_NAME).put(Preset("mine", Scope.ALL, {"n": 5, "temp": 0.2}))
    assert given_settings("mine", temp=0.9, seed=None) == {"n": 5, "temp": 0.9}
    with pytest.raises(ValueError, match="did you mean wild"):
        given_settings("wlid")
    with pytest.raises(ValueError, match="n must be between"):
        given_settings(None, n=0)
    check_theme("light")
    with pytest.raises(ValueError, match="no theme"):
        check_theme("lihgt")
