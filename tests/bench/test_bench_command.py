"""`n8loom-tui bench` as a person meets it: what is printed, where to, and how it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.benching import SETTINGS, loaded

from n8loom_tui import cli
from n8loom_tui.bench import depth, leaves
from n8loom_tui.bench import run as run_module
from n8loom_tui.bench import settings as settings_module
from n8loom_tui.bench.lab import Lab
from n8loom_tui.bench.settings import BenchSettings, Section

Bench = Callable[..., int]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Runs the command on a tiny model, with settings that take a moment. Returns the exit code."""

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["n8loom-tui", "bench", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    monkeypatch.setattr(settings_module, "BenchSettings", lambda: BenchSettings(**SETTINGS))
    monkeypatch.setattr(run_module, "load_model", lambda name, **options: loaded(name))
    return run


def interrupt(lab: Lab) -> None:
    raise KeyboardInterrupt


def test_everything_is_measured_and_printed_as_plain_text(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    assert bench("--threads", "1", "--json", str(file)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.isascii() or set(filter(lambda c: not c.isascii(), out)) <= {"×"}
    assert "\x1b" not in out
    assert max(map(len, out.splitlines()[5:])) <= 80
    for title in ("Decoding", "First token", "Many leaves", "Depth", "Choosing", "Reading", "Beside"):
        assert title in out
    told = json.loads(file.read_text())
    assert told["format"] == 1
    assert told["model"] == "smollm2"
    assert told["complete"] is True
    assert told["host"]["threads"] == 1
    assert told["cores_used"] > 0
    assert told["host"]["threads_chosen"] == "given"
    assert {"python", "mlx", "mlx-lm"} <= set(told["host"]["versions"])
    assert told["settings"]["prefixes"] == list(SETTINGS["prefixes"])
    for section in Section:
        assert told[section], section
    assert {"prefix", "branches", "engine", "mlx_lm", "floor", "own_floor"} <= set(told["decode"][0])
    assert {"tokens_per_second", "step", "first_token", "extra_memory"} == set(told["decode"][0]["engine"])
    assert {"median", "p90", "longest", "count"} == set(told["decode"][0]["engine"]["step"])


def test_json_alone_on_stdout(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        bench("--threads", "1", "--only", "depth", "--only", "prefill", "--prefix", "8", "--json", "-") == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert [row["nodes"] for row in told["depth"]] == [1, 24]
    assert [row["tokens"] for row in told["prefill"]] == [8]
    assert not any(told[section] for section in ("decode", "leaves", "sampling", "joining"))


def test_ctrl_c_tells_what_there_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(depth, "run", interrupt)
    file = tmp_path / "figures.json"
    assert bench("--threads", "1", "-n", "2", "--prefix", "8", "--json", str(file)) == 130
    out, err = capsys.readouterr()
    assert "Decoding" in out
    assert "Many leaves" in out
    assert "ended early" in out
    assert err == ""
    told = json.loads(file.read_text())
    assert told["complete"] is False
    assert len(told["decode"]) == 1
    assert not told["depth"]
    assert not told["joining"]


def test_a_failure_is_one_line_and_what_there_is_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(lab: Lab) -> None:
        raise RuntimeError("out of\nmemory\x1b[2J")

    monkeypatch.setattr(leaves, "run", fail)
    assert bench("--threads", "1", "-n", "1", "--prefix", "8") == 1
    out, err = capsys.readouterr()
    assert "Decoding" in out
    assert err.count("\n") == 1
    assert err.startswith("n8loom-tui: out of memory")
    assert "\x1b" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prefix", "many"], "no list of whole numbers"),
        (["-n", "0"], "at least 1"),
        (["--only", "everything"], "everything"),
        (["--rounds", "0"], "at least 1"),
        (["--threads", "0"], "threads"),
        (["--dtype", "float8"], "--dtype must be one of"),
        (["--json"], "--json"),
    ],
)
def test_wrong_usage(
    bench: Bench, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(*arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--json", "nowhere/to/be/found.json"], "can't be written"),
        (["--json", "."], "is a folder"),
        (["no such model"], "no file or folder"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_loaded(
    bench: Bench,
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(run_module, "load_model", lambda name, **options: pytest.fail("loaded"))
    monkeypatch.chdir(tmp_path)
    assert bench(*arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err
    assert list(tmp_path.iterdir()) == []
