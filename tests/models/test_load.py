"""What `load` says when a model cannot be had, and what it knows of one that can."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from n8loom_tui.models import gguf
from n8loom_tui.models.errors import ModelError
from n8loom_tui.models.load import load, load_model
from n8loom_tui.models.progress import Progress


@pytest.fixture
def folder(gguf_writer: Callable[..., Path], tiny_llama: Any, tmp_path: Path) -> Path:
    """A small complete model folder."""
    made = gguf.folder_for(gguf_writer(*tiny_llama), tmp_path / "made")
    return Path(shutil.copytree(made, tmp_path / "my-model"))


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def message(name: str | Path, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        load(str(name), **options)
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) <= 300
    return text


def test_a_folder_loads(folder: Path) -> None:
    reports: list[Progress] = []
    loaded = load_model(str(folder), progress=reports.append)
    assert (loaded.name, loaded.context_length, loaded.has_chat_template) == ("my-model", 512, False)
    assert loaded.folder == folder
    assert reports[-1].stage == "ready"
    model, tokenizer = load(str(folder))
    assert type(model) is type(loaded.model)
    assert tokenizer.encode("x") == loaded.tokenizer.encode("x")


def test_the_fingerprint_is_the_models_not_the_folders(folder: Path, tmp_path: Path) -> None:
    first = load_model(str(folder)).fingerprint
    copy = Path(shutil.copytree(folder, tmp_path / "elsewhere"))
    change_config(copy, _name_or_path="somewhere/else")
    assert load_model(str(copy)).fingerprint == first
    weights = bytearray((copy / "model.safetensors").read_bytes())
    length = int.from_bytes(weights[:8], "little")
    weights[8 + length + 2] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert load_model(str(copy)).fingerprint != first
    change_config(folder, rope_theta=20000.0)
    assert load_model(str(folder)).fingerprint != first


def test_names_that_are_nothing(tmp_path: Path, offline: None) -> None:
    assert "not a hub id" in message("no/such/model")
    assert "not a hub id" in message("smolm2")
    assert "no model is named" in message("")
    assert "there is no file or folder" in message(tmp_path / "nothing")
    assert "there is no file or folder" in message("./nothing/here")
    assert "there is no file or folder" in message("lost.gguf")
    assert message("nul\0byte")
    assert message("x" * 5000)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("text")
    assert "is a file, but no .gguf" in message(tmp_path / "notes.txt")


@pytest.mark.parametrize("lost", ["config.json", "model.safetensors"])
def test_incomplete_folders(lost: str, folder: Path) -> None:
    (folder / lost).unlink()
    assert "lacks" in (text := message(folder))
    assert lost.partition(".")[0] in text


def test_a_folder_without_a_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    assert "my-model cannot be loaded" in message(folder)


def test_a_shard_that_is_missing(folder: Path) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "lacks model-00001-of-00002.safetensors" in message(folder)
    (folder / "model.safetensors.index.json").write_text("[]")
    assert "index.json" in message(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"model_type": 3}', "[" * 100_000])
def test_configurations_that_are_none(text: str, folder: Path) -> None:
    (folder / "config.json").write_text(text)
    assert "config.json" in message(folder)


def test_an_unknown_model_type(folder: Path) -> None:
    change_config(folder, model_type="perceptron")
    assert "perceptron not supported" in message(folder)


def test_a_configuration_that_does_not_fit_the_weights(folder: Path) -> None:
    change_config(folder, hidden_size=128)
    assert "my-model cannot be loaded" in message(folder)


def test_an_absurd_number_of_layers(folder: Path) -> None:
    change_config(folder, num_hidden_layers=10**9)
    assert "1000000000 layers" in message(folder)


def test_code_in_a_folder_is_not_run(folder: Path, tmp_path: Path) -> None:
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    change_config(folder, model_file="evil.py")
    assert "my-model cannot be loaded" in message(folder)
    assert not (tmp_path / "ran").exists()


def test_a_model_that_crashes_this_backend_is_refused(folder: Path) -> None:
    change_config(folder, model_type="bitnet")
    if load_device() != "metal":
        assert "Apple GPUs only" in message(folder)


def load_device() -> str:
    from n8loom_tui.models.device import current_device

    return current_device()


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.01, 0.5, 0.99])
def test_weights_that_are_cut_short(share: float, folder: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: int(len(data) * share)])
    assert "cut short" in message(folder)


@pytest.mark.parametrize("header", [b"{", b"[]", b'{"a": 1}', b'{"a": {"data_offsets": [1]}}', b"\xff"])
def test_weights_whose_header_is_damaged(header: bytes, folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(64))
    assert "damaged" in message(folder)


def test_an_unknown_dtype_and_each_known_one(folder: Path) -> None:
    assert "'float64' is no dtype" in message(folder, dtype="float64")
    for dtype in ("float32", "float16", "bfloat16"):
        assert load_model(str(folder), dtype=dtype).report.dtype == dtype
    assert load_model(str(folder), dtype="native").report.dtype == "float32"


def test_nothing_is_printed_and_the_package_is_light(folder: Path) -> None:
    script = (
        "import sys, n8loom_tui, n8loom_tui.models, n8loom_tui.models.load, n8loom_tui.models.device\n"
        "heavy = {'mlx.core', 'mlx_lm', 'transformers', 'tokenizers'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        f"n8loom_tui.models.load.load({str(folder)!r})\n"
        "import mlx.core as mx; mx.clear_streams()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
