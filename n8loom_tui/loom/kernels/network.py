"""Models of llama's kind as a whole in NumPy: the blocks of a step, with no detour through MLX's graph.

MLX's CPU backend spends on a step of few rows about as much time around the matrix products as in them: some
hundred small scalar kernels a layer. NumPy does the same arithmetic in a third of the calls, vectorised, and
works in place on the keys and values. The weights are MLX's own memory, read where they lie.

A model is taken over only if its architecture is one of those below and its logits are those of its own
code; any other keeps to MLX.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
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

from .blas import Floats, Weight, cut
from .functions import on_cpu
from .reach import Heads, Reach, Span
from .rotary import Rotary
from .team import Lane, in_lanes, lanes_for, shared_out
from .workspace import Workspace

FAMILIES = frozenset({"llama", "qwen2", "qwen3", "smollm3"})
"""The modules of `mlx_lm.models` whose blocks are built as below."""

TRIED_TOKENS = 24
"""How many tokens a network is tried with."""
PACKED_HEADROOM = 2 << 30
"""Bytes that are to stay free beside packed weights."""
Keep = Callable[[int, Floats, Floats], None]
"""Takes a layer's new keys and values, `[kv_heads, rows, dim]` each, before the layer attends."""
Attending = Callable[[Lane, Workspace], tuple[Reach, Keep]]
"""What the rows of a lane attend to, made in the lane's workspace, and what takes their keys and values."""


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
    joined: Weight
    out: Weight
    before_mlp: Norm
    gated: Weight
    down: Weight
    rotary: Rotary
    query_norm: Norm | None
    key_norm: Norm | None

    def share(self, number: int, count: int) -> Share:
        """Share `number` of `count` of the weights."""
        low, high = cut(self.gated.outputs // 2, number, count)
        return Share(
            self.joined.share(number, count),
            self.out.share(number, count),
            self.gated.share(number, count),
            self.down.inputs(low, high, bias=number == 0),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """What one lane applies of a block's weights, to the rows of all lanes.

    `joined` and `out` make some of the outputs. `gated` makes some columns of the MLP, and `down` what comes of
    these, which is to be added up.
    """

    joined: Weight
    out: Weight
    gated: Weight
    down: Weight


@dataclass(frozen=True, slots=True, eq=False)
class Common:
    """What the lanes of a pass work on together, for all rows: a lane writes its rows or its columns, and when they
    have met all of them read.

    `joined`: queries, keys and values. `attended`: what the heads made of them. `mixed`: what the layer's attention
    adds. `added[lane]`: what its MLP adds, in parts.
    """

    joined: Floats
    attended: Floats
    mixed: Floats
    added: Floats


def _columns(table: Floats, lane: Lane) -> Floats:
    """The columns that a lane's share of some weights makes."""
    low, high = cut(table.shape[1], lane.number, lane.count)
    return table[:, low:high]


def _floats(array: mx.array) -> Floats:
    """MLX's memory as a NumPy array."""
    return np.array(array, copy=False)


def _norm(module: Any) -> Norm:
    if type(module) is not RMSNorm:
        raise TypeError(f"{type(module).__name__} is no RMSNorm")
    return Norm(_floats(module.weight), float(module.eps))


def _joined(modules: Iterable[Any], pack: bool, *, apart: bool = False) -> Weight:
    """Linear layers of one input as one. Their weights become views of the joined array, so none is held twice.

    `apart`: a share of it is one of each layer's.
    """
    layers = list(modules)
    for layer in layers:
        if type(layer) is not Linear or layer.weight.dtype != mx.float32:
            raise TypeError(f"{type(layer).__name__} is no float32 Linear")
    weight, bias = layers[0].weight, None
    sections = [layer.weight.shape[0] for layer in layers]
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
    return Weight.of(_floats(weight), bias, sections=sections if apart else (), pack=pack)


def _block(layer: Any, pack: bool) -> Block:
    attention, mlp = layer.self_attn, layer.mlp
    return Block(
        before_attention=_norm(layer.input_layernorm),
        joined=_joined([attention.q_proj, attention.k_proj, attention.v_proj], pack),
        out=_joined([attention.o_proj], pack),
        before_mlp=_norm(layer.post_attention_layernorm),
        gated=_joined([mlp.gate_proj, mlp.up_proj], pack, apart=True),
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

    def keep(lane: Lane, layer: int, new_keys: Floats, new_values: Floats) -> None:
        keys[layer][:, lane.rows], values[layer][:, lane.rows] = new_keys, new_values
        lane.meet()

    span = Span(0, TRIED_TOKENS, 0, TRIED_TOKENS, keys, values)

    def attending(lane: Lane, space: Workspace) -> tuple[Reach, Keep]:
        causal = [(0, len(lane), lane.low)]
        part = replace(span, low=0, high=len(lane), stop=lane.high)
        return Reach(network.heads, len(lane), [part], None, space, causal), partial(keep, lane)

    got = network.logits(network.run(tokens, np.arange(TRIED_TOKENS), attending))
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
        self._head = Weight.of(_floats(head.weight), pack=pack)
        self._blocks = [_block(layer, pack) for layer in inner.layers]
        self._results = Workspace()
        self._spaces: list[Workspace] = []
        self._shares: dict[tuple[int, int], list[Share]] = {}
        """What each lane applies of the blocks' weights, by its number and that of all; `_heads` for the logits."""
        self._heads: dict[tuple[int, int], Weight] = {}

    @property
    def layers(self) -> int:
        return len(self._blocks)

    @property
    def vocabulary(self) -> int:
        return self._head.outputs

    def run(
        self, tokens: npt.NDArray[np.int64], positions: npt.NDArray[np.int64], attending: Attending
    ) -> Floats:
        """All blocks for one token per row. Only within `shared_out`.

        Args:
            tokens, positions: `[rows]`.
            attending: what the rows of a lane attend to, and what takes their keys and values.

        Returns:
            What the blocks make of them, `[rows, hidden]`, valid until the next call.
        """
        rows, width = len(tokens), self._embedding.shape[1]
        lanes = lanes_for(rows)
        self._prepare(len(lanes))
        take = self._results.take
        block = self._blocks[0]
        common = Common(
            take("joined", rows, block.joined.outputs),
            take("attended", rows, self.heads.kv, self.heads.group, self.heads.dim),
            take("mixed", rows, width),
            take("added", len(lanes), rows, width),
        )

        def work(lane: Lane) -> None:
            hidden = self._spaces[lane.number].take("hidden", rows, width)
            np.take(self._embedding, tokens, axis=0, out=hidden)
            self._run(lane, hidden, positions[lane.rows], common, attending)

        in_lanes(lanes, work)
        return self._spaces[0].take("hidden", rows, width)

    def _prepare(self, lanes: int) -> None:
        """Have what so many lanes need."""
        while len(self._spaces) < lanes:
            self._spaces.append(Workspace())
        for number in range(lanes if (0, lanes) not in self._shares else 0):
            self._shares[number, lanes] = [block.share(number, lanes) for block in self._blocks]
            self._heads[number, lanes] = self._head.share(number, lanes)

    @np.errstate(all="ignore")  # numbers that are none are noticed where a token is chosen
    def _run(
        self,
        lane: Lane,
        hidden: Floats,
        positions: npt.NDArray[np.int64],
        common: Common,
        attending: Attending,
    ) -> None:
        """A lane's part of all blocks. Every lane has `hidden`, of all rows, for itself: it costs less to add it up in
        each than to wait for each other once more."""
        space = self._spaces[lane.number]
        reach, keep = attending(lane, space)
        normed = space.take("normed", *hidden.shape)
        turns = None
        rotary = None
        shares = self._shares[lane.number, lane.count]
        for layer, (block, share) in enumerate(zip(self._blocks, shares, strict=True)):
            if block.rotary is not rotary:
                rotary = block.rotary
                turns = rotary.turns(positions)[:, None]
            assert turns is not None
            block.before_attention.apply(hidden, normed)
            share.joined.apply(normed, _columns(common.joined, lane), space)
            lane.meet()
            made = common.joined[lane.rows]
            np.copyto(common.attended[lane.rows], self._attend(layer, block, made, turns, reach, keep, space))
            lane.meet()
            attended = common.attended.reshape(len(hidden), -1)
            share.out.apply(attended, _columns(common.mixed, lane), space)
            lane.meet()
            hidden += common.mixed
            block.before_mlp.apply(hidden, normed)
            share.down.apply(self._gate(share.gated, normed, space), common.added[lane.number], space)
            lane.meet()
            for part in common.added:
                hidden += part

    def logits(self, hidden: Floats) -> Floats:
        """The logits of rows of what `run` gave, `[rows, vocabulary]`, valid until the next call."""
        normed = self._results.take("normed", *hidden.shape)
        table = self._results.take("logits", len(hidden), self._head.outputs)
        with np.errstate(all="ignore"):
            self._norm.apply(hidden, normed)
        lanes = lanes_for(len(hidden))
        self._prepare(len(lanes))

        def work(lane: Lane) -> None:
            head = self._heads[lane.number, lane.count]
            head.apply(normed, _columns(table, lane), self._spaces[lane.number])

        in_lanes(lanes, work)
        return table

    def _attend(
        self,
        layer: int,
        block: Block,
        made: Floats,
        turns: npt.NDArray[np.complex64],
        reach: Reach,
        keep: Keep,
        space: Workspace,
    ) -> Floats:
        """Attention of some rows, of which `made` are queries, keys and values: `[rows, kv_heads, group, dim]`."""
        rows, heads = len(made), self.heads
        count = heads.kv * heads.group
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
        queries = queries.reshape(rows, heads.kv, heads.group, heads.dim).swapaxes(0, 1)
        block.rotary.rotate(queries, turns * self._scale, reach.queries)
        return reach.attend(layer).swapaxes(0, 1)

    def _gate(self, weight: Weight, x: Floats, space: Workspace) -> Floats:
        """The gated part of the MLP: `silu(gate · x) * (up · x)`."""
        rows = len(x)
        gated = weight.apply(x, space.take("gated", rows, weight.outputs), space)
        half = weight.outputs // 2
        gate, up = gated[:, :half], gated[:, half:]
        out = space.take("activated", rows, half)
        np.negative(gate, out=out)
        np.exp(out, out=out)
        out += 1.0
        np.divide(gate, out, out=out)
        out *= up
        return out
