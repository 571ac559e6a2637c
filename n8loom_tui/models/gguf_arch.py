"""The architectures of GGUF files: their names and numbers in mlx-lm's terms.

GGUF's names: https://github.com/ggml-org/llama.cpp/blob/master/gguf-py/gguf/constants.py. Three things
differ from a Hugging Face checkpoint beside the names. The `llama` family's q and k rows are permuted so
that RoPE turns neighbouring pairs (`rope_traditional`). Gemma's norms have one added to their weights.
And numbers that a file does not carry have llama.cpp's defaults.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from n8loom_tui.models.errors import ModelError
from n8loom_tui.models.gguf_file import READABLE, GgufFile

Config = dict[str, Any]

_TOP = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
_ATTENTION = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
}
_GATED = {"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
_PRE_NORMS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
_QK_NORMS = {"attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}
_LLAMA = _ATTENTION | _GATED | _PRE_NORMS


@dataclass(frozen=True)
class Architecture:
    """How one GGUF architecture maps to one of mlx-lm's model files.

    `block` maps names within `blk.N.`. `plus_one` names (by suffix) the weights from which one is taken.
    `scaling` says whether the model file knows linear and llama-3 RoPE scaling. `extra` adds to the
    configuration what only this architecture has.
    """

    model_type: str
    block: dict[str, str]
    permuted: bool = False
    plus_one: bool = False
    scaling: bool = False
    partial_rotary: bool = False
    always_tied: bool = False
    head_dim: bool = True
    epsilon: tuple[str, str] = ("attention.layer_norm_rms_epsilon", "rms_norm_eps")
    extra: Callable[[GgufFile, Config], Config] = field(default=lambda _file, _config: {})


def _gemma2(file: GgufFile, config: Config) -> Config:
    # The 27B model scales by its heads' share of the width, the smaller ones by the head's size; the
    # file does not say which, so the number of layers does.
    large = config["num_hidden_layers"] == 46
    return {
        "attn_logit_softcapping": file.number("gemma2.attn_logit_softcapping", 50.0),
        "final_logit_softcapping": file.number("gemma2.final_logit_softcapping", 30.0),
        "query_pre_attn_scalar": config["hidden_size"] / config["num_attention_heads"]
        if large
        else config["head_dim"],
    }


def _biased(file: GgufFile, _config: Config) -> Config:
    return {
        "attention_bias": "blk.0.attn_q.bias" in file.tensors,
        "mlp_bias": "blk.0.ffn_gate.bias" in file.tensors,
    }


ARCHITECTURES: dict[str, Architecture] = {
    "llama": Architecture("llama", _LLAMA, permuted=True, scaling=True, extra=_biased),
    "qwen2": Architecture("qwen2", _LLAMA, scaling=True, head_dim=False),
    "qwen3": Architecture("qwen3", _LLAMA | _QK_NORMS, scaling=True),
    "olmo2": Architecture(
        "olmo2",
        _ATTENTION
        | _GATED
        | _QK_NORMS
        | {"post_attention_norm": "post_attention_layernorm", "post_ffw_norm": "post_feedforward_layernorm"},
        scaling=True,
    ),
    "gemma": Architecture("gemma", _LLAMA, plus_one=True, always_tied=True),
    "gemma2": Architecture(
        "gemma2",
        _ATTENTION
        | _GATED
        | {
            "attn_norm": "input_layernorm",
            "post_attention_norm": "post_attention_layernorm",
            "ffn_norm": "pre_feedforward_layernorm",
            "post_ffw_norm": "post_feedforward_layernorm",
        },
        plus_one=True,
        always_tied=True,
        extra=_gemma2,
    ),
    "phi3": Architecture(
        "phi3",
        _PRE_NORMS
        | {
            "attn_qkv": "self_attn.qkv_proj",
            "attn_output": "self_attn.o_proj",
            "ffn_up": "mlp.gate_up_proj",
            "ffn_down": "mlp.down_proj",
        },
        partial_rotary=True,
        head_dim=False,
    ),
    "starcoder2": Architecture(
        "starcoder2",
        _ATTENTION | _PRE_NORMS | {"ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"},
        head_dim=False,
        epsilon=("attention.layer_norm_epsilon", "norm_epsilon"),
    ),
}
"""The GGUF architectures that are read."""


def architecture_of(file: GgufFile) -> Architecture:
    """The mapping for a file. Raises ModelError for an architecture that is not read."""
    name = file.architecture
    if name not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise ModelError(f"{file.path.name}: GGUF files of {name!r} models are not read (read are: {known})")
    return ARCHITECTURES[name]


def check_tensor_types(file: GgufFile) -> None:
    """Raise ModelError, naming the types, if any tensor is in a format that cannot be loaded."""
    unread = sorted({tensor.type for tensor in file.tensors.values()} - set(READABLE))
    if unread:
        raise ModelError(
            f"{file.path.name} holds {', '.join(unread)} weights, which are not read: take a file in "
            f"{', '.join(READABLE[:-1])} or {READABLE[-1]}, or an MLX version of this model"
        )


def model_config(file: GgufFile) -> Config:
    """The `config.json` for a file, without its quantisation. Raises ModelError for what is not read."""
    architecture = architecture_of(file)
    prefix = file.architecture
    if file.integer(f"{prefix}.expert_count", 0):
        raise ModelError(f"{file.path.name}: GGUF files of mixture-of-experts models are not read")
    embedding = file.tensors.get("token_embd.weight")
    if embedding is None:
        raise file.broken("token_embd.weight is missing")
    heads = _positive(file, f"{prefix}.attention.head_count")
    hidden = _positive(file, f"{prefix}.embedding_length")
    config: Config = {
        "model_type": architecture.model_type,
        "hidden_size": hidden,
        "num_hidden_layers": _positive(file, f"{prefix}.block_count"),
        "intermediate_size": _positive(file, f"{prefix}.feed_forward_length"),
        "num_attention_heads": heads,
        "num_key_value_heads": file.integer(f"{prefix}.attention.head_count_kv", heads),
        "vocab_size": embedding.shape[0],
        "max_position_embeddings": _positive(file, f"{prefix}.context_length"),
        "rope_theta": file.number(f"{prefix}.rope.freq_base", 10000.0),
        "tie_word_embeddings": "output.weight" not in file.tensors,
        architecture.epsilon[1]: file.number(f"{prefix}.{architecture.epsilon[0]}"),
    }
    config |= _heads(file, architecture, config)
    if architecture.permuted:
        config["rope_traditional"] = True
    if architecture.always_tied and not config["tie_word_embeddings"]:
        raise ModelError(f"{file.path.name}: a {prefix} model with its own output matrix is not read")
    if (scaling := _rope_scaling(file, architecture)) is not None:
        config["rope_scaling"] = scaling
    return config | architecture.extra(file, config)


def _positive(file: GgufFile, key: str) -> int:
    value = file.integer(key)
    if value < 1:
        raise file.broken(f"{key} is {value}")
    return value


def _heads(file: GgufFile, architecture: Architecture, config: Config) -> Config:
    """The size of a head and of the part that RoPE turns, checked against what the model file can do."""
    prefix = file.architecture
    heads, kv_heads, hidden = (
        config[key] for key in ("num_attention_heads", "num_key_value_heads", "hidden_size")
    )
    if kv_heads < 1 or heads % kv_heads:
        raise file.broken(f"{heads} heads cannot share {kv_heads} key-value heads")
    size = file.integer(f"{prefix}.attention.key_length", hidden // heads)
    if size != file.integer(f"{prefix}.attention.value_length", size):
        raise ModelError(f"{file.path.name}: keys and values of different sizes are not read")
    if not architecture.head_dim and size * heads != hidden:
        raise ModelError(f"{file.path.name}: {prefix} heads of {size} do not fill a width of {hidden}")
    rotary = file.integer(f"{prefix}.rope.dimension_count", size)
    if rotary != size and not (architecture.partial_rotary and 0 < rotary < size):
        raise ModelError(
            f"{file.path.name}: RoPE over {rotary} of {size} dimensions is not read for {prefix}"
        )
    result: Config = {"head_dim": size} if architecture.head_dim else {}
    if architecture.partial_rotary:
        result["partial_rotary_factor"] = rotary / size
    return result


def _rope_scaling(file: GgufFile, architecture: Architecture) -> Config | None:
    """The `rope_scaling` entry, `None` for plain RoPE. Raises ModelError for kinds that are not read."""
    prefix = file.architecture
    kind = file.text(f"{prefix}.rope.scaling.type", "none")
    factor = file.number(f"{prefix}.rope.scaling.factor", file.number(f"{prefix}.rope.scale_linear", 1.0))
    if any(name.startswith("rope_factors_") for name in file.tensors):
        kind = "longrope"
    if kind not in ("none", "linear") or (kind == "linear" and factor != 1.0 and not architecture.scaling):
        raise ModelError(f"{file.path.name}: {kind} RoPE scaling is not read for {prefix} GGUF files")
    factors = _rope_factors(file)
    if factors is None or all(each == 1.0 for each in factors):
        return {"type": "linear", "factor": factor} if factor not in (0.0, 1.0) else None
    if not architecture.scaling or factor not in (0.0, 1.0):
        raise ModelError(f"{file.path.name}: RoPE frequency factors are not read for {prefix} GGUF files")
    return _llama3_scaling(file, factors)


def _rope_factors(file: GgufFile) -> list[float] | None:
    """The `rope_freqs.weight` tensor: what each of RoPE's frequencies is divided by."""
    tensor = file.tensors.get("rope_freqs.weight")
    if tensor is None:
        return None
    if tensor.type != "F32" or len(tensor.shape) != 1:
        raise file.broken("rope_freqs.weight is not a row of F32")
    import numpy as np

    with file.path.open("rb") as data:
        data.seek(tensor.offset)
        values: list[float] = np.frombuffer(data.read(tensor.nbytes), "<f4").tolist()
    return values


