"""Attention over levels and own columns, and mlx-lm's own beside it."""

from __future__ import annotations

import math

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.generate import generate_step
from tiny import build_model, greedy, tiny_model, tiny_tokenizer

from n8loom_tui.loom import attention
from n8loom_tui.loom.attention import attend
from n8loom_tui.loom.batch import Batch
from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.layers import Layout, Leaf, LeafKind
from n8loom_tui.loom.protocol import BranchSpec, BranchToken, Ramify, SamplingParams, Segment, Source
from n8loom_tui.loom.rows import Row
from n8loom_tui.loom.sharing import Level
from n8loom_tui.loom.trial import Mode


@pytest.mark.parametrize("per_kv", [1, 4])
@pytest.mark.parametrize("length", [0, 1, 40])
def test_attend_is_softmax_attention(length: int, per_kv: int) -> None:
    rng = np.random.default_rng(3)
    rows, kv_heads, columns, dim = 3, 2, 5, 8

    def random(*shape: int) -> mx.array:
        return mx.array(rng.standard_normal(shape).astype(np.float32))

    queries = random(rows, kv_heads * per_kv, 1, dim)
    own_keys, own_values = random(rows, kv_heads, columns, dim), random(rows, kv_heads, columns, 6)
    prefix = random(kv_heads, length, dim), random(kv_heads, length, 6)
    batch: Batch[int] = Batch(None, Layout((Leaf(LeafKind.KV),)))
    level = Level(None, 0, list(range(length)), [prefix])
    lengths = [4, 2, 0]
    batch.rows = [Row(row, level if length else None, own, length + own) for row, own in enumerate(lengths)]
    batch._arrange()
    batch.begin_step()
    got = attend(queries, own_keys, own_values, batch.caches[0], 1 / math.sqrt(dim))
    own_mask = (mx.arange(columns)[None] <= mx.array(lengths)[:, None])[:, None, None]
    keys = mx.concatenate([mx.broadcast_to(prefix[0][None], (rows, kv_heads, length, dim)), own_keys], axis=2)
    values = mx.concatenate(
        [mx.broadcast_to(prefix[1][None], (rows, kv_heads, length, 6)), own_values], axis=2
    )
    mask = mx.concatenate([mx.ones((rows, 1, 1, length), mx.bool_), own_mask], axis=3)
    wanted = mx.fast.scaled_dot_product_attention(queries, keys, values, scale=1 / math.sqrt(dim), mask=mask)
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_mlx_lms_own_use_of_the_module_is_untouched() -> None:
    """Generating with mlx-lm in the same process, before, between and after ours."""
    model = build_model("llama")
    prompt = list(range(40, 70))

    def theirs() -> tuple[list[int], np.ndarray]:
        said = list(generate_step(mx.array(prompt), model, max_tokens=12))
        return [int(token) for token, _ in said], np.array([np.array(row) for _, row in said])

    before = theirs()
    engine = Engine(model, tiny_tokenizer("plain"))
    source = Source((Segment("s", tuple(prompt)),), (BranchSpec("a", 1), BranchSpec("b", 2)))
    engine.submit(Ramify("r", (source,), SamplingParams(temp=0, max_tokens=12)))
    ours: list[int] = []
    between = None
    while engine.busy:
        ours += [e.token for e in engine.step() if isinstance(e, BranchToken) and e.branch_id == "a"]
        if len(ours) == 5 and between is None:
            between = theirs()
    after = theirs()
    assert between is not None
    for tokens, logprobs in (before, between, after):
        assert tokens == before[0] == greedy(model, prompt, 12)
        np.testing.assert_allclose(logprobs, before[1], atol=1e-4)
    np.testing.assert_array_equal(between[1], after[1])
    assert before[0][: len(ours)] == ours


def test_a_wrapped_function_is_wrapped_once() -> None:
    model = build_model("qwen2")
    assert attention.install(model)
    import mlx_lm.models.qwen2 as module

    wrapped = module.scaled_dot_product_attention
    assert attention.install(model)
    assert module.scaled_dot_product_attention is wrapped


def test_a_batch_takes_one_token_per_row() -> None:
    batch: Batch[int] = Batch(None, Layout((Leaf(LeafKind.KV),)))
    with pytest.raises(ValueError, match="one token per row"):
        batch.caches[0].make_mask(2)


@pytest.mark.usefixtures("own_code")
def test_a_model_without_the_usual_attention_function_copies_prefixes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As exact, though slower."""
    monkeypatch.setattr(attention, "install", lambda model: False)
    model = tiny_model("qwen3")
    engine = Engine(model, tiny_tokenizer("plain"))
    assert engine.serving.mode is Mode.WHOLE
    paths = [list(range(40, 60)), [9, 8, 7]]
    sources = tuple(Source((Segment("s", tuple(p)),), (BranchSpec(f"{i}", i),)) for i, p in enumerate(paths))
    said: dict[str, list[int]] = {"0": [], "1": []}
    for events in engine.run(Ramify("r", sources, SamplingParams(temp=0, max_tokens=8))):
        for event in events:
            if isinstance(event, BranchToken):
                said[event.branch_id].append(event.token)
    for index, path in enumerate(paths):
        assert said[str(index)] == greedy(model, path, 8)
