"""The app's own backend with the KV cache on disk: on the engine's thread, to the end and back again."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tiny import build_model, greedy, tiny_tokenizer
from typer.testing import CliRunner

from n8loom_tui.cli import app
from n8loom_tui.loom.kept import writer as writer_module
from n8loom_tui.loom.kept.keeper import Kept
from n8loom_tui.loom.kept.names import Name
from n8loom_tui.loom.kernels.network import Network
from n8loom_tui.loom.protocol import (
    BranchSpec,
    BranchToken,
    EngineStats,
    Ramify,
    RequestFinished,
    SamplingParams,
    Segment,
    Source,
)
from n8loom_tui.models import load as load_module
from n8loom_tui.tui import backend as backend_module
from n8loom_tui.tui.backend import ModelBackend
from n8loom_tui.tui.engine_thread import EngineThread, Told

PATH = [token % 250 for token in range(3, 903, 3)]


@pytest.fixture(autouse=True)
def _tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny model whatever is asked for, and a cache folder of its own."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"weights")

    def load(name: str, **_: Any) -> Any:
        report = SimpleNamespace(dtype="float32", device="cpu", summary="cpu")
        return SimpleNamespace(
            model=build_model("llama"),
            tokenizer=tiny_tokenizer("plain"),
            name=name,
            fingerprint="tiny",
            report=report,
            has_chat_template=False,
            context_length=None,
            folder=tmp_path / "model",
        )

    monkeypatch.setattr(load_module, "load_model", load)
    monkeypatch.setattr(writer_module, "RESERVE", 0)
    monkeypatch.setattr(backend_module, "LAST_WRITES", 60)
    monkeypatch.setenv("N8LOOM_CACHE_DIR", str(tmp_path))


def run(**options: Any) -> tuple[list[int], EngineStats]:
    """Start the engine's thread, grow one branch, and leave. What it said, and the last figures."""
    thread = EngineThread(ModelBackend("tiny", threads=1, **options))
    thread.start()
    source = Source((Segment("s", tuple(PATH)),), (BranchSpec("b", 1),))
    thread.submit(Ramify("r", (source,), SamplingParams(temp=0, max_tokens=4)))
    told: list[Told] = []
    pause = threading.Event()
    for _ in range(10_000):
        told += thread.drain()
        if any(isinstance(each, EngineStats) and each.tokens == 4 and not each.running for each in told):
            break
        pause.wait(0.005)
    assert thread.stop(120)
    figures = [each for each in told if isinstance(each, EngineStats)]
    return [each.token for each in told if isinstance(each, BranchToken)], figures[-1]


def test_what_was_computed_before_leaving_is_there_afterwards(tmp_path: Path) -> None:
    said, figures = run(kv_disk=1 << 26)
    assert (figures.prefilled, figures.restored) == (len(PATH) - 1, 0)
    again, figures = run(kv_disk=1 << 26)
    assert (figures.prefilled, figures.restored) == (0, len(PATH) - 1)
    assert figures.saved == 1
    assert said == again == greedy(build_model("llama"), PATH, 4)


def test_what_was_read_is_written_while_branches_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend_module, "BESIDE", 0)
    monkeypatch.setattr(backend_module, "LAST_WRITES", 0)
    thread = EngineThread(ModelBackend("tiny", threads=1, kv_disk=1 << 26))
    thread.start()
    branches = tuple(BranchSpec(f"b{number}", number) for number in range(4))
    source = Source((Segment("s", tuple(PATH)),), branches)
    thread.submit(Ramify("r", (source,), SamplingParams(temp=0, max_tokens=100_000)))
    pause = threading.Event()
    for _ in range(10_000):
        names = [Name.parse(file.name) for file in (tmp_path / "kv").rglob("k-*")]
        if any(name is not None and name.stop >= len(PATH) - 1 for name in names):
            break
        pause.wait(0.005)
    assert not any(isinstance(each, RequestFinished) for each in thread.drain()), "they stream still"
    assert thread.stop(120)
    said, figures = run(kv_disk=1 << 26)
    assert (figures.prefilled, figures.restored) == (0, len(PATH) - 1)
    assert said == greedy(build_model("llama"), PATH, 4)


def test_off_writes_nothing(tmp_path: Path) -> None:
    run(kv_disk=0)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_weights_that_were_changed_are_other_weights_though_samples_of_them_agree(tmp_path: Path) -> None:
    weights = tmp_path / "model" / "model.safetensors"
    run(kv_disk=1 << 26)
    for changed in (b"WEIGHTS", b"more weights"):
        weights.write_bytes(changed)
        _, figures = run(kv_disk=1 << 26)
        assert (figures.prefilled, figures.restored) == (len(PATH) - 1, 0)
    _, figures = run(kv_disk=1 << 26)
    assert (figures.prefilled, figures.restored) == (0, len(PATH) - 1)


def test_what_other_code_computed_is_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would go on with other last digits than a fresh run has."""
    run(kv_disk=1 << 26)
    with monkeypatch.context() as changed:
        changed.setattr(Network, "arithmetic", "another")
        _, figures = run(kv_disk=1 << 26)
        assert (figures.prefilled, figures.restored) == (len(PATH) - 1, 0)
    _, figures = run(kv_disk=1 << 26)
    assert (figures.prefilled, figures.restored) == (0, len(PATH) - 1)


@pytest.mark.parametrize("error", [OSError, RuntimeError, ValueError])
def test_a_cache_that_cannot_be_opened_does_not_keep_the_model_from_loading(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise error("broken")

    monkeypatch.setattr(Kept, "open", broken)
    said, figures = run(kv_disk=1 << 26)
    assert len(said) == 4
    assert figures.kv_disk == 0


def test_a_cache_that_breaks_does_not_break_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Kept) -> float:
        raise RuntimeError("broken")

    monkeypatch.setattr(Kept, "rest", broken)
    monkeypatch.setattr(backend_module, "QUIET", 0)
    said, _ = run(kv_disk=1 << 26)
    assert len(said) == 4


def test_a_size_that_is_none_is_told() -> None:
    result = CliRunner().invoke(app, ["weave", "--kv-disk", "much"])
    assert result.exit_code == 2
    assert "--kv-disk" in result.output
