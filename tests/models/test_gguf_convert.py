"""A GGUF file becomes a folder that mlx-lm loads, with the same numbers in it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from n8loom_tui.models import gguf
from n8loom_tui.models.errors import ModelError
from n8loom_tui.models.load import load_model
from n8loom_tui.models.progress import Cancelled, Progress

Tensors = dict[str, tuple[np.ndarray, str]]
Writer = Callable[..., Path]

TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
COMMON = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
SIZES = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "vocab_size": 259,
    "max_position_embeddings": 512,
    "rope_theta": 10000.0,
}


def without(names: dict[str, str], *gone: str) -> dict[str, str]:
    return {key: value for key, value in names.items() if key not in gone}


GEMMA2_NORMS = {
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
QK_NORMS = {"attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}
PHI3 = {
    "attn_qkv": "self_attn.qkv_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_up": "mlp.gate_up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
STARCODER2 = without(COMMON, "ffn_gate") | {"ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"}
OLMO2 = without(COMMON, "attn_norm", "ffn_norm") | QK_NORMS
OLMO2 |= {"post_attention_norm": "post_attention_layernorm", "post_ffw_norm": "post_feedforward_layernorm"}

# GGUF architecture: mlx-lm's module, GGUF's names, the configuration beside SIZES, extra metadata.
CASES: dict[str, tuple[str, dict[str, str], dict[str, Any], dict[str, Any]]] = {
    "llama": ("llama", COMMON, {"tie_word_embeddings": False}, {}),
    "llama-tied": ("llama", COMMON, {"tie_word_embeddings": True}, {"llama.rope.dimension_count": 16}),
    "llama-linear": (
        "llama",
        COMMON,
        {"rope_scaling": {"type": "linear", "factor": 2.0}},
        {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 2.0},
    ),
    "qwen2": ("qwen2", COMMON, {"tie_word_embeddings": True}, {}),
    "qwen3": (
        "qwen3",
        COMMON | QK_NORMS,
        {"head_dim": 32, "tie_word_embeddings": False},
        {"qwen3.attention.key_length": 32, "qwen3.attention.value_length": 32},
    ),
    "olmo2": ("olmo2", OLMO2, {"tie_word_embeddings": False}, {}),
    "gemma": ("gemma", COMMON, {"head_dim": 16}, {"gemma.attention.key_length": 16}),
    "gemma2": (
        "gemma2",
        COMMON | GEMMA2_NORMS,
        {"head_dim": 16, "query_pre_attn_scalar": 16.0},
        {"gemma2.attn_logit_softcapping": 50.0, "gemma2.final_logit_softcapping": 30.0},
    ),
    "phi3": ("phi3", PHI3, {}, {}),
    "phi3-partial": ("phi3", PHI3, {"partial_rotary_factor": 0.5}, {"phi3.rope.dimension_count": 8}),
    "starcoder2": ("starcoder2", STARCODER2, {"norm_epsilon": 1e-5, "tie_word_embeddings": True}, {}),
}


def random_model(module: str, config: dict[str, Any]) -> Any:
    import mlx.core as mx
    from mlx.utils import tree_map

    source = importlib.import_module(f"mlx_lm.models.{module}")
    model = source.Model(source.ModelArgs.from_dict({"model_type": module, **SIZES, **config}))
    mx.random.seed(3)
    model.update(tree_map(lambda array: mx.random.normal(array.shape) * 0.15, model.parameters()))
    mx.eval(model.parameters())
    return model


def interleaved(array: np.ndarray, heads: int) -> np.ndarray:
    """q or k rows as llama.cpp's converter orders them: each head's two halves, turn about."""
    return array.reshape(heads, 2, array.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(array.shape)


def gguf_tensors(arch: str, model: Any, names: dict[str, str]) -> Tensors:
    from mlx.utils import tree_flatten

    back = {value: key for key, value in names.items()}
    tensors: Tensors = {}
    for path, value in tree_flatten(model.parameters()):
        array = np.array(value)
        stem, _, kind = path.rpartition(".")
        if arch == "llama" and ".q_proj" in path:
            array = interleaved(array, 4)
        if arch == "llama" and ".k_proj" in path:
            array = interleaved(array, 2)
        if arch in ("gemma", "gemma2") and "norm" in path:
            array = array + 1
        if stem.startswith("model.layers."):
            _, _, layer, rest = stem.split(".", 3)
            tensors[f"blk.{layer}.{back[rest]}.{kind}"] = (array, "F32")
        else:
            top = {value: key for key, value in TOP.items()}
            tensors[f"{top[stem]}.{kind}"] = (array, "F32")
    return tensors


def gguf_metadata(arch: str, extra: dict[str, Any]) -> dict[str, Any]:
    layer_norm = "layer_norm_epsilon" if arch == "starcoder2" else "layer_norm_rms_epsilon"
    return {
        "general.architecture": arch,
        f"{arch}.block_count": 2,
        f"{arch}.context_length": 512,
        f"{arch}.embedding_length": 64,
        f"{arch}.feed_forward_length": 96,
        f"{arch}.attention.head_count": 4,
        f"{arch}.attention.head_count_kv": 2,
        f"{arch}.attention.{layer_norm}": 1e-5,
        f"{arch}.rope.freq_base": 10000.0,
        **extra,
    }


@pytest.mark.parametrize("case", CASES)
def test_the_logits_are_the_original_models(
    case: str, gguf_writer: Writer, bpe_tokenizer: dict[str, Any], cache: Path
) -> None:
    import mlx.core as mx

    module, names, config, extra = CASES[case]
    arch = case.partition("-")[0]
    original = random_model(module, config)
    path = gguf_writer(
        gguf_metadata(arch, extra) | bpe_tokenizer, gguf_tensors(arch, original, names), f"{case}.gguf"
    )
    loaded = load_model(str(path))
    ids = mx.array([[5, 200, 31, 7, 7, 99, 258, 0, 64, 12]])
    expected, got = np.array(original(ids)), np.array(loaded.model(ids))
    np.testing.assert_allclose(got, expected, atol=2e-4, rtol=1e-4)
    assert expected.std() > 0.01  # the comparison means something


def test_llama3_scaling_is_recovered_from_its_factors(
    gguf_writer: Writer, bpe_tokenizer: dict[str, Any], cache: Path
) -> None:
    import mlx.core as mx

    scaling = {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    config = {"rope_scaling": scaling, "rope_theta": 500000.0}
    original = random_model("llama", config)
    tensors = gguf_tensors("llama", original, COMMON)
    scaled = np.array(original.model.layers[0].self_attn.rope._freqs)
    factors = scaled / 500000.0 ** (np.arange(0, 16, 2) / 16)
    tensors["rope_freqs.weight"] = (factors.astype(np.float32), "F32")
    metadata = gguf_metadata("llama", {"llama.rope.freq_base": 500000.0}) | bpe_tokenizer
    loaded = load_model(str(gguf_writer(metadata, tensors)))
    ids = mx.array([list(range(200))])
    np.testing.assert_allclose(np.array(loaded.model(ids)), np.array(original(ids)), atol=2e-4, rtol=1e-4)

    tensors["rope_freqs.weight"] = (factors.astype(np.float32) * np.linspace(1, 1.1, 8), "F32")
    with pytest.raises(ModelError, match="no known rule"):
        load_model(str(gguf_writer(metadata, tensors, "other.gguf")))


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"])
def test_every_readable_type_keeps_its_values(
    kind: str, gguf_writer: Writer, tiny_llama: Any, tiny_tensors: Any, as_stored: Any, *, cache: Path
) -> None:
    metadata, _ = tiny_llama
    tensors = tiny_tensors(kind)
    loaded = load_model(str(gguf_writer(metadata, tensors)), dtype="float32")
    down = np.array(loaded.model.model.layers[1].mlp.down_proj.weight)
    np.testing.assert_allclose(down, as_stored(tensors["blk.1.ffn_down.weight"][0], kind), atol=2e-4)
    embedding = np.array(loaded.model.model.embed_tokens.weight)
    np.testing.assert_allclose(embedding, as_stored(tensors["token_embd.weight"][0], kind), atol=2e-4)


def test_types_may_be_mixed(
    gguf_writer: Writer, tiny_llama: Any, tiny_tensors: Any, as_stored: Any, cache: Path
) -> None:
    metadata, _ = tiny_llama
    tensors = tiny_tensors("Q4_1")
    embedding = tensors["token_embd.weight"][0]
    tensors["token_embd.weight"] = (embedding, "Q8_0")
    native = load_model(str(gguf_writer(metadata, tensors)), dtype="native")
    assert native.report.dtype == "4/8-bit"
    whole = load_model(str(gguf_writer(metadata, tensors)), dtype="float32")
    assert whole.report.dtype == "float32"
    got = np.array(whole.model.model.embed_tokens.weight)
    np.testing.assert_allclose(got, as_stored(embedding, "Q8_0"), atol=2e-4)


def test_a_file_that_mlx_wrote(tmp_path: Path, tiny_llama: Any, cache: Path) -> None:
    import mlx.core as mx

    metadata, tensors = tiny_llama
    described = {
        key: mx.array(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        for key, value in metadata.items()
        if not (isinstance(value, bool) or key.endswith(("token_type", "merges")))
    }
    described["tokenizer.ggml.token_type"] = mx.array(metadata["tokenizer.ggml.token_type"])
    path = tmp_path / "by_mlx.gguf"
    mx.save_gguf(str(path), {name: mx.array(array) for name, (array, _) in tensors.items()}, described)
    loaded = load_model(str(path))
    got = np.array(loaded.model.model.layers[0].self_attn.v_proj.weight)
    np.testing.assert_array_equal(got, tensors["blk.0.attn_v.weight"][0])


def test_the_second_load_converts_nothing_and_a_changed_file_anew(
    gguf_writer: Writer, tiny_llama: Any, tiny_tensors: Any, cache: Path
) -> None:
    metadata, tensors = tiny_llama
    stages: list[str] = []
    path = gguf_writer(metadata, tensors)
    first = load_model(str(path), progress=lambda report: stages.append(report.stage))
    assert "convert" in stages
    stages.clear()
    again = load_model(str(path), progress=lambda report: stages.append(report.stage))
    assert "convert" not in stages
    assert again.fingerprint == first.fingerprint
    tensors["output_norm.weight"] = (np.full(64, 2.0, np.float32), "F32")
    other = load_model(str(gguf_writer(metadata, tensors)))
    assert other.fingerprint != first.fingerprint


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_cancelled_at_any_step_leaves_nothing(
    step: int, gguf_writer: Writer, tiny_llama: Any, cache: Path
) -> None:
    def cancel(report: Progress) -> None:
        if report.stage == "convert" and report.done == step:
            raise Cancelled

    path = gguf_writer(*tiny_llama)
    with pytest.raises(Cancelled):
        load_model(str(path), progress=cancel)
    assert not [each for each in cache.rglob("*") if each.suffix != ".lock" and each.name != "gguf"]
    assert load_model(str(path)).model is not None


def test_a_conversion_with_a_file_deleted_is_made_again(
    gguf_writer: Writer, tiny_llama: Any, cache: Path
) -> None:
    path = gguf_writer(*tiny_llama)
    folder = gguf.folder_for(path, cache)
    (folder / "tokenizer.json").unlink()
    assert gguf.folder_for(path, cache) == folder
    assert (folder / "tokenizer.json").is_file()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"general.architecture": "mamba"}, "'mamba' models are not read"),
        ({"llama.expert_count": 8}, "mixture-of-experts"),
        ({"llama.rope.scaling.type": "yarn"}, "yarn RoPE scaling"),
        ({"llama.rope.dimension_count": 8}, "RoPE over 8 of 16"),
        ({"llama.attention.head_count": 0}, "head_count is 0"),
        ({"llama.attention.head_count_kv": 3}, "cannot share 3"),
        ({"llama.attention.value_length": 4}, "different sizes"),
        ({"llama.block_count": "two"}, "block_count is not one whole number"),
        ({"llama.block_count": 1}, "has no place"),
        ({"llama.block_count": 3}, "2 of 3 layers"),
        ({"tokenizer.ggml.pre": "unheard-of"}, "'unheard-of' is not read"),
        ({"tokenizer.ggml.model": "bert"}, "'bert' is not read"),
        ({"tokenizer.ggml.token_type": [1, 2]}, "2 token types for 259 tokens"),
        ({"tokenizer.ggml.merges": ["x yz"]}, "leads outside"),
        ({"tokenizer.ggml.tokens": ["a"] * 259}, "same token twice"),
    ],
)
def test_what_is_not_read_is_refused_by_name(
    change: dict[str, Any], says: str, gguf_writer: Writer, tiny_llama: Any, cache: Path
) -> None:
    metadata, tensors = tiny_llama
    with pytest.raises(ModelError, match=says) as caught:
        load_model(str(gguf_writer(metadata | change, tensors)))
    assert "\n" not in str(caught.value)


def test_k_quants_are_named_with_what_is_read_instead(
    gguf_writer: Writer, tiny_llama: Any, cache: Path
) -> None:
    metadata, tensors = tiny_llama
    tensors["extra.weight"] = (np.zeros((4, 256), np.float32), "Q4_K")
    tensors["more.weight"] = (np.zeros((4, 256), np.float32), "Q6_K")
    with pytest.raises(ModelError, match=r"holds Q4_K, Q6_K weights.*F32, F16, BF16, Q4_0, Q4_1 or Q8_0"):
        load_model(str(gguf_writer(metadata, tensors)))


def test_missing_and_unknown_tensors(gguf_writer: Writer, tiny_llama: Any, cache: Path) -> None:
    metadata, tensors = tiny_llama
    lost = tensors.pop("blk.1.ffn_up.weight")
    with pytest.raises(ModelError, match=r"layers\.1\.mlp\.up_proj"):
        load_model(str(gguf_writer(metadata, tensors)))
    tensors["blk.1.ffn_up.weight"] = lost
    tensors["blk.1.ffn_gate_inp.weight"] = lost
    with pytest.raises(ModelError, match=r"blk\.1\.ffn_gate_inp\.weight has no place"):
        load_model(str(gguf_writer(metadata, tensors)))


def test_the_folder_is_an_ordinary_one(gguf_writer: Writer, tiny_llama: Any, cache: Path) -> None:
    import mlx_lm

    folder = gguf.folder_for(gguf_writer(*tiny_llama), cache)
    model, tokenizer = mlx_lm.load(str(folder))
    assert tokenizer.decode(tokenizer.encode("any text")) == "any text"
    assert len(model.layers) == 2
    assert json.loads((folder / "config.json").read_text())["eos_token_id"] == [2, 0]
