"""From a model's name to the model and its tokenizer.

A name is `smollm2` (built in), a folder, a .gguf file, or a hub id. Loading runs on the thread that will
use the model: MLX's streams belong to threads. Code that comes with a model is never run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from n8loom_tui.models import builtin, gguf, hub
from n8loom_tui.models.checks import check_layers, fingerprint, missing_from, read_config, stored_tensors
from n8loom_tui.models.device import (
    Device,
    DeviceReport,
    Dtype,
    apply_dtype,
    available_memory,
    choose_dtype,
    current_device,
    describe_device,
    prepare_device,
    weights_as_float32,
)
from n8loom_tui.models.errors import ModelError, one_line
from n8loom_tui.models.progress import Progress, ProgressCallback, Stage, ignore
from n8loom_tui.models.quiet import quiet
from n8loom_tui.paths import NoHomeFolder, cache_dir, expanded

T = TypeVar("T")

_CRASHING_ON_CPU = frozenset({"phi3small"})  # end the process inside MLX's CPU backend
_METAL_ONLY = frozenset({"bitnet"})

_CONTEXT_KEYS = (
    "max_position_embeddings",
    "n_positions",
    "n_ctx",
    "max_seq_len",
    "seq_length",
    "max_sequence_length",
)

# What a model's configuration or files can provoke inside mlx-lm, transformers and MLX.
_LOADING_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to run, and what is known of it.

    `model` is an mlx-lm model (an `mlx.nn.Module`), `tokenizer` an mlx-lm `TokenizerWrapper`. `name` is
    short, for a title; `fingerprint` tells whether a session was made with this model; `context_length` is in
    tokens, `None` if the model does not say.
    """

    model: Any
    tokenizer: Any
    name: str
    fingerprint: str
    report: DeviceReport
    context_length: int | None
    has_chat_template: bool
    folder: Path


