"""Attention over a shared prefix, over copied ones, and mlx-lm's own beside them."""

from __future__ import annotations

import math
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.generate import generate_step
from mlx_lm.models.cache import make_prompt_cache
from tiny import ARCHITECTURES, build_model, greedy, scratch_logits, tiny_model, tiny_tokenizer

from n8loom_tui.loom import attention
from n8loom_tui.loom.attention import Batch, BranchCache, attend
from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.fragments import Fragment
from n8loom_tui.loom.protocol import BranchSpec, BranchToken, Ramify, SamplingParams, Segment, Source
from n8loom_tui.loom.support import check_model


def fragment_of(model: Any, path: list[int], start: int = 0) -> Fragment:
    caches = make_prompt_cache(model)
    model(mx.array([path]), cache=caches)
    return Fragment.pack(
        [(c.keys[0, :, start : len(path)], c.values[0, :, start : len(path)]) for c in caches]
    )


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "copied"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_rows_come_and_go_and_each_is_exact(architecture: str, shared: bool) -> None:
    """Groups with and without prefixes and own parts, joining late, leaving early."""
    model = tiny_model(architecture)
    check_model(model)
    rng = np.random.default_rng(1)
    fresh = [rng.integers(0, 256, 300).tolist() for _ in range(12)]
    batch: Batch[int] = Batch(2, shared)
    caches = [BranchCache(batch, layer) for layer in range(2)]
    paths: dict[int, list[int]] = {}

    def step() -> None:
        owners = [row.owner for row in batch.rows]
        tokens = [fresh[owner][len(paths[owner])] for owner in owners]
        batch.begin_step()
        logits = model(mx.array(tokens)[:, None], cache=caches)[:, -1]
        mx.eval(logits)
        batch.end_step()
        for owner, token, row in zip(owners, tokens, logits, strict=True):
            paths[owner].append(token)
            np.testing.assert_allclose(row, scratch_logits(model, paths[owner])[-1], atol=1e-3, rtol=0)

    def join(prefix: list[int], owns: dict[int, int]) -> None:
        rows = []
        for owner, length in owns.items():
            fresh[owner][: len(prefix)] = prefix
            paths[owner] = fresh[owner][: len(prefix) + length]
            rows.append((owner, fragment_of(model, paths[owner], len(prefix)) if length else None))
        batch.join(fragment_of(model, prefix) if prefix else None, rows)

    join(fresh[0][:9], {0: 0, 1: 0})
    step()
    join(fresh[2][:30], {2: 0, 3: 7, 4: 2})
    step()
    step()
    join([], {5: 0})
    step()
    join([], {6: 80, 7: 0})
    for _ in range(3):
        step()
    batch.leave(lambda owner: owner in (0, 3, 6))
    assert len(batch) == 5
    for _ in range(70):
        step()
    batch.leave(lambda owner: owner != 7)
    step()
    join([1, 2], {8: 1})
    step()
    batch.leave(lambda owner: True)
    assert len(batch) == batch.column == 0
    join(fresh[9][:5], {9: 3})
    step()


def test_what_a_row_has_computed_can_be_kept() -> None:
    model = tiny_model("llama")
    check_model(model)
    batch: Batch[int] = Batch(2)
    caches = [BranchCache(batch, layer) for layer in range(2)]
    prefix = [5, 6, 7]
    batch.join(fragment_of(model, prefix), [(0, None), (1, fragment_of(model, [*prefix, 8, 9], 3))])
    assert batch.own(batch.rows[0], 0, 3) is None
    for token in (20, 21):
        batch.begin_step()
        mx.eval(model(mx.array([[token], [token + 1]]), cache=caches))
        batch.end_step()
    for index, path, start in (
        (0, [*prefix, 20, 21], 3),
        (1, [*prefix, 8, 9, 21, 22], 3),
        (1, [*prefix, 8, 9, 21, 22], 6),
    ):
        kept = batch.own(batch.rows[index], index, start)
        assert kept is not None
        wanted = fragment_of(model, path, start)
        for got, right in zip((*kept.keys, *kept.values), (*wanted.keys, *wanted.values), strict=True):
            np.testing.assert_allclose(got, right, atol=1e-4)


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
    batch: Batch[int] = Batch(1)
    batch.join(None, [(0, None)] * rows)
    batch.groups[0].prefix = [prefix] if length else None
    batch.groups[0].length = length
    batch.mask = mx.arange(columns)[None] >= mx.array([0, 2, 4])[:, None]
    batch.mask = batch.mask[:, None, None]
    got = attend(queries, own_keys, own_values, BranchCache(batch, 0), 1 / math.sqrt(dim))
    keys = mx.concatenate([mx.broadcast_to(prefix[0][None], (rows, kv_heads, length, dim)), own_keys], axis=2)
    values = mx.concatenate(
        [mx.broadcast_to(prefix[1][None], (rows, kv_heads, length, 6)), own_values], axis=2
    )
    mask = mx.concatenate([mx.ones((rows, 1, 1, length), mx.bool_), batch.mask], axis=3)
    wanted = mx.fast.scaled_dot_product_attention(queries, keys, values, scale=1 / math.sqrt(dim), mask=mask)
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_a_join_that_fails_leaves_the_batch_as_it_was() -> None:
    model = tiny_model("llama")
    check_model(model)
    batch: Batch[int] = Batch(2)
    caches = [BranchCache(batch, layer) for layer in range(2)]
    batch.join(fragment_of(model, [5, 6, 7]), [(0, fragment_of(model, [5, 6, 7, 8], 3))])
    wrong = Fragment.pack([(mx.zeros((3, 2, 16)), mx.zeros((3, 2, 16)))] * 2)
    with pytest.raises(ValueError, match="shapes"):
        batch.join(None, [(1, wrong)])
    assert len(batch) == 1
    batch.begin_step()
    got = model(mx.array([[9]]), cache=caches)[0, -1]
    np.testing.assert_allclose(got, scratch_logits(model, [5, 6, 7, 8, 9])[-1], atol=1e-3)


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
    cache = BranchCache(Batch(1), 0)
    with pytest.raises(ValueError, match="one token per row"):
        cache.make_mask(2)
    with pytest.raises(NotImplementedError, match="windowed"):
        cache.make_mask(1, window_size=4)


def test_a_model_without_the_usual_attention_function_copies_prefixes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As exact, though slower."""
    monkeypatch.setattr(attention, "install", lambda model: False)
    model = tiny_model("qwen3")
    engine = Engine(model, tiny_tokenizer("plain"))
    assert not engine.shared_attention
    paths = [list(range(40, 60)), [9, 8, 7]]
    sources = tuple(Source((Segment("s", tuple(p)),), (BranchSpec(f"{i}", i),)) for i, p in enumerate(paths))
    said: dict[str, list[int]] = {"0": [], "1": []}
    for events in engine.run(Ramify("r", sources, SamplingParams(temp=0, max_tokens=8))):
        for event in events:
            if isinstance(event, BranchToken):
                said[event.branch_id].append(event.token)
    for index, path in enumerate(paths):
        assert said[str(index)] == greedy(model, path, 8)
