"""What a model must be for its branches to be exact, found out by asking and by trying it."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import KVCache, make_prompt_cache

from . import attention
from .batch import Batch, Joining
from .fragments import Fragment
from .layers import layout_of
from .store import FragmentStore

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


def eos_tokens(tokenizer: Any) -> frozenset[int]:
    """The token ids that end a text."""
    several = getattr(tokenizer, "eos_token_ids", None)
    if several:
        return frozenset(int(token) for token in several)
    one = getattr(tokenizer, "eos_token_id", None)
    return frozenset() if one is None else frozenset({int(one)})


def check_model(model: Any) -> bool:
    """Find out how the model can be served: True if attention shares prefixes, False if rows need copies.

    Raises:
        UnsupportedModel: it can't be, with the reason.
    """
    name = model_name(model)
    kinds = sorted({type(cache).__name__ for cache in make_prompt_cache(model) if type(cache) is not KVCache})
    if kinds:
        raise UnsupportedModel(
            f"{name}: layers with {', '.join(kinds)} are not served yet; plain KV caches are"
        )
    modes = (True, False) if attention.install(model) else (False,)
    reason = "its branches differ from a fresh run"
    for shared in modes:
        try:
            if _exact(model, shared):
                return shared
        except (NotImplementedError, ValueError, TypeError, AttributeError) as error:
            reason = str(error)
    raise UnsupportedModel(f"{name}: cannot be branched exactly ({reason})")


def _exact(model: Any, shared: bool) -> bool:
    """Whether two branches from a short prefix get the logits of a run from scratch."""
    prompt, ends = [1, 2, 3, 1, 2], [[3, 1], [1, 3]]
    layers = make_prompt_cache(model)
    model(mx.array([prompt]), cache=layers)
    store = FragmentStore(1 << 30)
    store.put(prompt, 0, Fragment.pack([(c.keys[0, :, :5], c.values[0, :, :5]) for c in layers]))
    batch: Batch[int] = Batch(model, layout_of(model), shared=shared, overhead=0)
    batch.join([Joining([*prompt, end[0]], [row]) for row, end in enumerate(ends)], store)
    for step in range(2):
        got = mx.array(batch.forward([end[step] for end in ends]))
    wanted = mx.concatenate([model(mx.array([prompt + end]))[:, -1] for end in ends]).astype(mx.float32)
    error = mx.sqrt(mx.square(got - wanted).mean()) / (mx.sqrt(mx.square(wanted).mean()) + 1e-9)
    limit = 1e-3 if layers[0].keys.dtype == mx.float32 else 6e-2
    return bool((error < limit).item())
