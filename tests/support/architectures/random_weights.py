"""Random weights under which a tiny model is a good witness: its logits are of order 10 and hang on every token."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten

from .sizes import VOCABULARY

LOGIT_SPREAD = 4.0
"""Standard deviation of the logits: the best of the vocabulary is then of order 10."""
GAIN = 1.5
"""How far the weights are from those that keep a variance: attention gets sharp enough to tell tokens apart."""

_DECAYS = {
    "A_log": (-2.0, 0.5),
    "dt_bias": (-3.0, -1.0),
    "dt_proj.bias": (-3.0, -1.0),
    "recurrent_param": (-6.0, -4.0),
    "w_lora.lora.2.bias": (-5.0, -3.0),
}
"""Bounds for what sets how fast a state forgets: so slowly that it remembers dozens of tokens."""
_HEADS = ("lm_head", "lm_head.weight", "lm_head.linear.weight", "embed_out.weight", "output.weight")
_NORMS = (
    "norm",
    "norm_f",
    "ln_f",
    "final_layernorm",
    "embedding_norm",
    "output_norm",
)


def randomise(model: Any, rng: np.random.Generator) -> None:
    """Draw all weights of a model, in float32, and scale its logits."""
    drawn = [(name, mx.array(_draw(name, value, rng))) for name, value in tree_flatten(model.parameters())]
    model.update(tree_unflatten(drawn))
    model.eval()
    probe = mx.array([rng.integers(0, VOCABULARY, 64).tolist()])
    scaled = _last_weights(model)
    for _ in range(20):  # some norms add 1 to their weight and some logits are capped: once isn't enough
        factor = LOGIT_SPREAD / float(np.array(model(probe).astype(mx.float32)).std())
        if abs(factor - 1) < 0.05:
            break
        weights = dict(tree_flatten(model.parameters()))
        model.update(tree_unflatten([(name, weights[name] * factor) for name in scaled]))
    mx.eval(model.parameters())


def _draw(name: str, value: mx.array, rng: np.random.Generator) -> np.ndarray:
    """Values for one parameter: matrices and biases anew, other vectors (norms, gains) near what they start with."""
    if value.dtype == mx.uint32:  # packed by a quantised layer
        return rng.integers(0, 2**32, value.shape, np.uint32)
    noise = rng.standard_normal(value.shape)
    slow = next((bounds for suffix, bounds in _DECAYS.items() if name.endswith(suffix)), None)
    if slow is not None:
        drawn = rng.uniform(*slow, value.shape)
    elif name.endswith("bias"):
        drawn = 0.1 * noise
    elif value.ndim < 2:
        drawn = np.array(value.astype(mx.float32)) + 0.1 * noise
    else:
        inputs = np.prod(value.shape[1:]) if "conv" in name else value.shape[-1]
        drawn = noise * GAIN / np.sqrt(inputs)
    return drawn.astype(np.float32)


def _last_weights(model: Any) -> list[str]:
    """Names of the weights that the logits scale with: the output layer's, or where it is tied the last norm's."""
    names = [name for name, _ in tree_flatten(model.parameters())]
    heads = [name for name in names if name.endswith(_HEADS) and ".layers." not in name]
    if heads:
        return heads + [
            name.removesuffix("weight") + "bias"
            for name in heads
            if name.removesuffix("weight") + "bias" in names
        ]
    return [
        name
        for name in names
        if name.rpartition(".")[0].rpartition(".")[2] in _NORMS
        and not any(part.isdigit() for part in name.split("."))
    ]
