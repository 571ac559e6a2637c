"""Looks at a model's folder before MLX does: what is missing, what is cut short, which model it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from n8loom_tui.models.errors import ModelError

_MAX_HEADER = 100_000_000  # bytes; the safetensors format's own limit
_SAMPLE = 1024  # bytes of each tensor, at its start and in its middle, that go into the fingerprint
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt", "*.tiktoken")
_UNSTABLE = ("_name_or_path", "transformers_version")  # say where a configuration was, not what it is


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """An entry of a safetensors file; `offset` counts from the file's start, in bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    offset: int
    nbytes: int


def missing_from(folder: Path) -> str:
    """What `folder` lacks of a model, in words; empty when it has a configuration and all its weights."""
    if not (folder / "config.json").is_file():
        return "config.json"
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return "a readable model.safetensors.index.json"
        absent = sorted(str(name) for name in names if not (folder / str(name)).is_file())
        if absent:
            more = f" and {len(absent) - 1} more files" if len(absent) > 1 else ""
            return f"{absent[0]}{more}"
    elif not any(folder.glob("model*.safetensors")):
        return "weights (model*.safetensors)"
    return ""


def read_config(folder: Path) -> dict[str, Any]:
    """The parsed `config.json`. Raises ModelError: unreadable, no JSON object, no model type."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise ModelError(f"{path} names no model_type: this is not a language model's folder")
    return config


def stored_tensors(folder: Path) -> list[StoredTensor]:
    """Every tensor of the folder's weights, by name. Raises ModelError for a damaged or cut file."""
    found: list[StoredTensor] = []
    for path in sorted(folder.glob("model*.safetensors")):
        try:
            with path.open("rb") as file:
                found.extend(_entries(path, file))
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    if not found:
        raise ModelError(f"{folder} holds no weights")
    return sorted(found, key=lambda tensor: tensor.name)


def _entries(path: Path, file: BinaryIO) -> list[StoredTensor]:
    size = path.stat().st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, _MAX_HEADER):
        raise ModelError(f"{path} is damaged or cut short; fetch it again")
    try:
        header = json.loads(file.read(length))
        entries = []
        for name, entry in header.items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                shape = tuple(int(extent) for extent in entry["shape"])
                offset = 8 + length + int(begin)
                entries.append(
                    StoredTensor(name, str(entry["dtype"]), shape, path, offset, int(end) - int(begin))
                )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: its header cannot be read; fetch it again") from error
    for entry in entries:
        if entry.nbytes < 0 or entry.offset < 8 + length or entry.offset + entry.nbytes > size:
            raise ModelError(f"{path} is cut short: {entry.name} lies past its end; fetch it again")
    return entries


def check_layers(folder: Path, config: dict[str, Any], tensors: list[StoredTensor]) -> None:
    """Raise ModelError if the configuration asks for more layers than there are tensors.

    Every layer has some. Without this a damaged number would have a billion layers built first.
    """
    nested = config.get("text_config")
    for source in (config, nested if isinstance(nested, dict) else {}):
        for key in ("num_hidden_layers", "n_layers", "n_layer", "num_layers"):
            layers = source.get(key)
            if isinstance(layers, int) and layers > len(tensors):
                raise ModelError(f"{folder} is incomplete: {layers} layers, but {len(tensors)} tensors")


def weights_stamp(folder: Path) -> str:
    """What tells the folder's weight files from any that were in their place before: their sizes and times.

    Unlike the fingerprint it misses no change of theirs, and differs between copies.
    """
    files = [(path.name, path.stat()) for path in sorted(folder.glob("model*.safetensors"))]
    digest = hashlib.sha256("\n".join(f"{name} {s.st_size} {s.st_mtime_ns}" for name, s in files).encode())
    return digest.hexdigest()[:16]


def fingerprint(folder: Path, config: dict[str, Any], tensors: list[StoredTensor]) -> str:
    """16 hex digits that tell this model from another: by configuration, tokenizer, samples of each tensor.

    The same for every copy of the same files, wherever they lie and however they are split.
    """
    digest = hashlib.sha256()
    stable = {key: value for key, value in config.items() if key not in _UNSTABLE}
    digest.update(json.dumps(stable, sort_keys=True).encode())
    for pattern in _TOKENIZER_FILES:
        for path in sorted(folder.glob(pattern)):
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    open_path: Path | None = None
    file: BinaryIO | None = None
    try:
        for tensor in tensors:
            if tensor.file != open_path:
                if file is not None:
                    file.close()
                open_path, file = tensor.file, tensor.file.open("rb")
            assert file is not None
            digest.update(f"{tensor.name} {tensor.dtype} {tensor.shape} ".encode())
            for start in (0, tensor.nbytes // 2):
                file.seek(tensor.offset + start)
                digest.update(file.read(min(_SAMPLE, tensor.nbytes - start)))
    finally:
        if file is not None:
            file.close()
    return digest.hexdigest()[:16]
