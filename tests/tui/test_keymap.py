"""Keymaps: the shipped ones are whole, and no file of a person's own can leave the app without keys."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from n8loom_tui.tui.actions import ACTIONS
from n8loom_tui.tui.keymap import (
    Keymap,
    KeymapProblem,
    Severity,
    check_keymaps,
    load_keymaps,
    shipped_keymaps_path,
)
from n8loom_tui.tui.keys import parse_keys
from n8loom_tui.tui.keys_text import render_keymap, render_problems
from n8loom_tui.tui.router import Fire, KeyRouter

SHIPPED = shipped_keymaps_path()
NAMES = ("default", "vim", "arrows")
ESSENTIAL = [action.id for action in ACTIONS.values() if action.essential]


def load(tmp_path: Path, text: str | bytes, name: str = "default") -> tuple[Keymap, list[KeymapProblem]]:
    path = tmp_path / "keymaps.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_keymaps(name, SHIPPED, path)


def assert_works(keymap: Keymap) -> None:
    """No clash, every essential action on a key, and every key fires what it says."""
    typed = KeyRouter(keymap)
    for action, sequences in keymap.bindings.items():
        for sequence in sequences:
            assert [typed.feed(key) for key in sequence][-1] == Fire(action)
    for action in ESSENTIAL:
        assert keymap.keys_of(action), action


def assert_harmless(problems: list[KeymapProblem]) -> None:
    for problem in problems:
        assert str(problem).isprintable() and len(str(problem)) < 1000
        assert problem.message and problem.fix


# ── what is shipped


@pytest.mark.parametrize("name", NAMES)
def test_shipped_keymaps_have_no_problem_and_reach_every_action(name: str) -> None:
    keymap, problems = load_keymaps(name, SHIPPED, None)
    assert problems == []
    assert keymap.name == name
    assert [action for action, sequences in keymap.bindings.items() if not sequences] == []
    assert_works(keymap)


def test_check_finds_nothing_wrong_with_what_is_shipped() -> None:
    assert check_keymaps(SHIPPED, None) == []


def test_arrows_need_no_letters() -> None:
    keymap, _ = load_keymaps("arrows", SHIPPED, None)
    sequences = [sequence for keys in keymap.bindings.values() for sequence in keys]
    assert not any(len(sequence[0]) == 1 for sequence in sequences), "letters only behind a key that is none"


def test_help_quit_and_palette_have_a_key_that_types_no_text() -> None:
    for keymap in (load_keymaps(name, SHIPPED, None)[0] for name in NAMES):
        assert ("ctrl+q",) in keymap.keys_of("quit")
        assert ("f1",) in keymap.keys_of("help")
        assert ("ctrl+p",) in keymap.keys_of("palette")


def test_defaults_are_those_of_the_design() -> None:
    keymap, _ = load_keymaps("default", SHIPPED, None)
    wanted = {
        "row_up": "↑", "parent": "←", "ramify": "space", "continue_one": "enter", "ramify_leaves": "R",
        "stop": "esc", "add_text": "i", "clip": "x", "trim": "t", "delete": "d", "make_leaf": "D",
        "toggle_fold": "z", "fold_all_but_path": "Z", "next_pane": "tab", "copy_text": "y", "help": "?",
        "palette": ":", "quit": "q", "set_n": ", n",
    }  # fmt: skip
    assert {action: keymap.label(action) for action in wanted} == wanted


# ── a person's own file


def test_a_file_that_is_not_there_is_no_problem(tmp_path: Path) -> None:
    keymap, problems = load_keymaps("default", SHIPPED, tmp_path / "keymaps.toml")
    assert problems == []
    assert keymap == load_keymaps("default", SHIPPED, None)[0]


def test_override_is_laid_over_any_keymap(tmp_path: Path) -> None:
    for name in NAMES:
        keymap, problems = load(tmp_path, '[override]\nramify = ["f13", "f14"]\n', name)
        assert problems == []
        assert keymap.labels("ramify") == ("f13", "f14")
        assert_works(keymap)


def test_two_actions_may_change_places(tmp_path: Path) -> None:
    keymap, problems = load(tmp_path, '[override]\nclip = "t"\ntrim = "x"\n')
    assert problems == []
    assert (keymap.label("clip"), keymap.label("trim")) == ("t", "x")


def test_changes_to_a_shipped_keymap_count_for_those_that_inherit_it(tmp_path: Path) -> None:
    text = '[default]\nramify = "f13"\n[vim]\ntop = "g t"\n'
    assert load(tmp_path, text, "vim")[0].label("ramify") == "f13"
    assert load(tmp_path, text, "vim")[0].labels("top") == ("g t",)
    assert load(tmp_path, text, "default")[0].labels("top") == ("g", "home")


def test_a_keymap_of_ones_own_inherits_what_it_does_not_list(tmp_path: Path) -> None:
    text = (
        '[mine]\ninherit = "vim"\nramify = "f13"\n[bare]\ninherit = ""\nramify = "r"\n[plain]\ntop = "f14"\n'
    )
    mine, problems = load(tmp_path, text, "mine")
    assert problems == []
    assert (mine.label("ramify"), mine.label("top")) == ("f13", "g g")
    assert load(tmp_path, text, "plain")[0].label("clip") == "x"
    bare, problems = load(tmp_path, text, "bare")
    assert problems == []
    assert {action for action, keys in bare.bindings.items() if keys} == {"ramify", *ESSENTIAL}


@pytest.mark.parametrize("empty", ['""', "[]", '[""]'])
def test_an_action_can_be_left_without_a_key(tmp_path: Path, empty: str) -> None:
    keymap, problems = load(tmp_path, f"[override]\ndelete = {empty}\ncopy_text = 'd'\n")
    assert problems == []
    assert (keymap.keys_of("delete"), keymap.label("delete")) == ((), "")
    assert keymap.labels("copy_text") == ("d",)


def test_an_essential_action_always_keeps_a_key(tmp_path: Path) -> None:
    text = "[override]\n" + "".join(f"{action} = []\n" for action in ESSENTIAL)
    keymap, problems = load(tmp_path, text)
    assert_works(keymap)
    assert keymap.labels("quit") == ("q", "ctrl+q")
    assert {problem.line for problem in problems} == {2, 3, 4, 5}


def test_an_essential_action_takes_its_key_back_from_another(tmp_path: Path) -> None:
    text = '[bare]\ninherit = ""\nquit = []\nramify = "ctrl+q"\nclip = "f1 f1"\nhelp = "ctrl+p"\nstop = "s"\n'
    keymap, problems = load(tmp_path, text, "bare")
    assert_works(keymap)
    assert keymap.keys_of("ramify") == ()
    assert any('taken from "ramify"' in problem.fix and problem.line == 3 for problem in problems)


# ── mistakes: file, line, fix, and an otherwise working map

MISTAKES = [
    ('[override]\nramfiy = "r"\n', 2, 'unknown action "ramfiy"', 'did you mean "ramify"?'),
    ('[override]\nxyzzy = "r"\n', 2, 'unknown action "xyzzy"', "n8loom-tui keys lists"),
    ('[override]\n\nramify = "spce"\n', 3, 'unknown key "spce"', 'did you mean "space"?'),
    ('[override]\nramify = "k,up"\n', 2, 'unknown key "k,up"', '["k", "up"]'),
    (
        '[override]\ncopy_text = "x"\n',
        2,
        'two actions on one key: "clip" and "copy_text" both use x',
        "is on y",
    ),
    ('[override]\nfold = "f13"\nunfold = "f13"\n', 3, '"fold" and "unfold" both use f13', "is on +"),
    ('[override]\ntop = "x x"\n', 2, '"top" on x x and "clip" on x begin alike', "is on g and home"),
    ('[override]\ncopy_text = "comma"\n', 2, '"copy_text" on , and "settings" on , , begin alike', "is on y"),
    ('[override]\ntop = ["f13 g", "f13"]\n', 2, '"top": f13 and f13 g begin alike', "f13 g"),
    ('[override]\nramify = "r\n', 2, "invalid TOML", "until then the whole file"),
    ("[override]\nramify = 'r'\nramify = 'R'\n", 3, "invalid TOML", "column"),
    ("[override", 1, "invalid TOML", "correct that line"),
    ("[override]\nramify = 5\n", 2, '"ramify" must be a key or a list', 'ramify = "x"'),
    ("[override]\nramify = ['r', 5]\n", 2, '"ramify" must be a key or a list', 'ramify = "x"'),
    ("[override]\n[override.ramify]\nkey = 'r'\n", 2, '"ramify" must be a key or a list', 'ramify = "x"'),
    ("# keys\nramify = 'r'\n", 2, '"ramify" stands outside a keymap', "[override]"),
    ("[override]\nramify = 'ctrl+c'\n", 2, "ctrl+c is reserved", "choose another key"),
    ("[override]\nramify = '8'\n", 2, "begins a count", "not a digit"),
    ("[override]\nramify = 'g escape'\n", 2, "escape cancels", "choose another key"),
    ("[override]\nramify = 'ctrl+i'\n", 2, "most terminals send tab for ctrl+i", "choose another key"),
    ("[override]\nramify = 'ctrl+m'\n", 2, "most terminals send enter for ctrl+m", "choose another key"),
    ("[override]\nramify = 'ctrl+h'\n", 2, "most terminals send backspace for ctrl+h", "choose another key"),
    ("[overide]\nramify = 'r'\n", 1, '"overide" is taken for a keymap of its own', "[override]"),
    ("[override]\ninherit = 'vim'\n", 2, "cannot inherit", "remove the line"),
    ("[default]\ninherit = 5\n", 2, "must be the name of a keymap", 'inherit = "default"'),
    ("[default]\ninherit = 'vmi'\n", 2, 'unknown keymap "vmi"', 'did you mean "vim"?'),
    ("[default]\ninherit = 'vim'\n", 2, '"default" inherits itself', 'inherit = ""'),
    (b"[override]\n# \xff\xfe\n", 2, "not valid UTF-8", "UTF-8"),
    ("a = " + "[" * 9000, None, "nested too deep", "left aside"),
    ("\n" + "a." * 20_000 + "a = 1", 2, "a line of 40005 characters", "left aside"),
    ("#" * 70_000, None, "larger than 64 KiB", "only keymaps"),
    ("[override]\nramify = " + str(["f13"] * 40), 2, "has 40 keys", "first 16"),
    ("override = { ramfiy = 'r' }\n", 1, 'unknown action "ramfiy"', "ramify"),
    ("override.ramfiy = 'r'\n", 1, 'unknown action "ramfiy"', "ramify"),
    ("\n['override']\n\"ramfiy\" = 'r'\n", 3, 'unknown action "ramfiy"', "ramify"),
    ("\ufeff[override]\r\nramfiy = 'r'\r\n", 2, 'unknown action "ramfiy"', "ramify"),
    ("[override]\nramify = [\n  'spce',\n]\ntop = 'tpo'\n", 5, 'unknown key "tpo"', "a key is"),
]


@pytest.mark.parametrize(("text", "line", "message", "fix"), MISTAKES)
def test_a_mistake_names_file_line_and_fix(
    tmp_path: Path, text: str | bytes, line: int | None, message: str, fix: str
) -> None:
    keymap, problems = load(tmp_path, text)
    found = [problem for problem in problems if message in problem.message]
    assert len(found) == 1, render_problems(problems)
    assert found[0].file == tmp_path / "keymaps.toml"
    assert found[0].line == line
    assert str(found[0]).startswith(f"{found[0].file}:{line}: " if line else f"{found[0].file}: ")
    assert fix in f"{found[0].message} {found[0].fix}"
    assert_harmless(problems)
    assert_works(keymap)
    assert [action for action, keys in keymap.bindings.items() if not keys] == []


def test_a_bad_key_leaves_the_good_ones_and_a_bad_line_the_old_ones(tmp_path: Path) -> None:
    keymap, problems = load(tmp_path, '[override]\nramify = ["spce", "f13"]\nclip = "nokey"\n')
    assert keymap.labels("ramify") == ("f13",)
    assert keymap.labels("clip") == ("x",)
    assert [problem.line for problem in problems] == [2, 3]


def test_a_warning_still_binds_the_key(tmp_path: Path) -> None:
    keymap, problems = load(tmp_path, '[override]\nramify = "ctrl+i"\n')
    assert keymap.labels("ramify") == ("ctrl+i",)
    assert [problem.severity for problem in problems] == [Severity.WARNING]
    assert render_problems(problems).startswith("warning: ")


def test_an_action_without_any_free_key_says_so(tmp_path: Path) -> None:
    keymap, problems = load(tmp_path, '[override]\nquit = ["y", "ctrl+q"]\ncopy_text = "x"\n')
    assert keymap.labels("quit") == ("y", "ctrl+q")
    assert keymap.keys_of("copy_text") == ()
    assert [problem.line for problem in problems] == [3]
    assert 'until then "copy_text" has no key' in problems[0].fix


def test_a_persons_change_loses_to_what_is_shipped_in_any_layer(tmp_path: Path) -> None:
    keymap, problems = load(tmp_path, '[default]\nadd_text = "g"\n', "vim")
    assert keymap.label("top") == "g g"
    assert keymap.label("add_text") == "i"
    assert [(problem.file, problem.line) for problem in problems] == [(tmp_path / "keymaps.toml", 2)]


@pytest.mark.parametrize(("name", "near"), [("vmi", "vim"), ("Default", "default"), ("arow", "arrows")])
def test_an_unknown_keymap_gives_the_default_and_the_nearest_name(name: str, near: str) -> None:
    keymap, problems = load_keymaps(name, SHIPPED, None)
    assert keymap.name == "default"
    assert len(problems) == 1
    assert str(problems[0]) == f'--keymap: unknown keymap "{name}" — did you mean "{near}"?'


def test_an_unknown_keymap_with_no_near_name_lists_all() -> None:
    for name in ("emacs", "", "override", "\x1b]0;x\x07", "x" * 10_000):
        keymap, problems = load_keymaps(name, SHIPPED, None)
        assert keymap.name == "default"
        assert "choose one of default, vim, arrows" in problems[0].fix
        assert_harmless(problems)


def test_files_that_cannot_be_read_leave_working_keys(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (folder, pipe):
        keymap, problems = load_keymaps("vim", SHIPPED, path)
        assert keymap == load_keymaps("vim", SHIPPED, None)[0]
        assert [problem.file for problem in problems] == [path]
    for shipped in (tmp_path / "nothing", folder, pipe):
        keymap, problems = load_keymaps("vim", shipped, None)
        assert problems
        assert_works(keymap)


def test_check_looks_at_keymaps_that_are_not_chosen(tmp_path: Path) -> None:
    path = tmp_path / "keymaps.toml"
    path.write_text('[mine]\nclip = "f13"\ntrim = "f13"\n')
    assert load_keymaps("default", SHIPPED, path)[1] == []
    problems = check_keymaps(SHIPPED, path)
    assert [problem.line for problem in problems] == [3]


def test_two_keymaps_that_inherit_each_other_still_work(tmp_path: Path) -> None:
    text = '[a]\ninherit = "b"\nclip = "f13"\n[b]\ninherit = "a"\ntrim = "f14"\n'
    keymap, problems = load(tmp_path, text, "a")
    assert (keymap.label("clip"), keymap.label("trim"), keymap.label("ramify")) == ("f13", "f14", "space")
    assert [(problem.line, '"a" inherits itself' in problem.message) for problem in problems] == [(2, True)]
    _, problems = load(tmp_path, '[mine]\ninherit = "vim"\n[default]\ninherit = "vim"\n', "mine")
    assert [(problem.line, '"default" inherits' in problem.message) for problem in problems] == [(4, True)]


# ── files that mean harm, or nothing


def test_hostile_names_and_keys_are_shown_harmlessly(tmp_path: Path) -> None:
    long = "k" * 10_000
    text = (
        '["\\u001b[31mred[/b]"]\nclip = "\\u0000"\ninherit = "\\u009b2J"\n'
        f'[override]\n"\\u001b]0;x\\u0007" = "r"\nramify = "\\u001b[2J"\n{long} = "r"\nclip = "{long}"\n'
        'trim = "\\u202e"\ndelete = ["\\n", "\\u0000 \\u0001"]\n'
    )
    for name in ("default", "\x1b[31mred[/b]"):
        keymap, problems = load(tmp_path, text, name)
        assert len(problems) >= 7
        assert_harmless(problems)
        assert_works(keymap)
        assert all(line.isprintable() for line in render_keymap(keymap).splitlines())


def test_a_file_of_nothing_but_mistakes_ends_soon(tmp_path: Path) -> None:
    text = "[override]\n" + "".join(f'ramif{number} = "spce"\n' for number in range(2500))
    keymap, problems = load(tmp_path, text)
    assert 50 <= len(problems) <= 100
    assert_works(keymap)


def test_garbage_never_raises(tmp_path: Path) -> None:
    rng = random.Random(11)
    shipped = SHIPPED.read_bytes()
    for _ in range(150):
        broken = bytearray(shipped[: rng.randrange(len(shipped))])
        for _ in range(rng.randrange(1, 12)):
            if broken:
                broken[rng.randrange(len(broken))] = rng.choice(b"\"'[]{}=.,#\n\r\x00\x1b\xff aZ09")
        keymap, problems = load(tmp_path, bytes(broken), rng.choice([*NAMES, "x"]))
        assert_works(keymap)
        assert_harmless(problems)


def test_valid_toml_of_any_shape_never_raises(tmp_path: Path) -> None:
    rng = random.Random(13)
    keys = [
        "x",
        "g",
        "g g",
        "g g g",
        "escape",
        "ctrl+q",
        "q",
        "f1",
        "ctrl+p",
        ":",
        "?",
        ", n",
        ",",
        "spce",
        "3",
        "",
    ]
    odd = ["1", "2024-01-01", "{}", "{a = []}", "[[]]", "true", "nan", "'''\n[override]\n'''", "9" * 5000]
    for _ in range(200):
        lines: list[str] = []
        for table in rng.sample(["default", "vim", "override", "mine", "'[/b]'"], k=3):
            lines.append(f"[{table}]")
            if rng.random() < 0.4:
                lines.append(f"inherit = '{rng.choice(['', 'vim', 'mine', 'default', 'nix'])}'")
            for action in rng.sample([*ACTIONS, "nonsense"], k=8):
                value = repr(rng.sample(keys, k=rng.randrange(4)))
                lines.append(f"{action} = {value if rng.random() < 0.95 else rng.choice(odd)}")
        keymap, problems = load(tmp_path, "\n".join(lines), rng.choice(["default", "vim", "mine"]))
        assert_works(keymap)
        assert_harmless(problems)
        assert all(problem.line for problem in problems if problem.file == tmp_path / "keymaps.toml")


def test_the_printed_keymap_is_aligned_and_can_be_written_back() -> None:
    keymap, _ = load_keymaps("default", SHIPPED, None)
    text = render_keymap(keymap, ascii_only=True)
    rows = [line for line in text.splitlines() if line.startswith("  ")]
    assert len(rows) == len(ACTIONS)
    assert {row.index(action) for row, action in zip(rows, ACTIONS, strict=True)} == {rows[0].index("row_up")}
    for row, action in zip(rows, ACTIONS, strict=True):
        keys = row[: row.index(action)].strip().split("  ")
        assert tuple(parse_keys(key) for key in keys) == keymap.keys_of(action)


def test_keymaps_load_without_textual_or_mlx() -> None:
    code = (
        "import sys; from n8loom_tui.tui import keys_text, router;"
        "print([name for name in sys.modules if name.split('.')[0] in ('textual', 'mlx', 'transformers')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
