"""Models of llama's kind as a whole in NumPy: the blocks of a step, with no detour through MLX's graph.

MLX's CPU backend spends on a step of few rows about as much time around the matrix products as in them: some
hundred small scalar kernels a layer. NumPy does the same arithmetic in a third of the calls, vectorised, and
works in place on the keys and values. The weights are MLX's own memory, read where they lie.

A model is taken over only if its architecture is one of those below and its logits are those of its own
code; any other keeps to MLX.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt
from mlx.nn.layers.embedding import Embedding
from mlx.nn.layers.linear import Linear
from mlx.nn.layers.normalization import RMSNorm
from mlx.utils import tree_flatten

from n8loom_tui.loom.layers import Layout, Leaf, LeafKind
from n8loom_tui.memory import available_memory

from .apart import Projection, Spaces, rows_apart
from .functions import on_cpu
from .reach import Heads, Reach, Span, reach
from .rotary import Rotary
from .team import shared_out, side_by_side
from .weights import Weight
from .workspace import Floats, Workspace

FAMILIES = frozenset({"llama", "qwen2", "qwen3", "smollm3"})
"""The modules of `mlx_lm.models` whose blocks are built as below."""

TRIED_TOKENS = 24
"""How many tokens a network is tried with."""
PACKED_HEADROOM = 2 << 30
"""Bytes that are to stay free beside packed weights."""
Keep = Callable[[int, Floats, Floats], None]
"""Takes a layer's new keys and values, `[kv_heads, rows, dim]` each, before the layer attends."""
Reaching = Callable[[int, int, Workspace], Reach]
"""What the rows from the first number up to the second attend to, in the workspace of whoever computes it."""


@dataclass(frozen=True, slots=True)
class Norm:
    """Root mean square normalisation (arXiv:1910.07467)."""

    weight: Floats
    eps: float

    def apply(self, x: Floats, out: Floats) -> Floats:
        """Normalise over the last axis. Returns `out`."""
        squares = np.einsum("...i,...i->...", x, x)[..., None]
        squares /= x.shape[-1]
        squares += self.eps
        np.sqrt(squares, out=squares)
        np.divide(x, squares, out=out)
        out *= self.weight
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One decoder block. `joined` holds the query, key and value projections, `gated` gate and up."""

    before_attention: Norm
    joined: Projection
    out: Projection
    before_mlp: Norm
    gated: Projection
    down: Projection
    rotary: Rotary
    query_norm: Norm | None
    key_norm: Norm | None


def _floats(array: mx.array) -> Floats:
    """MLX's memory as a NumPy array."""
    return np.array(array, copy=False)


def _norm(module: Any) -> Norm:
    if type(module) is not RMSNorm:
        raise TypeError(f"{type(module).__name__} is no RMSNorm")
    return Norm(_floats(module.weight), float(module.eps))


def _joined(modules: Iterable[Any], pack: bool) -> Projection:
    """Linear layers of one input as one. Their weights become views of the joined array, so none is held twice."""
    layers = list(modules)
    for layer in layers:
        if type(layer) is not Linear or layer.weight.dtype != mx.float32:
            raise TypeError(f"{type(layer).__name__} is no float32 Linear")
    weight, bias = layers[0].weight, None
    if len(layers) > 1:
        weight = mx.concatenate([layer.weight for layer in layers])
        mx.eval(weight)
        first = 0
        for layer in layers:
            last = first + layer.weight.shape[0]
            layer.weight = weight[first:last]
            mx.eval(layer.weight)
            first = last
    if any("bias" in layer for layer in layers):
        parts = [layer.bias if "bias" in layer else mx.zeros(layer.weight.shape[0]) for layer in layers]
        bias = _floats(mx.concatenate(parts))
    return Projection(Weight.of(_floats(weight), bias, pack=pack))


