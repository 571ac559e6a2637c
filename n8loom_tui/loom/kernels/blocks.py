"""A model's decoder blocks: its weights in the form that a pass computes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.nn.layers.embedding import Embedding
from mlx.nn.layers.linear import Linear
from mlx.nn.layers.normalization import RMSNorm

from .rotary import Rotary
from .weights import Weight
from .workspace import Floats

QUANTISED = "quantised"
"""The attribute in which a layer whose weights were unpacked has them as they were: a `Quantised`; the `Codes` that it
was packed to, once it was; None if it can't be."""


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
    """MLX's memory as a contiguous NumPy array; a copy, where it does not lie so.

    Raises:
        TypeError: it is not float32.
    """
    if array.dtype != mx.float32:
        raise TypeError(f"{array.dtype} is not float32")
    return np.ascontiguousarray(np.array(array, copy=False))


def norm_of(module: Any) -> Norm:
    """
    Raises:
        TypeError: it is another kind of norm.
    """
    if type(module) is not RMSNorm:
        raise TypeError(f"{type(module).__name__} is no RMSNorm")
    return Norm(floats(module.weight), float(module.eps))


def weight_of(layer: Any, pack: bool) -> Weight:
    """
    Raises:
        TypeError: it is neither a linear layer nor an embedding, which may be one's weights too; or not float32.
    """
    if type(layer) not in (Linear, Embedding):
        raise TypeError(f"{type(layer).__name__} is no Linear")
    bias = floats(layer.bias) if "bias" in layer else None
    quantised = getattr(layer, QUANTISED, None)
    weight = Weight.of(floats(layer.weight), bias, quantised=quantised, pack=pack)
    if quantised is not None:  # what it was packed from is wanted no more
        setattr(layer, QUANTISED, weight.codes)
    return weight


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
        queries=weight_of(attention.q_proj, pack),
        keys=weight_of(attention.k_proj, pack),
        values=weight_of(attention.v_proj, pack),
        out=weight_of(attention.o_proj, pack),
        before_mlp=norm_of(layer.post_attention_layernorm),
        gate=weight_of(mlp.gate_proj, pack),
        up=weight_of(mlp.up_proj, pack),
        down=weight_of(mlp.down_proj, pack),
        rotary=Rotary.of(attention.rope, dim, rotaries),
        query_norm=norm_of(attention.q_norm) if "q_norm" in attention else None,
        key_norm=norm_of(attention.k_norm) if "k_norm" in attention else None,
    )
