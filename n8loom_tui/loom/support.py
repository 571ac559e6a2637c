"""What a model and its tokenizer say of themselves."""

from __future__ import annotations

from typing import Any

_CONTEXT_NAMES = (
    "max_position_embeddings",
    "n_positions",
    "n_ctx",
    "max_seq_len",
    "max_sequence_length",
    "seq_length",
)


class UnsupportedModel(ValueError):
    """A model whose branches cannot be served exactly."""


def model_name(model: Any) -> str:
    """The architecture's name."""
    return str(getattr(model, "model_type", None) or type(model).__module__.rpartition(".")[2])


def context_length(model: Any) -> int | None:
    """How many tokens the model reads, where its configuration says."""
    args = getattr(model, "args", None)
    nested = getattr(args, "text_config", None)
    for holder in (args, nested if not isinstance(nested, dict) else None):
        for name in _CONTEXT_NAMES:
            value = getattr(holder, name, None)
            if isinstance(value, int) and value > 0:
                return value
    return None


def vocabulary_size(model: Any) -> int | None:
    """How many token ids the model knows; None if it doesn't say."""
    import mlx.core as mx

    try:
        return int(model(mx.array([[0]])).shape[-1])  # the shape alone: nothing is computed
    except Exception:  # noqa: BLE001 - a model's code may raise anything
        return None


def eos_tokens(tokenizer: Any) -> frozenset[int]:
    """The token ids that end a text."""
    several = getattr(tokenizer, "eos_token_ids", None)
    if several:
        return frozenset(int(token) for token in several)
    one = getattr(tokenizer, "eos_token_id", None)
    return frozenset() if one is None else frozenset({int(one)})
