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

_HEADS = ("lm_head", "lm_head.weight", "lm_head.linear.weight", "embed_out.weight", "output.weight")
_NORMS = (
    "norm",
    "norm_f",
    "ln_f",
    "final_layernorm",
    "final_layer_norm",
    "final_norm",
    "embedding_norm",
    "norm2",
)


def randomise(model: Any, rng: np.random.Generator) -> None:
    """Draw all weights of a model, in float32, and scale its logits."""
    drawn = [(name, mx.array(_draw(name, value, rng))) for name, value in tree_flatten(model.parameters())]
    model.update(tree_unflatten(drawn))
    model.eval()
    probe = mx.array([rng.integers(0, VOCABULARY, 64).tolist()])
    scaled = _last_weights(model)
    for _ in range(3):  # some norms add 1 to their weight and some logits are capped: once isn't enough
        factor = LOGIT_SPREAD / float(np.array(model(probe).astype(mx.float32)).std())
        weights = dict(tree_flatten(model.parameters()))
        model.update(tree_unflatten([(name, weights[name] * factor) for name in scaled]))
    mx.eval(model.parameters())


def _draw(name: str, value: mx.array, rng: np.random.Generator) -> np.ndarray:
    """Values for one parameter: matrices anew, vectors (norms, biases, decays) near what the model starts with."""
    noise = rng.standard_normal(value.shape)
    if value.ndim < 2:
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
