"""From a .gguf file to an ordinary MLX folder, which mlx-lm loads like any other.

MLX reads the tensors (`mx.load`) after `gguf_file` has checked the header. Nothing is quantised anew: the
4- and 8-bit blocks become MLX's own triples of the same values, 32 to a group.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from n8loom_tui.models.errors import ModelError, one_line
from n8loom_tui.models.folder import lock, publish, scratch
from n8loom_tui.models.gguf_arch import architecture_of, check_tensor_types, model_config, weight_names
from n8loom_tui.models.gguf_file import GgufFile, read_gguf
from n8loom_tui.models.gguf_tokenizer import build_tokenizer, end_ids
from n8loom_tui.models.progress import Progress, ProgressCallback, Stage, ignore

FORMAT = 1
"""The version of what `write_folder` writes: a new one has every conversion in the cache made again."""

_GROUP = 32  # weights per scale in every quantised type that MLX reads
_BITS = {"Q4_0": 4, "Q4_1": 4, "Q8_0": 8}


def folder_for(path: Path, cache: Path, progress: ProgressCallback = ignore) -> Path:
    """The MLX folder for the .gguf file at `path`, converted into `cache` at its first use.

    The folder's name holds a hash of the file's size, time of change and first megabyte, so that another
    file at the same path is converted again. Raises ModelError; lets `Cancelled` pass.
    """
    file = read_gguf(path)
    final = cache / "gguf" / f"{path.stem[:60]}-{_identity(path)}-v{FORMAT}"
    if is_complete(final):
        return final
    with lock(final, progress):
        if not is_complete(final):
            check_tensor_types(file)
            with scratch(final) as folder:
                write_folder(file, folder, progress)
                publish(folder, final)
    return final


def is_complete(folder: Path) -> bool:
    """Whether `folder` holds a finished conversion (folders appear whole, but files can be deleted)."""
    return all((folder / name).is_file() for name in ("config.json", "model.safetensors", "tokenizer.json"))


def write_folder(file: GgufFile, folder: Path, progress: ProgressCallback = ignore) -> None:
    """Convert `file` into the existing, empty `folder`.

    Three steps are reported in stage CONVERT. Raises ModelError: a format, an architecture or a tokenizer
    that is not read, a full disk.
    """
    note = file.path.name
    progress(Progress(Stage.CONVERT, 0, 3, note))
    check_tensor_types(file)
    config = model_config(file)
    _check_space(file, folder)
    try:
        tokenizer, tokenizer_config = build_tokenizer(file)
        tokenizer.save(str(folder / "tokenizer.json"))
        _write_json(folder / "tokenizer_config.json", tokenizer_config)
        progress(Progress(Stage.CONVERT, 1, 3, note))
        weights = _weights(file)
        config["quantization"] = _quantization(file)
        if config["quantization"] is None:
            del config["quantization"]
        progress(Progress(Stage.CONVERT, 2, 3, note))
        import mlx.core as mx

        mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "mlx"})
    except OSError as error:
        raise ModelError(f"{note} cannot be converted: {error.strerror or error}") from error
    if ends := end_ids(file):
        config["eos_token_id"] = ends
    _write_json(folder / "config.json", config)
    progress(Progress(Stage.CONVERT, 3, 3, note))


def _weights(file: GgufFile) -> dict[str, Any]:
    """The tensors under mlx-lm's names, in the order of the names. Imports MLX, the BLAS first."""
    from n8loom_tui.models.blas import prepare_device

    prepare_device()
    import mlx.core as mx

    architecture = architecture_of(file)
    weight_names(file, architecture, file.tensors)  # says what has no place before gigabytes are read
    try:
        arrays: dict[str, Any] = mx.load(str(file.path), format="gguf")  # type: ignore[assignment]
    except (RuntimeError, ValueError) as error:
        raise file.broken(one_line(error)) from error
    names = weight_names(file, architecture, arrays)
    result = {}
    for name, new in sorted(names.items(), key=lambda pair: pair[1]):
        array = arrays.pop(name)
        # In float32 the one is taken away as exactly as it was added.
        is_norm = architecture.plus_one and new.endswith(("norm.weight", "layernorm.weight"))
        result[new] = array.astype(mx.float32) - 1.0 if is_norm else array
    return result


def _quantization(file: GgufFile) -> dict[str, Any] | None:
    """The `quantization` entry of the configuration: the commonest width, and each module of another one."""
    names = weight_names(file, architecture_of(file), file.tensors)
    bits = {
        new.removesuffix(".weight"): _BITS[file.tensors[name].type]
        for name, new in names.items()
        if file.tensors[name].type in _BITS
    }
    if not bits:
        return None
    widths = sorted(bits.values())
    usual = max(set(widths), key=widths.count)
    others = {
        module: {"group_size": _GROUP, "bits": width} for module, width in bits.items() if width != usual
    }
    return {"group_size": _GROUP, "bits": usual, **dict(sorted(others.items()))}


def _check_space(file: GgufFile, folder: Path) -> None:
    needed = sum(tensor.nbytes for tensor in file.tensors.values()) * 5 // 4
    if (free := shutil.disk_usage(folder).free) < needed:
        raise ModelError(
            f"{file.path.name} cannot be converted: {needed >> 20} MiB are needed in {folder.parent}, "
            f"{free >> 20} are free"
        )


def _identity(path: Path) -> str:
    status = path.stat()
    digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns} ".encode())
    with path.open("rb") as file:
        digest.update(file.read(1 << 20))
    return digest.hexdigest()[:12]


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
