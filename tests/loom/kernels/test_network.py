"""Models taken over as a whole: which are, and that they give what their own code gives."""

from __future__ import annotations

import tracemalloc
import warnings
import weakref
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn
from mlx.utils import tree_flatten
from support.architectures import build
from tiny import build_model, scratch_logits, tiny_tokenizer

from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.kernels import network as module
from n8loom_tui.loom.kernels import weights
from n8loom_tui.loom.kernels.blocks import QUANTISED
from n8loom_tui.loom.kernels.codes import Codes
from n8loom_tui.loom.kernels.native import code
from n8loom_tui.loom.kernels.network import network_for
from n8loom_tui.loom.kernels.passes import Own, Pass, Place, Span
from n8loom_tui.loom.kernels.rows import NetworkBatch
from n8loom_tui.loom.kernels.team import shared_out
from n8loom_tui.loom.layers import layout_of
from n8loom_tui.loom.prefill import ToRead
from n8loom_tui.loom.protocol import BranchSpec, Ramify, RequestFailed, SamplingParams, Segment, Source
from n8loom_tui.loom.rows import Joining
from n8loom_tui.models.device import Dtype, apply_dtype

VARIANTS: dict[str, dict[str, Any]] = {
    "llama": {},
    "llama traditional": {"rope_traditional": True},
    "llama untied": {"tie_word_embeddings": False, "attention_bias": True, "mlp_bias": True},
    "llama scaled": {
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        }
    },
    "qwen2": {},
    "qwen3": {},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("pack", [True, False])