def _block(layer: Any, pack: bool) -> Block:
    attention, mlp = layer.self_attn, layer.mlp
    return Block(
        before_attention=_norm(layer.input_layernorm),
        joined=_joined([attention.q_proj, attention.k_proj, attention.v_proj], pack),
        out=_joined([attention.o_proj], pack),
        before_mlp=_norm(layer.post_attention_layernorm),
        gated=_joined([mlp.gate_proj, mlp.up_proj], pack),
        down=_joined([mlp.down_proj], pack),
        rotary=Rotary(attention.rope, attention.q_proj.weight.shape[0] // attention.n_heads),
        query_norm=_norm(attention.q_norm) if "q_norm" in attention else None,
        key_norm=_norm(attention.k_norm) if "k_norm" in attention else None,
    )


def network_for(model: Any, layout: Layout) -> Network | None:
    """The network that computes in a model's place; None where the model keeps to its own code.

    There is one on the CPU for float32 models of the families above that give the same logits.
    """
    family = type(model).__module__.rpartition(".")[2]
    if not on_cpu() or family not in FAMILIES or layout.layers != (Leaf(LeafKind.KV),) * len(layout.layers):
        return None
    try:
        network = Network(model, pack=_room_to_pack(model))
        return network if _agrees(network, model) else None
    except (TypeError, AttributeError, ValueError):
        return None


def _room_to_pack(model: Any) -> bool:
    """Whether there is memory for the weights a second time, with as much left again."""
    size = sum(int(array.nbytes) for array in dict(tree_flatten(model.parameters())).values())
    free = available_memory()
    return free is None or 2 * size + PACKED_HEADROOM <= free


@shared_out()
def _agrees(network: Network, model: Any) -> bool:
    """Whether the logits of some tokens, read at once, are those of the model's own code."""
    tokens = np.arange(1, TRIED_TOKENS + 1) * 7919 % network.vocabulary
    shape = (network.layers, network.heads.kv, TRIED_TOKENS, network.heads.dim)
    keys, values = list(np.empty(shape, np.float32)), list(np.empty(shape, np.float32))

    def keep(layer: int, new_keys: Floats, new_values: Floats) -> None:
        keys[layer][:], values[layer][:] = new_keys, new_values

    def reaching(low: int, high: int, space: Workspace) -> Reach:
        span = Span(0, high - low, 0, high, keys, values)
        return reach(network.heads, high - low, [span], None, space, [(0, high - low, low)])

    got = network.logits(network.run(tokens, np.arange(TRIED_TOKENS), TRIED_TOKENS, reaching, keep))
    wanted = np.array(model(mx.array(tokens.tolist())[None])[0].astype(mx.float32))
    return bool(np.abs(got - wanted).max() <= 1e-4 * max(1.0, float(np.abs(wanted).max())))


class Network:
    """A model's weights, and its forward pass.

    Raises:
        TypeError, AttributeError: the model is not built like this.
    """

    def __init__(self, model: Any, *, pack: bool) -> None:
        """`pack`: hold the weights a second time, in the form in which products of few rows are fast."""
        inner = model.model
        attention = inner.layers[0].self_attn
        dim = attention.q_proj.weight.shape[0] // attention.n_heads
        self.heads = Heads(attention.n_kv_heads, attention.n_heads // attention.n_kv_heads, dim)
        self._scale = np.float32(attention.scale)
        if type(inner.embed_tokens) is not Embedding:
            raise TypeError("the embedding is not a plain one")
        self._embedding = _floats(inner.embed_tokens.weight)
        self._norm = _norm(inner.norm)
        head = model.lm_head if "lm_head" in model else inner.embed_tokens
        self._head = Projection(Weight.of(_floats(head.weight), pack=pack))
        self._blocks = [_block(layer, pack) for layer in inner.layers]
        self.spaces = Spaces()

    @property
    def layers(self) -> int:
        return len(self._blocks)

    @property
    def vocabulary(self) -> int:
        return self._head.outputs

    @np.errstate(all="ignore")  # numbers that are none are noticed where a token is chosen
    def run(
        self,
        tokens: npt.NDArray[np.int64],
        positions: npt.NDArray[np.int64],
        columns: int,
        reaching: Reaching,
        keep: Keep,
    ) -> Floats:
        """All blocks for one token per row. Only within `shared_out`.

        Args:
            tokens, positions: `[rows]`.
            columns: how many tokens a row looks at, at most.
            reaching: tells what some of the rows attend to.
            keep: takes each layer's new keys and values.

        Returns:
            What the blocks make of them, `[rows, hidden]`, valid until the next call.
        """
        rows, space = len(tokens), self.spaces[0]
        hidden = space.take("hidden", rows, self._embedding.shape[1])
        np.take(self._embedding, tokens, axis=0, out=hidden)
        normed = space.take("normed", *hidden.shape)
        added = space.take("added", *hidden.shape)
        reaches = [
            (slice(low, high), reaching(low, high, self.spaces[number]))
            for number, (low, high) in enumerate(rows_apart(rows, self.heads.work(rows, columns)))
        ]
        turns = None
        rotary = None
        for layer, block in enumerate(self._blocks):
            if block.rotary is not rotary:
                rotary = block.rotary
                turns = rotary.turns(positions)[:, None]
            assert turns is not None
            block.before_attention.apply(hidden, normed)
            attended = self._attend(layer, block, normed, turns, reaches, keep)
            hidden += block.out.apply(attended, added, self.spaces)
            block.before_mlp.apply(hidden, normed)
            hidden += block.down.apply(self._gate(block, normed), added, self.spaces)
        return hidden

    def _attend(
        self,
        layer: int,
        block: Block,
        x: Floats,
        turns: npt.NDArray[np.complex64],
        reaches: Sequence[tuple[slice, Reach]],
        keep: Keep,
    ) -> Floats:
        rows, heads, space = len(x), self.heads, self.spaces[0]
        count = heads.kv * heads.group
        made = block.joined.apply(x, space.take("joined", rows, block.joined.outputs), self.spaces)
        made = made.reshape(rows, count + 2 * heads.kv, heads.dim)
        queries, keys, values = (
            made[:, :count],
            made[:, count : count + heads.kv],
            made[:, count + heads.kv :],
        )
        if block.query_norm is not None and block.key_norm is not None:
            queries = block.query_norm.apply(queries, np.empty_like(queries))
            keys = block.key_norm.apply(keys, np.empty_like(keys))
        turned = space.take("turned", rows, heads.kv, heads.dim)
        block.rotary.rotate(keys, turns, turned)
        keep(layer, turned.swapaxes(0, 1), values.swapaxes(0, 1))
        queries = queries.reshape(rows, heads.kv, heads.group, heads.dim)
        attended = space.take("gathered", rows, heads.kv, heads.group, heads.dim)
        scaled = turns * self._scale

        @np.errstate(all="ignore")
        def part(mine: slice, seen: Reach) -> None:
            block.rotary.rotate(queries[mine].swapaxes(0, 1), scaled[mine], seen.queries)
            seen.attend(layer, attended[mine])

        side_by_side([partial(part, mine, seen) for mine, seen in reaches])
        return attended.reshape(rows, count * heads.dim)

    @np.errstate(all="ignore")
    def logits(self, hidden: Floats) -> Floats:
        """The logits of some rows of what `run` gave, `[rows, vocabulary]`, valid until the next call."""
        space = self.spaces[0]
        normed = self._norm.apply(hidden, space.take("normed", *hidden.shape))
        return self._head.apply(normed, space.take("logits", len(hidden), self._head.outputs), self.spaces)

    def _gate(self, block: Block, x: Floats) -> Floats:
        """The gated part of the MLP: `silu(gate · x) * (up · x)`."""
        rows, space = len(x), self.spaces[0]
        gated = block.gated.apply(x, space.take("gated", rows, block.gated.outputs), self.spaces)
        half = block.gated.outputs // 2
        gate, up = gated[:, :half], gated[:, half:]
        out = space.take("activated", rows, half)
        np.negative(gate, out=out)
        np.exp(out, out=out)
        out += 1.0
        np.divide(gate, out, out=out)
        out *= up
        return out
