"""Models of llama's kind as a whole: the blocks of a step, with no detour through MLX's graph.

MLX's CPU backend spends on a step of few rows about as much time around the matrix products as in them: some
hundred small scalar kernels a layer, and products that wait for memory. Here a step is one program of compiled code
that all threads go through together, without the interpreter; or the same in NumPy where no code can be compiled.
It works in place on the keys and values.

A model is taken over only if its architecture is one of those below and its logits are those of its own
code; any other keeps to MLX.
"""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
from mlx.nn.layers.embedding import Embedding

from n8loom_tui.loom.layers import Layout, Leaf, LeafKind
from n8loom_tui.memory import available_memory

from .blocks import QUANTISED, blocks_of, floats, norm_of, weight_of
from .compiled import CompiledPass
from .functions import on_cpu
from .native import code, prepare
from .native.interface import ARITHMETIC
from .passes import Heads, Pass, Place, Span
from .plain import PlainPass
from .team import shared_out
from .workspace import Floats

FAMILIES = frozenset({"llama", "qwen2", "qwen3", "smollm3"})
"""The modules of `mlx_lm.models` whose blocks are built as below."""

TRIED_TOKENS = 24
"""How many tokens a network is tried with."""
PACKED_HEADROOM = 2 << 30
"""Bytes that are to stay free beside packed weights."""


def prepare_for(model: Any, *, float32: bool) -> None:
    """Begin to compile what may compute in a model's place, and what chooses its tokens, while its weights are read."""
    if not (float32 and on_cpu() and _family(model) in FAMILIES):
        prepare()
        return
    quantised = {
        (part.bits, part.group_size) for part in model.modules() if "scales" in part and hasattr(part, "bits")
    }
    prepare(steps=True, codes=sorted(quantised))


def _family(model: Any) -> str:
    return type(model).__module__.rpartition(".")[2]


def network_for(model: Any, layout: Layout) -> Network | None:
    """The network that computes in a model's place; None where the model keeps to its own code.

    There is one on the CPU for float32 models of the families above that give the same logits.
    """
    network = _tried(model, layout)
    if network is None:
        for module in model.modules():
            if hasattr(module, QUANTISED):
                delattr(module, QUANTISED)  # nobody else computes with it
    return network


@np.errstate(all="ignore")  # weights may be anything
def _tried(model: Any, layout: Layout) -> Network | None:
    family = _family(model)
    if not on_cpu() or family not in FAMILIES or layout.layers != (Leaf(LeafKind.KV),) * len(layout.layers):
        return None
    try:
        network = Network(model, pack=_room_to_pack(model))
        return network if _agrees(network, model) else None
    except (TypeError, AttributeError, ValueError):
        return None


def _room_to_pack(model: Any) -> bool:
    """Whether there is memory for the weights a second time, with as much left again.

    Those of which there are codes are not copied.
    """
    copied = [module for module in model.modules() if getattr(module, QUANTISED, None) is None]
    arrays = (array for module in copied for array in module.values() if isinstance(array, mx.array))
    size = sum(int(array.nbytes) for array in arrays)
    free = available_memory()
    return free is None or 2 * size + PACKED_HEADROOM <= free


@shared_out()
def _agrees(network: Network, model: Any) -> bool:
    """Whether the logits of some tokens, read at once, are those of the model's own code."""
    positions = np.arange(TRIED_TOKENS)
    tokens = (positions + 1) * 7919 % network.vocabulary
    shape = (network.layers, network.heads.kv, TRIED_TOKENS, network.heads.dim)
    keys, values = list(np.empty(shape, np.float32)), list(np.empty(shape, np.float32))
    place = Place(
        0,
        TRIED_TOKENS,
        [k[None] for k in keys],
        [v[None] for v in values],
        np.zeros_like(positions),
        positions,
    )
    span = Span(0, TRIED_TOKENS, 0, TRIED_TOKENS, keys, values)
    got = network.logits(network.run(Pass(tokens, positions, [place], [span], causal=[(0, TRIED_TOKENS, 0)])))
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
        if type(inner.embed_tokens) is not Embedding:
            raise TypeError("the embedding is not a plain one")
        self._embedding = floats(inner.embed_tokens.weight)
        self._norm = norm_of(inner.norm)
        head = model.lm_head if "lm_head" in model else inner.embed_tokens
        self._head = weight_of(head, pack)
        blocks = blocks_of(list(inner.layers), dim, pack)
        self.layers = len(blocks)
        known = code()
        self.compiled = known is not None
        """Whether compiled code computes."""
        given = (self.heads, blocks, float(attention.scale))
        self._pass = CompiledPass(known, *given) if known is not None else PlainPass(*given)

    @property
    def arithmetic(self) -> str:
        """What tells this way to compute from others that give other last digits."""
        known = code() if self.compiled else None
        return f"compiled {ARITHMETIC} {known.machine.width}" if known is not None else "NumPy"

    @property
    def vocabulary(self) -> int:
        return self._head.outputs

    @property
    def nbytes(self) -> int:
        """Size in bytes of what it computes in, without the weights."""
        return self._pass.nbytes

    @np.errstate(all="ignore")  # numbers that are none are noticed where a token is chosen
    def run(self, what: Pass) -> Floats:
        """All blocks for one token per row. Only within `shared_out`.

        Returns:
            What the blocks make of them, `[rows, hidden]`, valid until the next call.
        """
        return self._pass.run(what, self._embedding[what.tokens])

    @np.errstate(all="ignore")
    def logits(self, hidden: Floats) -> Floats:
        """The logits of some rows of what `run` gave, `[rows, vocabulary]`, valid until the next call."""
        return self._pass.head(self._norm, self._head, hidden)