def load(
    name: str = builtin.NAME,
    *,
    dtype: str = Dtype.AUTO,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> tuple[Any, Any]:
    """Load a model: `(model, tokenizer)`, as `mlx_lm.load` gives them.

    Args:
        name: `smollm2` (built in; fetched once), a folder, a `.gguf` file, or a hub id (`OWNER/NAME`).
        dtype: `auto` (on a CPU float32 if it fits, else as stored), `native`, `float32`, `float16`,
            `bfloat16`.
        threads: on the CPU; by default the physical cores less one.
        progress: told of each step; may raise `Cancelled`, which passes through.

    Raises:
        ModelError: whatever is wrong, in one line that says what to do.
    """
    loaded = load_model(name, dtype=dtype, threads=threads, progress=progress)
    return loaded.model, loaded.tokenizer


def load_model(
    name: str = builtin.NAME,
    *,
    dtype: str = Dtype.AUTO,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> LoadedModel:
    """`load`, with all that the app wants to know of the model."""
    try:
        wanted = Dtype(dtype)
    except ValueError:
        raise ModelError(f"{dtype!r} is no dtype: take one of {', '.join(Dtype)}") from None
    report = progress or ignore
    prepare_device(threads)
    folder = resolve(name, report)
    if lacking := missing_from(folder):
        raise ModelError(f"{folder} lacks {lacking}: it is not a complete MLX or Hugging Face model folder")
    config = read_config(folder)
    tensors = stored_tensors(folder)
    check_layers(folder, config, tensors)
    with quiet():
        _check_device(folder, config)
        report(Progress(Stage.WEIGHTS, 0, 2, folder.name))
        model, device = _guarded(folder, lambda: _weights(folder, wanted, from_gguf=_is_gguf(name)))
        report(Progress(Stage.WEIGHTS, 2, 2, folder.name))
        report(Progress(Stage.TOKENIZER, 0, 1, folder.name))
        tokenizer = _guarded(folder, lambda: _tokenizer(folder))
        report(Progress(Stage.TOKENIZER, 1, 1, folder.name))
    loaded = LoadedModel(
        model=model,
        tokenizer=tokenizer,
        name=_title(name),
        fingerprint=fingerprint(folder, config, tensors),
        report=device,
        context_length=_context_length(config),
        has_chat_template=bool(tokenizer.has_chat_template),
        folder=folder,
    )
    report(Progress(Stage.READY, 1, 1, loaded.name))
    return loaded


def check_name(name: str) -> None:
    """Refuse at once what cannot be a model's name. Looks at no file's content and asks nobody.

    Raises:
        ModelError: it is neither a file or folder that could be one, nor a hub id.
    """
    if name == builtin.NAME:
        return
    if not name.strip():
        raise ModelError(f"no model is named: give a folder, a .gguf file, a hub id or {builtin.NAME}")
    try:
        path = _path_of(name)
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, ValueError) as error:
        raise ModelError(f"{name!r} cannot be looked up: {one_line(error)}") from error
    if is_folder or (is_file and _is_gguf(name)):
        return
    if is_file:
        raise ModelError(f"{name} is a file, but no .gguf: name a model's folder, a .gguf file or a hub id")
    if name.startswith(("/", "./", "../", "~")) or _is_gguf(name):
        raise ModelError(f"there is no file or folder {name}")
    if not hub.is_hub_id(name):
        raise ModelError(
            f"{name!r} is no file or folder here, and not a hub id (OWNER/NAME): "
            f"name one of these, or {builtin.NAME}"
        )


def resolve(name: str, progress: ProgressCallback = ignore) -> Path:
    """The folder with the files of the model called `name`, downloaded or converted if need be.

    Raises ModelError if there is no such model.
    """
    check_name(name)
    if name == builtin.NAME:
        return builtin.folder_for(cache_dir(), progress)
    path = _path_of(name)
    if path.is_dir():
        return path.absolute()
    if path.is_file():
        return gguf.folder_for(path.absolute(), cache_dir(), progress)
    return hub.folder_for(name, progress)


def _path_of(name: str) -> Path:
    """The path that a name may be.

    Raises:
        ModelError: it begins with the home folder of somebody who has none here.
    """
    try:
        return expanded(name)
    except NoHomeFolder as error:
        raise ModelError(str(error)) from None


def _is_gguf(name: str) -> bool:
    return name.lower().endswith(".gguf")


def _title(name: str) -> str:
    """What stands in a title for `name`: a path's last part, a hub id as it is."""
    path = _path_of(name)
    return path.absolute().name.removesuffix(".gguf") if path.exists() and name != builtin.NAME else name


def _guarded(folder: Path, step: Callable[[], T]) -> T:
    """Run a step of the loading libraries, and turn what they raise into a ModelError."""
    try:
        return step()
    except ModelError:
        raise
    except MemoryError:
        raise ModelError(f"{folder.name} does not fit into memory: take a smaller model") from None
    except _LOADING_ERRORS as error:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        raise ModelError(
            f"{folder.name} cannot be loaded: {one_line(text or type(error).__name__, 200)}"
        ) from error


def _weights(folder: Path, wanted: Dtype, *, from_gguf: bool) -> tuple[Any, DeviceReport]:
    """The model with its weights evaluated, in the precision that suits the device."""
    from mlx_lm.utils import load_model as load_lazily

    from n8loom_tui.loom.kernels.network import prepare_for

    model, _ = load_lazily(folder, lazy=True, trust_remote_code=False)
    choice = choose_dtype(
        weights_as_float32(model), wanted, device=current_device(), memory=available_memory()
    )
    prepare_for(model, float32=choice.dtype is Dtype.FLOAT32)
    if from_gguf and choice.dtype is Dtype.NATIVE:
        _unify(model)
    in_use = apply_dtype(model, choice.dtype)
    return model, describe_device(in_use, choice.note)


def _unify(model: Any) -> None:
    """Give all floats the 16-bit type that some have: GGUF's float32 norms would widen every computation."""
    import mlx.core as mx
    from mlx.utils import tree_flatten

    kinds = {array.dtype for array in dict(tree_flatten(model.parameters())).values()}
    narrow = next((kind for kind in (mx.bfloat16, mx.float16) if kind in kinds), None)
    if narrow is not None:
        model.set_dtype(narrow)


def _tokenizer(folder: Path) -> Any:
    from mlx_lm.utils import load_config, load_tokenizer

    return load_tokenizer(
        folder,
        {"trust_remote_code": False, "local_files_only": True},
        eos_token_ids=load_config(folder).get("eos_token_id"),
    )


def _check_device(folder: Path, config: dict[str, Any]) -> None:
    """Refuse what would end the process, or never run, on this device."""
    kind = config["model_type"]
    quantised = config.get("quantization_config")
    method = quantised.get("quant_method") if isinstance(quantised, dict) else None
    device = current_device()
    if kind in _CRASHING_ON_CPU and device is Device.CPU:
        raise ModelError(f"{folder.name}: {kind} models cannot run on MLX's CPU backend; take another model")
    if (kind in _METAL_ONLY or method in _METAL_ONLY) and device is not Device.METAL:
        raise ModelError(f"{folder.name}: {kind} models run on Apple GPUs only; take another model")


def _context_length(config: dict[str, Any]) -> int | None:
    """The longest text that the model was made for, in tokens."""
    nested = config.get("text_config")
    for source in (config, nested if isinstance(nested, dict) else {}):
        for key in _CONTEXT_KEYS:
            value = source.get(key)
            if isinstance(value, int) and value > 0:
                return value
    return None
