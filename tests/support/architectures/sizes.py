"""The sizes that the tiny architectures have in common."""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]
"""What a `config.json` says."""

VOCABULARY = 384
"""Above what any of the tiny tokenizers has: real models have such spare ids too."""
CONTEXT = 2048
WINDOW = 8
"""A sliding window in tokens, so short that a few steps leave it."""

SHAPE: Config = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "vocab_size": VOCABULARY,
}
ATTENTION: Config = {**SHAPE, "rms_norm_eps": 1e-5}
"""The shape under the names that most architectures use, with the usual norm."""