def _llama3_scaling(file: GgufFile, factors: list[float]) -> Config:
    """Llama 3's scaling, recovered from the factors it leads to; they must come out the same.

    A file holds `factor` divided by nothing but the result (the formula is in Llama 3.1's model card), so the
    three other numbers are those of every published model, and it is checked that they explain the factors.
    """
    prefix = file.architecture
    low, high, original = 1.0, 4.0, 8192
    factor = max(factors)
    theta = file.number(f"{prefix}.rope.freq_base", 10000.0)
    size = 2 * len(factors)
    for index, found in enumerate(factors):
        wavelength = 2 * math.pi * theta ** (2 * index / size)
        if wavelength < original / high:
            expected = 1.0
        elif wavelength > original / low:
            expected = factor
        else:
            smooth = (original / wavelength - low) / (high - low)
            expected = 1 / ((1 - smooth) / factor + smooth)
        if not math.isclose(found, expected, rel_tol=1e-3):
            raise ModelError(f"{file.path.name}: its RoPE frequency factors follow no known rule")
    return {
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": low,
        "high_freq_factor": high,
        "original_max_position_embeddings": original,
    }


_BLOCK_NAME = re.compile(r"blk\.(\d+)\.([a-z0-9_]+)\.(weight|bias|scales|biases)")
_TOP_NAME = re.compile(r"([a-z0-9_]+)\.(weight|bias|scales|biases)")
_NOT_WEIGHTS = re.compile(r"rope_freqs\.weight|blk\.\d+\.attn_rot_embd\.weight|.*\.rope_freqs\.weight")


def weight_names(file: GgufFile, architecture: Architecture, names: Iterable[str]) -> dict[str, str]:
    """mlx-lm's name for each of `names` that is a weight. Raises ModelError for one without a place."""
    layers = file.integer(f"{file.architecture}.block_count")
    result: dict[str, str] = {}
    found: set[int] = set()
    for name in names:
        if _NOT_WEIGHTS.fullmatch(name):
            continue
        if (
            (match := _BLOCK_NAME.fullmatch(name))
            and int(match[1]) < layers
            and match[2] in architecture.block
        ):
            result[name] = f"model.layers.{int(match[1])}.{architecture.block[match[2]]}.{match[3]}"
            found.add(int(match[1]))
        elif (match := _TOP_NAME.fullmatch(name)) and match[1] in _TOP:
            result[name] = f"{_TOP[match[1]]}.{match[2]}"
        else:
            raise ModelError(
                f"{file.path.name}: the tensor {name} has no place in a {file.architecture} model"
            )
    if len(found) != layers:  # a damaged number would have a billion layers built
        raise file.broken(f"it holds {len(found)} of {layers} layers")
    return result
