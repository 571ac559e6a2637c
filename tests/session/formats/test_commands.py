"""`import` and `export` as a person calls them: no model, notices beside the output, one line on failure."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from support import loom_files

from n8loom_tui.cli import main
from n8loom_tui.session.store import read_session


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys) -> Run:
    """Call the command line, with JSON lines piped in."""

    def call(*arguments: str | Path) -> Result:
        monkeypatch.setenv("N8LOOM_DATA_DIR", str(tmp_path))
        monkeypatch.setattr(sys, "argv", ["n8loom-tui", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(loom_files.jsonl().encode())))
        code = 0
        try:
            main()
        except SystemExit as error:
            code = int(error.code or 0)
        return Result(code, *capsys.readouterr())

    return call


def test_from_pyloom_to_loomsidian(tmp_path, run: Run) -> None:
    (tmp_path / "rain.json").write_text(json.dumps(loom_files.pyloom()))
    imported = run("import", tmp_path / "rain.json")
    session = Path(imported.out.strip())
    assert session == tmp_path / "sessions" / "rain.loom" and read_session(session).nodes == 4
    assert "Read as PyLoom: 4 nodes." in imported.err and "multimedia (1)" in imported.err
    exported = run("export", session, "--to", "loomsidian")
    assert exported.code == 0 and "tags (" in exported.err
    texts = [node["text"] for node in json.loads(exported.out)["nodes"].values()]
    assert texts == ["There will be", " rain again", " no rain", ", none"]


def test_through_a_pipe(tmp_path, run: Run) -> None:
    assert run("import", "-", "-o", tmp_path / "new").out == f"{tmp_path / 'new.loom'}\n"
    assert (
        run("export", tmp_path / "new.loom", "--to", "md", "--path", "--node", "u").out
        == "Once upon a time\n"
    )
    below = run("export", tmp_path / "new.loom", "--to", "jsonl", "--node", "s").out
    assert [json.loads(line)["id"] for line in below.splitlines()] == ["s", "u"]


def test_one_line_on_failure(tmp_path, run: Run) -> None:
    assert run("import", "-", "-o", tmp_path / "new").code == 0
    for arguments in (
        ("import", tmp_path / "nobody.json"),
        ("import", "-", "-o", tmp_path / "new"),
        ("export", tmp_path / "new.loom", "--to", "exoloom"),
        ("export", tmp_path / "new.loom", "--to", "text", "--node", "nobody"),
    ):
        failed = run(*arguments)
        assert failed.code == 1 and failed.out == ""
        assert failed.err.startswith("n8loom-tui: ") and failed.err.count("\n") == 1


def test_it_needs_no_model(tmp_path) -> None:
    code = (
        "import sys\n"
        "for name in ('mlx', 'mlx_lm', 'transformers', 'numpy', 'textual'): sys.modules[name] = None\n"
        "from n8loom_tui.cli import main\n"
        "main()"
    )
    command = [sys.executable, "-c", code, "import", "-", "-o", str(tmp_path / "a")]
    done = subprocess.run(command, input=loom_files.jsonl(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'a.loom'}\n"), done.stderr
