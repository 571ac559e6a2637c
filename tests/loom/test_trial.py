"""A model is served in the best way that is exact, and refused where none is."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten
from support.architectures import build
from tiny import build_model, greedy, tiny_tokenizer

from n8loom_tui.loom import trial
from n8loom_tui.loom.batch import Batch
from n8loom_tui.loom.caches import PathCache
from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.prefill import Together
from n8loom_tui.loom.support import UnsupportedModel
from n8loom_tui.loom.trial import Mode, Serving, serve


def changed(change: Callable[[mx.array, mx.array], mx.array], architecture: str = "llama") -> Any:
    """A model that does something to its logits, given them and the tokens."""
    model = build_model(architecture)
    kind = type(model)

    class Changed(kind):  # type: ignore[misc, valid-type]
        def __call__(self, tokens: mx.array, cache: Any = None) -> mx.array:
            return change(super().__call__(tokens, cache), tokens)

    other = Changed(model.args)
    other.update(model.parameters())
    return other


@pytest.mark.usefixtures("own_code")
def test_the_best_way_that_is_exact_is_chosen() -> None:
    assert serve(build("llama")) == Serving(Mode.SHARED, Together.ANY)
    assert serve(build("deepseek_v3")) == Serving(Mode.WHOLE, Together.ANY)
    assert serve(build("gpt_bigcode")) == Serving(Mode.SINGLE, Together.SIBLINGS)
    assert serve(build("llama4")) == Serving(Mode.SINGLE, Together.NONE)


def test_a_model_whose_rows_depend_on_each_other_is_served_one_by_one() -> None:
    mixing = changed(
        lambda logits, tokens: logits + logits.mean(axis=0, keepdims=True) * (tokens.shape[0] - 1)
    )
    engine = Engine(mixing, tiny_tokenizer("plain"))
    assert engine.serving == Serving(Mode.SINGLE, Together.ANY)
    root = Heddle(mixing, tiny_tokenizer("plain"), [70, 71, 72], None, [])
    kids = root.ramify(n=3, temp=0, max_tokens=5)
    assert all(kid.tokens == greedy(mixing, root.tokens, 5) for kid in kids)


def test_a_model_that_reads_parts_otherwise_than_the_whole_is_refused() -> None:
    parted = changed(lambda logits, tokens: logits + (tokens.shape[1] > 10) * mx.sin(logits))
    with pytest.raises(UnsupportedModel, match="llama: cannot be branched exactly"):
        serve(parted)


def test_the_reason_for_a_refusal_is_told() -> None:
    def fail(logits: mx.array, tokens: mx.array) -> mx.array:
        if logits.shape[1] == 1:
            raise RuntimeError("no such kernel")
        return logits

    with pytest.raises(UnsupportedModel, match="no such kernel"):
        serve(changed(fail))


@pytest.mark.usefixtures("own_code")
def test_a_window_that_is_not_kept_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PathCache, "_seen_from", lambda *_: 0)
    monkeypatch.setattr(PathCache, "make_mask", lambda self, N, **_: None if N == 1 else "causal")
    assert serve(build("llama")).mode is Mode.SHARED
    with pytest.raises(UnsupportedModel):
        serve(build("mellum"))


@pytest.mark.parametrize("topk", [2, 1000])
def test_a_choice_of_blocks_is_tried_however_many_are_chosen(topk: int) -> None:
    """Its blocks are cut over the columns of the cache, so rows of different lengths cannot share them."""
    model = build("minimax_m3_vl")
    layers = [m for m in model.modules() if hasattr(m, "index_topk_blocks")]
    for layer in layers:
        layer.index_topk_blocks = topk
    assert serve(model).mode is Mode.SINGLE
    assert all(layer.index_topk_blocks == topk for layer in layers)


def test_a_state_that_is_one_token_off_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Batch.snapshots

    def late(self: Batch[Any], index: int) -> Any:
        states = original(self, index)
        return {position: states[max(states)] for position in states}

    model = build("jamba")
    assert serve(model).mode is Mode.SHARED
    monkeypatch.setattr(Batch, "snapshots", late)
    assert serve(model).mode is Mode.SINGLE


@pytest.mark.usefixtures("own_code")
@pytest.mark.parametrize("architecture", ["llama", "gemma3_text", "mamba"])
def test_a_trial_is_short_and_leaves_nothing_behind(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(architecture)
    weights = {name: mx.array(value) for name, value in tree_flatten(model.parameters())}
    mx.eval(weights)
    calls = []
    kind = type(model)
    original = kind.__call__

    def call(self: Any, tokens: mx.array, *args: Any, **kwargs: Any) -> mx.array:
        calls.append(tokens.size)
        return original(self, tokens, *args, **kwargs)

    monkeypatch.setattr(kind, "__call__", call)
    gc.collect()
    before = mx.get_active_memory()
    serve(model)
    gc.collect()
    assert mx.get_active_memory() <= before
    assert len(calls) <= (14 if architecture == "mamba" else 10)
    assert max(calls) <= len(trial.TRUNK) + max(map(len, trial.KIDS)) + max(map(len, trial.ENDS))
    for name, value in tree_flatten(model.parameters()):
        assert mx.array_equal(value, weights[name])
