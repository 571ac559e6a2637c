"""Tiny random models of many architectures, and tokenizers without any files, for tests of the loom core."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten
from mlx_lm.tokenizer_utils import TokenizerWrapper
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

VOCABULARY = 384
"""Above what any of the tokenizers has: real models have such spare ids too."""
CONTEXT = 2048
LOGIT_SPREAD = 4.0
"""Standard deviation of the logits: the best of 384 is then of order 10."""

_COMMON = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": VOCABULARY,
}
_RMS = {**_COMMON, "rms_norm_eps": 1e-5}

ARGUMENTS: dict[str, dict[str, Any]] = {
    "llama": {**_RMS, "max_position_embeddings": CONTEXT},
    "qwen2": {**_RMS, "tie_word_embeddings": False},
    "qwen3": {
        **_RMS,
        "max_position_embeddings": CONTEXT,
        "head_dim": 16,
        "tie_word_embeddings": False,
        "rope_theta": 1e4,
    },
    "phi3": {**_RMS},
    "gemma": {**_RMS, "head_dim": 16},
    "mixtral": {**_RMS, "num_experts_per_tok": 2, "num_local_experts": 4},
    "olmo2": {**_RMS, "tie_word_embeddings": False},
    "gpt2": {
        "n_ctx": CONTEXT,
        "n_positions": CONTEXT,
        "n_embd": 64,
        "n_head": 4,
        "n_layer": 2,
        "layer_norm_epsilon": 1e-5,
        "vocab_size": VOCABULARY,
    },
    "gpt_neox": {
        "max_position_embeddings": CONTEXT,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "layer_norm_eps": 1e-5,
        "vocab_size": VOCABULARY,
        "rotary_emb_base": 10000,
        "rotary_pct": 0.25,
    },
    "starcoder2": {**_COMMON},
    "cohere": {**_COMMON},
    "stablelm": {
        **_COMMON,
        "rope_theta": 1e4,
        "use_qkv_bias": True,
        "partial_rotary_factor": 0.25,
        "layer_norm_eps": 1e-5,
    },
}
ARCHITECTURES = tuple(ARGUMENTS)


def build_model(architecture: str, seed: int = 0, **changes: Any) -> Any:
    """A fresh random float32 model whose logits are of order 10."""
    module = importlib.import_module(f"mlx_lm.models.{architecture}")
    model = module.Model(module.ModelArgs(model_type=architecture, **{**ARGUMENTS[architecture], **changes}))
    rng = np.random.default_rng([seed, sum(architecture.encode())])
    randomised = []
    for name, parameter in tree_flatten(model.parameters()):
        noise = rng.standard_normal(parameter.shape)
        if parameter.ndim >= 2:
            values = noise * 1.5 / np.sqrt(parameter.shape[-1])
        else:
            values = np.array(parameter) + 0.1 * noise
        randomised.append((name, mx.array(values.astype(np.float32))))
    model.update(tree_unflatten(randomised))
    model.eval()
    for _ in range(3):  # some norms add 1 to their weight, so that once isn't enough
        logits = np.array(model(mx.array([rng.integers(0, VOCABULARY, 64).tolist()])))
        norm = _last_norm(model)
        factor = LOGIT_SPREAD / float(logits.std())
        norm.weight = norm.weight * factor
        if "bias" in norm:
            norm.bias = norm.bias * factor
    mx.eval(model.parameters())
    return model


def _last_norm(model: Any) -> Any:
    """The norm in front of the output layer; the logits scale with its weights."""
    inner = model.transformer if hasattr(model, "transformer") else model.model
    for name in ("norm", "ln_f", "final_layer_norm"):
        if hasattr(inner, name):
            return getattr(inner, name)
    raise AssertionError("no last norm found")


@functools.cache
def tiny_model(architecture: str) -> Any:
    """The shared model of an architecture. Tests that change a model build their own."""
    return build_model(architecture)


def _wrap(tokenizer: Tokenizer, template: str | None = None, **special: Any) -> TokenizerWrapper:
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
    fast.chat_template = template
    return TokenizerWrapper(fast)


def _byte_level() -> Tokenizer:
    """One token per byte, and a few for common words, so that tokens end inside and outside of characters."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("a", "b"), ("ab", "c"), ("â", "Ĥ"), ("i", "n")]
    words = [*alphabet, *("".join(pair) for pair in merges)]
    tokenizer = Tokenizer(models.BPE({word: index for index, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(name, special=True) for name in ("<s>", "</s>", "<user>", "<bot>")]
    )
    return tokenizer


def _add_bos(tokenizer: Tokenizer) -> None:
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )


def plain_tokenizer() -> TokenizerWrapper:
    """Byte-level, without a BOS and without a chat template."""
    return _wrap(_byte_level(), eos_token="</s>")


CHAT = (
    "{{ bos_token }}{% for m in messages %}<user>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<bot>{% endif %}"
)


def bos_tokenizer() -> TokenizerWrapper:
    """Byte-level, adds a BOS; its chat template writes one too."""
    tokenizer = _byte_level()
    _add_bos(tokenizer)
    return _wrap(tokenizer, CHAT, bos_token="<s>", eos_token="</s>")


def prefix_space_tokenizer() -> TokenizerWrapper:
    """In SentencePiece's manner: a space put in front, bytes for what has no token, a BOS."""
    special = ["<unk>", "<s>", "</s>"]
    letters = ["▁", *(chr(code) for code in range(33, 127))]
    merges = [("▁", "t"), ("▁t", "h"), ("▁th", "e"), ("i", "n"), ("▁", "a")]
    words = [
        *special,
        *(f"<0x{byte:02X}>" for byte in range(256)),
        *letters,
        *("".join(pair) for pair in merges),
    ]
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(content=" ", left=1, right=0),
        ]
    )
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    _add_bos(tokenizer)
    return _wrap(tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


TOKENIZERS = {"plain": plain_tokenizer, "bos": bos_tokenizer, "prefix_space": prefix_space_tokenizer}


@functools.cache
def tiny_tokenizer(kind: str) -> TokenizerWrapper:
    """The shared tokenizer of a kind."""
    return TOKENIZERS[kind]()


def scratch_logits(model: Any, tokens: list[int]) -> np.ndarray:
    """Logits `[tokens, vocabulary]` of one forward pass over token ids, without any cache."""
    return np.array(model(mx.array([tokens]))[0].astype(mx.float32))


def greedy(model: Any, tokens: list[int], count: int) -> list[int]:
    """The greedy continuation of token ids, each step from scratch."""
    path = list(tokens)
    for _ in range(count):
        path.append(int(scratch_logits(model, path)[-1].argmax()))
    return path[len(tokens) :]
