"""Each replacement equals MLX's own."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn
from tiny import ARCHITECTURES, build_model, scratch_logits

from n8loom_tui.loom import kernels
from n8loom_tui.loom.kernels import functions

SHAPES = [(3, 7), (5000,), (2, 3, 1, 1024), (1, 4, 33, 257)]
EXTREMES = [0.0, -0.0, 1e-30, -1e-30, 50.0, -50.0, 88.8, -88.8, 200.0, -200.0, 1e30, -1e30, 3e38, -3e38]


def values(shape: tuple[int, ...], seed: int) -> mx.array:
    rng = np.random.default_rng(seed)
    numbers = (rng.standard_normal(shape) * 10).astype(np.float32)
    flat = numbers.reshape(-1)
    flat[: len(EXTREMES)] = EXTREMES[: flat.size]
    return mx.array(numbers)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [mx.float32, mx.float16, mx.bfloat16])
def test_softmax(shape: tuple[int, ...], dtype: mx.Dtype) -> None:
    x = mx.clip(values(shape, 1), -60000, 60000).astype(dtype)
    got, wanted = kernels.softmax(x), mx.softmax(x, axis=-1, precise=True)
    assert got.dtype == wanted.dtype
    np.testing.assert_allclose(got.astype(mx.float32), wanted.astype(mx.float32), atol=1e-6)


def test_softmax_of_masked_and_huge_scores() -> None:
    x = np.random.default_rng(2).standard_normal((64, 256)).astype(np.float32)
    x[:, ::2] = np.finfo(np.float32).min
    x[:, 1] = 3e38
    x[0, 3:] = -np.inf
    got = np.array(kernels.softmax(mx.array(x)))
    np.testing.assert_allclose(got, mx.softmax(mx.array(x), axis=-1, precise=True), atol=1e-6)
    assert (got[:, ::2] == 0).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [mx.float32, mx.float16, mx.bfloat16])
def test_swiglu(shape: tuple[int, ...], dtype: mx.Dtype) -> None:
    gate = mx.clip(values(shape, 3), -1e30, 1e30).astype(dtype)
    x = mx.array(np.random.default_rng(4).standard_normal(shape).astype(np.float32)).astype(dtype)
    got, wanted = kernels.swiglu(gate, x), nn.silu(gate) * x
    assert got.dtype == wanted.dtype
    precise = dtype == mx.float32
    np.testing.assert_allclose(
        got.astype(mx.float32),
        wanted.astype(mx.float32),
        rtol=2e-6 if precise else 2e-2,
        atol=1e-30 if precise else 1e-3,
    )


def test_the_inputs_are_left_as_they_are() -> None:
    gate, x = values((5000,), 5), values((5000,), 6)
    before = np.array(gate), np.array(x)
    mx.eval(kernels.swiglu(gate, x), kernels.softmax(x))
    np.testing.assert_array_equal(gate, before[0])
    np.testing.assert_array_equal(x, before[1])


def test_a_view_is_read_as_what_it_shows() -> None:
    """Such as one half of a projection that is split in two."""
    both = values((64, 2, 128), 7)
    halves = both[:, 0], both[:, 1]
    np.testing.assert_allclose(
        kernels.swiglu(*halves), nn.silu(mx.contiguous(halves[0])) * mx.contiguous(halves[1]), rtol=2e-6
    )
    x = values((80, 64), 8).swapaxes(0, 1)
    np.testing.assert_allclose(kernels.softmax(x), mx.softmax(x, axis=-1), atol=1e-6)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_gives_the_same_with_and_without(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_model(architecture)
    tokens = np.random.default_rng(9).integers(0, 384, 90).tolist()
    kernels.install(model)
    with_replacements = scratch_logits(model, tokens)
    monkeypatch.setattr(functions, "WORTHWHILE", 1 << 60)
    np.testing.assert_allclose(with_replacements, scratch_logits(model, tokens), atol=1e-3)


def test_mlx_own_functions_come_back_for_a_while() -> None:
    model = build_model("llama")
    from mlx_lm.models import llama

    kernels.install(model)
    replaced = llama.swiglu
    assert replaced is kernels.swiglu
    with pytest.raises(RuntimeError, match="inside"), kernels.uninstalled(model) as put_back:
        assert put_back == ["mlx_lm.models.llama.swiglu"]
        assert llama.swiglu is not kernels.swiglu
        assert llama.swiglu(mx.array([2.0]), mx.array([3.0])).item() == pytest.approx(6 / (1 + np.exp(-2)))
        raise RuntimeError("inside")
    assert llama.swiglu is replaced


def test_what_an_architecture_imported_as_a_replacement_is_put_back_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one does that is imported after another's functions were replaced."""
    from mlx_lm.models import activations, llama

    model = build_model("llama")
    monkeypatch.setattr(llama, "swiglu", kernels.swiglu)
    with kernels.uninstalled(model):
        assert llama.swiglu is activations.swiglu
    assert llama.swiglu is kernels.swiglu


def test_another_function_of_the_same_name_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlx_lm.models import llama

    def swiglu(gate: mx.array, x: mx.array) -> mx.array:
        return x

    monkeypatch.setattr(llama, "swiglu", swiglu)
    assert kernels.install(build_model("llama")) == []
    assert llama.swiglu is swiglu


def test_there_is_nothing_to_put_back_where_nothing_was_replaced() -> None:
    with kernels.uninstalled(build_model("gpt2")) as put_back:
        assert put_back == []