def test_rows_of_different_paths_get_their_own_logits(
    variant: str, pack: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_room_to_pack", lambda model: pack)
    model = build_model(variant.split(maxsplit=1)[0], **VARIANTS[variant])
    engine = Engine(model, tiny_tokenizer("plain"))
    assert engine.network is not None
    start = list(range(30, 120))
    paths = [[*start, 7], [*start, *range(200, 290)], [*start[:40], 3, 4, 5], [9]]
    reading = engine.prefilling([ToRead(path[:-1]) for path in paths])
    while not reading.done:
        reading.step(50)
    engine.close(reading)
    batch = NetworkBatch[int](model, engine.layout, engine.network, overhead=8)
    batch.join([Joining(path, [2 * i, 2 * i + 1]) for i, path in enumerate(paths)], engine.store)
    rng = np.random.default_rng(1)
    texts = {owner: list(paths[owner // 2]) for owner in range(8)}
    for step in range(70):
        if step == 20:
            batch.leave(lambda owner: owner in (1, 4))
        if step == 30:
            batch.join([Joining(paths[1], [10])], engine.store)
            texts[10] = list(paths[1])
        owners = [row.owner for row in batch.rows]
        logits = batch.forward([texts[owner][-1] for owner in owners]).copy()
        if step % 23 == 0 or step in (20, 30, 31):
            for owner, row in zip(owners, logits, strict=True):
                np.testing.assert_allclose(row, scratch_logits(model, texts[owner])[-1], atol=1e-3)
        for owner in owners:
            texts[owner].append(int(rng.integers(3, 300)))
    cut = batch.cut(0, len(paths[0]) - 1)
    assert cut is not None
    whole = [*texts[batch.rows[0].owner]]
    engine.store.put(whole[:-1], len(paths[0]) - 1, cut)
    again = NetworkBatch[int](model, engine.layout, engine.network)
    again.join([Joining(whole, [0])], engine.store)
    np.testing.assert_allclose(again.forward([whole[-1]])[0], scratch_logits(model, whole)[-1], atol=1e-3)


@pytest.mark.skipif(code() is None, reason="no code can be compiled for this processor")
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_path_gives_the_same_to_the_bit_alone_among_others_and_read_at_once(variant: str) -> None:
    model = build_model(variant.split(maxsplit=1)[0], **VARIANTS[variant])
    rng = np.random.default_rng(2)
    start = rng.integers(3, 300, 77).tolist()
    paths = [[*start, *rng.integers(3, 300, 40).tolist()] for _ in range(7)]
    paths[3:5] = [[*start[:30], *path[30:]] for path in paths[3:5]]

    def decoded(some: list[list[int]], known: int) -> np.ndarray[Any, Any]:
        """The last logits of paths of which so many tokens were read at once, the rest token by token."""
        engine = Engine(model, tiny_tokenizer("plain"))
        assert engine.network is not None
        reading = engine.prefilling([ToRead(path[:known]) for path in some])
        while not reading.done:
            reading.step(33)
        engine.close(reading)
        batch = NetworkBatch[int](model, engine.layout, engine.network)
        batch.join([Joining(path[: known + 1], [number]) for number, path in enumerate(some)], engine.store)
        for at in range(known, len(some[0])):
            logits = batch.forward([some[row.owner][at] for row in batch.rows]).copy()
        return np.stack([logits[[row.owner for row in batch.rows].index(n)] for n in range(len(some))])

    together = decoded(paths, 80)
    np.testing.assert_array_equal(decoded(paths[2:3], 80), together[2:3])
    np.testing.assert_array_equal(decoded(paths[3:5], 80), together[3:5])
    np.testing.assert_array_equal(decoded(paths, 110), together)


def test_a_row_alone_copies_nothing_of_its_path() -> None:
    model = build_model("llama")
    engine = Engine(model, tiny_tokenizer("plain"))
    assert engine.network is not None
    path = np.random.default_rng(2).integers(3, 300, 201).tolist()
    reading = engine.prefilling([ToRead(path[:-1])])
    while not reading.done:
        reading.step(200)
    engine.close(reading)
    batch = NetworkBatch[int](model, engine.layout, engine.network)
    batch.join([Joining(path, [0])], engine.store)
    assert batch.nbytes == 0, "the store lends what there is"
    lone = batch.forward([path[-1]]).copy()
    batch.join([Joining(path, [1, 2])], engine.store)
    assert [row.length for row in batch.rows] == [1, 0, 0], "those that follow share it"
    both = NetworkBatch[int](model, engine.layout, engine.network)
    both.join([Joining(path, [0, 1])], engine.store)
    np.testing.assert_allclose(both.forward([path[-1]] * 2), lone.repeat(2, axis=0), atol=1e-5)


def test_rows_that_are_gone_hold_no_memory() -> None:
    model = build_model("llama")
    engine = Engine(model, tiny_tokenizer("plain"))
    assert engine.network is not None
    engine.prefill(list(range(30, 60)))
    batch = NetworkBatch[int](model, engine.layout, engine.network)
    batch.join([Joining(list(range(30, 61)), [0, 1])], engine.store)
    batch.forward([7, 8])
    held = [weakref.ref(array) for columns in batch._own for array in columns.arrays]
    assert all(array() is not None for array in held)
    batch.leave(lambda owner: True)
    assert all(array() is None for array in held)


@pytest.mark.parametrize("owners", [1, 3])
def test_what_rows_copy_of_a_path_in_short_pieces_is_in_what_they_are_said_to_take(owners: int) -> None:
    model = build_model("llama")
    engine = Engine(model, tiny_tokenizer("plain"))
    assert engine.network is not None
    path = np.random.default_rng(2).integers(3, 300, 181).tolist()
    reading = engine.prefilling([ToRead([*path[:stop], 5]) for stop in range(20, 181, 20)])
    while not reading.done:
        reading.step(200)
    engine.close(reading)
    batch = NetworkBatch[int](model, engine.layout, engine.network)
    joining = [Joining(path, list(range(owners)))]
    said = batch.footprint(joining, engine.store)
    batch.join(joining, engine.store)
    assert 0 < batch.nbytes <= said


def test_rows_that_join_take_no_more_meanwhile_than_they_are_said_to() -> None:
    """Of the columns that become too small those of one layer at a time are there twice."""
    model = build_model("llama", num_hidden_layers=16)
    engine = Engine(model, tiny_tokenizer("plain"))
    assert engine.network is not None
    path = np.random.default_rng(2).integers(3, 300, 301).tolist()
    engine.prefill(path)
    batch = NetworkBatch[int](model, engine.layout, engine.network, overhead=1 << 30)
    tracemalloc.start()
    try:
        batch.join([Joining(path, list(range(8)), 40)], engine.store)
        batch.forward([7] * 8)
        more = [Joining(path, list(range(8, 32)), 40)]
        said, beside = batch.footprint(more, engine.store), tracemalloc.get_traced_memory()[0] - batch.nbytes
        tracemalloc.reset_peak()
        batch.join(more, engine.store)
        most = tracemalloc.get_traced_memory()[1] - beside
    finally:
        tracemalloc.stop()
    assert most <= said


@pytest.mark.parametrize("compiled", [True, False])
def test_rows_that_get_longer_take_no_more_meanwhile_than_they_are_said_to(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr("n8loom_tui.loom.kernels.network.code", lambda: None)
    model = build_model("llama", num_hidden_layers=16)
    engine = Engine(model, tiny_tokenizer("plain"))
    assert engine.network is not None
    path = np.random.default_rng(2).integers(3, 300, 301).tolist()
    engine.prefill(path)
    batch = NetworkBatch[int](model, engine.layout, engine.network)
    batch.room = 0  # no levels are folded: what that takes is not in what is said
    joining = [Joining(path, list(range(8)), 150)]
    said, peaks, tend = batch.footprint(joining, engine.store), [0], batch._room.tend

    def watched(width: int, reach: int) -> None:
        tracemalloc.reset_peak()
        beside = tracemalloc.get_traced_memory()[0] - batch.nbytes
        tend(width, reach)
        peaks.append(tracemalloc.get_traced_memory()[1] - beside)

    monkeypatch.setattr(batch._room, "tend", watched)
    tracemalloc.start()
    try:
        batch.join(joining, engine.store)
        for _ in range(150):
            batch.forward([7] * 8)
    finally:
        tracemalloc.stop()
    assert batch.nbytes < max(peaks) <= said


@pytest.mark.parametrize("variant", ["llama untied", "qwen3"])
def test_code_for_other_processors_gives_the_same(
    variant: str, other_machine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pack in (True, False):
        test_rows_of_different_paths_get_their_own_logits(variant, pack, monkeypatch)


def test_without_compiled_code_numpy_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "code", lambda: None)
    monkeypatch.setattr(weights, "code", lambda: None)
    for variant in ("llama scaled", "llama untied", "qwen3"):
        test_rows_of_different_paths_get_their_own_logits(variant, False, monkeypatch)


def test_other_models_keep_to_their_own_code() -> None:
    for name in ("gemma", "mixtral", "gpt2", "llama-sliding"):
        model = build_model(name) if name != "llama-sliding" else build(name)
        assert network_for(model, layout_of(model)) is None


def test_half_precision_and_quantised_models_keep_to_their_own_code() -> None:
    half = build_model("llama")
    half.set_dtype(mx.float16)
    assert network_for(half, layout_of(half)) is None
    quantised = build_model("llama")
    nn.quantize(quantised, group_size=32, bits=4)
    assert network_for(quantised, layout_of(quantised)) is None


def test_norms_of_another_precision_or_size_than_the_weights_are_left_to_the_models_own_code() -> None:
    """Compiled code would read beyond their end."""
    for spoilt in (lambda norm: norm.astype(mx.float16), lambda norm: norm[:-8]):
        model = build_model("llama")
        layout, norm = layout_of(model), model.model.layers[1].input_layernorm
        norm.weight = spoilt(norm.weight)
        assert network_for(model, layout) is None


@pytest.mark.parametrize("pack", [True, False])
def test_weights_that_lie_across_in_memory_are_read_as_what_they_are(
    pack: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_room_to_pack", lambda model: pack)
    model = build_model("llama")
    layer = model.model.layers[0].mlp.up_proj
    layer.weight = mx.contiguous(layer.weight.T).T
    mx.eval(layer.weight)
    assert network_for(model, layout_of(model)) is not None


def test_weights_that_are_no_numbers_are_found_out_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_model("llama")
    layer = model.model.layers[0].mlp.up_proj
    layer.weight = layer.weight * np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert network_for(model, layout_of(model)) is None


def unpacked(name: str) -> Any:
    """A model that was quantised, as it is loaded on a CPU."""
    sizes = {"hidden_size": 128, "intermediate_size": 192} if name == "llama" else {}
    model = build_model(name, **sizes)
    nn.quantize(model, group_size=32, bits=4)
    apply_dtype(model, Dtype.FLOAT32)
    return model


def kept_codes(model: Any) -> list[Any]:
    return [each.quantised for each in model.modules() if hasattr(each, QUANTISED)]


@pytest.mark.skipif(code() is None, reason="no code can be compiled for this processor")
def test_what_was_packed_to_codes_is_not_held_a_second_time_and_serves_the_next_network_too() -> None:
    model = unpacked("llama")
    layout = layout_of(model)
    assert network_for(model, layout) is not None
    codes = kept_codes(model)
    assert codes
    assert all(isinstance(each, Codes) for each in codes)
    again = network_for(model, layout)
    assert again is not None
    assert again._head.codes is not None
    assert [id(each) for each in kept_codes(model)] == [id(each) for each in codes]


def test_codes_that_nobody_computes_with_are_not_held() -> None:
    model = unpacked("gemma")
    assert kept_codes(model)
    assert network_for(model, layout_of(model)) is None
    assert not kept_codes(model)


def test_weights_of_which_there_are_codes_need_no_room_for_a_second_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = module.PACKED_HEADROOM + (1 << 14)
    monkeypatch.setattr(module, "available_memory", lambda: free)
    assert module._room_to_pack(unpacked("llama"))
    assert not module._room_to_pack(build_model("llama"))


@pytest.mark.skipif(code() is None, reason="no code can be compiled for this processor")
@pytest.mark.parametrize("what", ["index", "columns", "order", "lengths", "span"])
def test_nothing_is_written_or_read_where_there_is_no_room(what: str) -> None:
    """What would be an IndexError in NumPy is one before compiled code runs, which does not look."""
    model = build_model("llama")
    network = network_for(model, layout_of(model))
    assert network is not None
    shape = (network.layers, 2, network.heads.kv, 8, network.heads.dim)
    keys, values = (list(np.zeros(shape, dtype=np.float32)) for _ in range(2))
    numbers = {name: np.array([0, 1]) for name in ("index", "order")} | {
        "columns": np.array([3, 7]),
        "lengths": np.array([4, 8]),
    }
    stop = 8

    def run() -> None:
        place = Place(0, 2, keys, values, numbers["index"], numbers["columns"])
        own = Own(keys, values, numbers["order"], numbers["lengths"])
        spans = [Span(0, 2, 0, stop, [each[0] for each in keys], [each[0] for each in values])]
        with shared_out():
            network.run(Pass(np.array([5, 6]), np.array([11, 15]), [place], spans, own))

    run()
    if what == "span":
        stop = 9
    else:
        numbers[what] = numbers[what] + 1
    with pytest.raises(IndexError):
        run()


def test_a_model_that_differs_in_the_least_keeps_to_its_own_code() -> None:
    model = build_model("llama")
    original = type(model).__call__

    class Louder(type(model)):  # type: ignore[misc]
        def __call__(self, *args: Any, **kwargs: Any) -> mx.array:
            return original(self, *args, **kwargs) * 1.01

    Louder.__module__ = type(model).__module__
    model.__class__ = Louder
    assert network_for(model, layout_of(model)) is None


def test_the_models_own_weights_stay_what_they_are() -> None:
    model = build_model("qwen2")
    before = {name: np.array(array) for name, array in dict(tree_flatten(model.parameters())).items()}
    logits = scratch_logits(model, [5, 6, 7])
    assert network_for(model, layout_of(model)) is not None
    after = dict(tree_flatten(model.parameters()))
    assert before.keys() == after.keys()
    for name, array in after.items():
        np.testing.assert_array_equal(array, before[name])
    np.testing.assert_allclose(scratch_logits(model, [5, 6, 7]), logits, atol=1e-5)


def test_numbers_that_are_none_print_nothing_on_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning on stderr would tear a running terminal app's picture."""
    engine = Engine(build_model("llama"), tiny_tokenizer("plain"))
    assert engine.network is not None
    broken = np.full_like(engine.network._embedding, np.inf)
    monkeypatch.setattr(engine.network, "_embedding", broken)
    source = Source((Segment("s", (5, 6, 7)),), (BranchSpec("a", 1),))
    events = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine.submit(Ramify("r", (source,), SamplingParams(max_tokens=4)))
        while engine.busy:
            events += engine.step()
    (failed,) = [event for event in events if isinstance(event, RequestFailed)]
    assert "not numbers" in failed.message
