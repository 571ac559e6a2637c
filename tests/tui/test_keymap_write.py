"""A person's own keymaps file, as the program writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from n8loom_tui.tui.keymap import check_keymaps, load_keymaps, shipped_keymaps_path
from n8loom_tui.tui.keymap_write import set_key, starter, write_starter
from n8loom_tui.tui.toml_file import FileProblem

SHIPPED = shipped_keymaps_path()


def keys(path: Path, action: str) -> tuple[str, ...]:
    keymap, problems = load_keymaps("default", SHIPPED, path)
    assert not problems
    return keymap.labels(action, ascii_only=True)


@pytest.mark.parametrize("name", ["default", "vim", "arrows"])
def test_the_starter_changes_nothing_even_with_every_line_taken_in(tmp_path: Path, name: str) -> None:
    keymap, _ = load_keymaps(name, SHIPPED, None)
    path = tmp_path / "folder" / "keymaps.toml"
    write_starter(path, keymap)
    assert not check_keymaps(SHIPPED, path)
    lines = [line.removeprefix("# ") if " = " in line else line for line in starter(keymap).splitlines()]
    path.write_text("\n".join(line for line in lines if not line.startswith("A line")), "utf-8")
    again, problems = load_keymaps(name, SHIPPED, path)
    assert not problems
    assert again.bindings == keymap.bindings


def test_a_file_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "keymaps.toml"
    path.write_text("[mine]\n", "utf-8")
    keymap, _ = load_keymaps("default", SHIPPED, None)
    with pytest.raises(FileProblem, match="stays as it is"):
        write_starter(path, keymap)
    assert path.read_text("utf-8") == "[mine]\n"


def test_keys_are_set_one_by_one_and_all_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "keymaps.toml"
    assert set_key(path, SHIPPED, "trim=f8") == "Trim: drop the last tokens: f8"
    path.write_text("# mine\n" + path.read_text("utf-8") + '[vim]\ntrim = "t"  # kept\n', "utf-8")
    set_key(path, SHIPPED, "trim = ctrl+t")
    set_key(path, SHIPPED, "ramify=space,r")
    set_key(path, SHIPPED, "note=")
    assert keys(path, "trim") == ("ctrl+t",)
    assert keys(path, "ramify") == ("space", "r")
    assert keys(path, "note") == ()
    text = path.read_text("utf-8")
    assert text.startswith("# mine\n") and text.endswith('[vim]\ntrim = "t"  # kept\n')
    assert text.count("trim") == 2


def test_a_starter_line_becomes_the_line(tmp_path: Path) -> None:
    path = tmp_path / "keymaps.toml"
    keymap, _ = load_keymaps("default", SHIPPED, None)
    write_starter(path, keymap)
    set_key(path, SHIPPED, "trim=f8")
    assert keys(path, "trim") == ("f8",)
    assert path.read_text("utf-8").count("trim = ") == 1


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("trim", "takes ACTION=KEY"),
        ("trimm=x", "did you mean trim"),
        ("trim=ctrl+", "unknown key"),
        ("trim=d", "two actions on one key"),
        ("copy_text=,", "begin alike"),
    ],
)
def test_mistakes_change_nothing(tmp_path: Path, wanted: str, says: str) -> None:
    path = tmp_path / "keymaps.toml"
    set_key(path, SHIPPED, "note=f6")
    before = path.read_text("utf-8")
    with pytest.raises(FileProblem, match=says):
        set_key(path, SHIPPED, wanted)
    assert path.read_text("utf-8") == before
