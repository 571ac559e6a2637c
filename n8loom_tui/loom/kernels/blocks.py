"""A model's decoder blocks: its weights in the form that a pass computes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.nn.layers.linear import Linear
from mlx.nn.layers.normalization import RMSNorm

from .rotary import Rotary
from .weights import Weight
from .workspace import Floats


@dataclass(frozen=True, slots=True)
class Norm:
    """Root mean square normalisation (arXiv:1910.07467)."""

    weight: Floats
    epsilon: float


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One decoder block."""

    before_attention: Norm
    queries: Weight
    keys: Weight
    values: Weight
    out: Weight
    before_mlp: Norm
    gate: Weight
    up: Weight
    down: Weight
    rotary: Rotary
    query_norm: Norm | None
    key_norm: Norm | None

    @property
    def weights(self) -> tuple[Weight, ...]:
        return (self.queries, self.keys, self.values, self.out, self.gate, self.up, self.down)


def floats(array: mx.array) -> Floats:
    """MLX's memory as a NumPy array."""
    return np.array(array, copy=False)


def norm_of(module: Any) -> Norm:
    """
    Raises:
        TypeError: it is another kind of norm.
    """
    if type(module) is not RMSNorm:
        raise TypeError(f"{type(module).__name__} is no RMSNorm")
    return Norm(floats(module.weight), float(module.eps))


def _weight(layer: Any, pack: bool) -> Weight:
    if type(layer) is not Linear or layer.weight.dtype != mx.float32:
        raise TypeError(f"{type(layer).__name__} is no float32 Linear")
    bias = floats(layer.bias) if "bias" in layer else None
    return Weight.of(floats(layer.weight), bias, pack=pack)


def blocks_of(layers: list[Any], dim: int, pack: bool) -> list[Block]:
    """
    Raises:
        TypeError, AttributeError: they are not built like this.
    """
    rotaries: list[Rotary] = []
    return [_block(layer, dim, pack, rotaries) for layer in layers]


def _block(layer: Any, dim: int, pack: bool, rotaries: list[Rotary]) -> Block:
    attention, mlp = layer.self_attn, layer.mlp
    return Block(
        before_attention=norm_of(layer.input_layernorm),
        queries=_weight(attention.q_proj, pack),
        keys=_weight(attention.k_proj, pack),
        values=_weight(attention.v_proj, pack),
        out=_weight(attention.o_proj, pack),
        before_mlp=norm_of(layer.post_attention_layernorm),
        gate=_weight(mlp.gate_proj, pack),
        up=_weight(mlp.up_proj, pack),
        down=_weight(mlp.down_proj, pack),
        rotary=Rotary.of(attention.rope, dim, rotaries),
        query_norm=norm_of(attention.q_norm) if "q_norm" in attention else None,
        key_norm=norm_of(attention.k_norm) if "k_norm" in attention else None,
    )
