"""Products with weights equal NumPy's, in whichever form the weights are kept."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx
import numpy as np
import pytest

from n8loom_tui.loom.kernels.codes import Quantised, packed_codes
from n8loom_tui.loom.kernels.native import Machine, Stored, code
from n8loom_tui.loom.kernels.program import Program
from n8loom_tui.loom.kernels.weights import Weight, exact_storage
from n8loom_tui.loom.kernels.workspace import FLOAT, Floats, Workspace, address

needs_code = pytest.mark.skipif(code() is None, reason="no code can be compiled for this processor")


def numbers(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def bfloat16(array: Floats) -> Floats:
    return (array.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


def float16(array: Floats) -> Floats:
    return array.astype(np.float16).astype(np.float32)


def wide(array: Floats) -> Floats:
    return array


Kind = Callable[[Floats], Floats]
KINDS = [float16, bfloat16, wide]


def applied(
    weight: Weight,
    x: Floats,
    out: Floats,
    space: Workspace | None = None,
    adding: bool = False,
    threads: int = 1,
) -> Floats:
    """`out = x · weightᵀ + bias`, in compiled code. Returns `out`."""
    known = code()
    assert known is not None
    program = Program(known, threads)
    spaces = [space if space is not None else Workspace(), *(Workspace() for _ in range(threads - 1))]
    into, taken = out.strides[0] // FLOAT, program.counter() if threads > 1 else 0
    for thread, own in enumerate(spaces):
        step = weight.step(address(x), len(x), address(out), into, own, adding=adding, taken=taken)
        program.add(thread, step)
    if weight.bias is not None:
        program.meet()
        program.add(0, "bias", address(out), into, len(x), weight.outputs, address(weight.bias))
    program.finish()
    program.run()
    return out


def empty(*shape: int) -> Floats:
    return np.full(shape, np.nan, dtype=np.float32)


@needs_code
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("rows", [1, 2, 7, 12, 13, 32, 57, 300])
@pytest.mark.parametrize(("outputs", "inputs"), [(96, 64), (33, 48), (5, 3), (64, 4000), (300, 17)])
def test_a_weight_applied_equals_the_plain_product(
    outputs: int, inputs: int, rows: int, pack: bool, kind: Kind
) -> None:
    array, bias, x = kind(numbers(outputs, inputs)), numbers(outputs, seed=1), numbers(rows, inputs, seed=2)
    weight = Weight.of(array, bias, pack=pack)
    wanted = x.astype(np.float64) @ array.astype(np.float64).T + bias
    close = 2e-5 * inputs**0.5 + 1e-5
    np.testing.assert_allclose(applied(weight, x, empty(rows, outputs)), wanted, atol=close)
    np.testing.assert_allclose(weight.of_rows(x), wanted, atol=close)
    before = numbers(rows, outputs, seed=3)
    np.testing.assert_allclose(applied(weight, x, before.copy(), adding=True), before + wanted, atol=close)


def quantised(array: Floats, group: int, bits: int) -> tuple[Floats, Quantised]:
    """Weights that were quantised and unpacked again, and what they were unpacked from."""
    codes, scales, biases = mx.quantize(mx.array(array), group, bits)
    unpacked = np.array(mx.dequantize(codes, scales, biases, group, bits))
    return unpacked, Quantised(codes, scales, biases, group, bits)


@needs_code
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("group", [32, 64])
@pytest.mark.parametrize("rows", [1, 13, 70])
@pytest.mark.parametrize("outputs", [64, 41, 5])
def test_codes_give_what_the_unpacked_weights_give_to_the_bit(
    outputs: int, rows: int, group: int, bits: int
) -> None:
    array, packed = quantised(numbers(outputs, 192), group, bits)
    known = code()
    assert known is not None
    assert packed_codes(packed, array, known.machine) is not None
    bias, x = numbers(outputs, seed=1), numbers(rows, 192, seed=2)
    weight, plain = Weight.of(array, bias, quantised=packed), Weight.of(array, bias, pack=True)
    wanted = applied(plain, x, empty(rows, outputs))
    np.testing.assert_array_equal(applied(weight, x, empty(rows, outputs)), wanted)
    np.testing.assert_array_equal(applied(weight, x, empty(rows, outputs), threads=2), wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_other_processors_give_the_same_products(kind: Kind, other_machine: None) -> None:
    for rows in (1, 7, 14):
        for outputs, inputs in ((33, 48), (5, 3), (70, 129)):
            for pack in (True, False):
                test_a_weight_applied_equals_the_plain_product(outputs, inputs, rows, pack, kind)


@pytest.mark.parametrize("bits", [4, 8])
def test_other_processors_unpack_codes_to_the_same_numbers(bits: int, other_machine: None) -> None:
    for rows, outputs in ((1, 64), (13, 41), (3, 5)):
        test_codes_give_what_the_unpacked_weights_give_to_the_bit(outputs, rows, 32, bits)


@needs_code
@pytest.mark.parametrize("pack", [True, False])
def test_no_rows_give_nothing(pack: bool) -> None:
    weight = Weight.of(numbers(40, 24), pack=pack)
    assert applied(weight, numbers(0, 24), empty(0, 40)).shape == (0, 40)


def test_a_bias_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="bias"):
        Weight.of(numbers(40, 24), numbers(39))


@needs_code
def test_codes_that_do_not_give_the_very_same_numbers_are_left_alone() -> None:
    array, packed = quantised(numbers(64, 64), 32, 4)
    known = code()
    assert known is not None
    array[40, 3] *= 1.001
    assert packed_codes(packed, array, known.machine) is None
    x = numbers(3, 64, seed=2)
    out = applied(Weight.of(array, quantised=packed, pack=True), x, empty(3, 64))
    np.testing.assert_allclose(out, x @ array.T, atol=1e-4)


@needs_code
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("rows", [2, 60])
@pytest.mark.parametrize("threads", [2, 3, 9])
def test_threads_that_take_outputs_make_what_one_makes_to_the_bit(
    threads: int, rows: int, pack: bool, kind: Kind
) -> None:
    array, bias, x = kind(numbers(230, 170)), numbers(230, seed=1), numbers(rows, 170, seed=2)
    weight = Weight.of(array, bias, pack=pack)
    alone = applied(weight, x, empty(rows, 230))
    for _ in range(5):
        np.testing.assert_array_equal(applied(weight, x, empty(rows, 230), threads=threads), alone)


@needs_code
@pytest.mark.parametrize("pack", [True, False])
def test_rows_that_were_put_side_by_side_serve_several_products(pack: bool) -> None:
    known = code()
    assert known is not None
    x, space = numbers(15, 70), Workspace()
    weights = [Weight.of(numbers(outputs, 70, seed=outputs), pack=pack) for outputs in (40, 33, 5)]
    outs = [empty(15, weight.outputs) for weight in weights]
    program = Program(known, 1)
    for number, (weight, out) in enumerate(zip(weights, outs, strict=True)):
        given = 0 if number else address(x)
        program.add(0, weight.step(given, 15, address(out), weight.outputs, space))
    program.finish()
    program.run()
    for weight, out in zip(weights, outs, strict=True):
        np.testing.assert_allclose(out, x @ weight.array.T, atol=1e-4)


@needs_code
@pytest.mark.parametrize("adding", [True, False])
def test_a_product_may_go_into_some_columns_of_a_table(adding: bool) -> None:
    array, x = numbers(70, 40), numbers(3, 40, seed=2)
    table = np.full((3, 100), 7.0, dtype=np.float32)
    applied(Weight.of(array, pack=True), x, table[:, 20:90], adding=adding)
    np.testing.assert_allclose(table[:, 20:90], x @ array.T + (7 if adding else 0), atol=1e-4)
    assert (table[:, :20] == 7).all()
    assert (table[:, 90:] == 7).all()


@needs_code
@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_comes_out_the_same_to_the_bit_whatever_is_beside_it(kind: Kind, pack: bool) -> None:
    array, x = kind(numbers(170, 90)), numbers(41, 90, seed=1)
    weight, space = Weight.of(array, pack=pack), Workspace()
    together = applied(weight, x, empty(41, 170), space)
    for count in (1, 2, 5, 12, 13, 30):
        some = applied(weight, x[7 : 7 + count].copy(), empty(count, 170), space)
        np.testing.assert_array_equal(some, together[7 : 7 + count])


@pytest.mark.parametrize("halves", [True, False])
def test_weights_are_stored_in_16_bits_only_where_nothing_is_lost(halves: bool) -> None:
    machine, array = Machine(width=16, rows=12, halves=halves), numbers(40, 3000)
    assert exact_storage(array, machine) is Stored.FLOAT32
    assert exact_storage(bfloat16(array), machine) is Stored.BFLOAT16
    assert exact_storage(float16(array), machine) is (Stored.FLOAT16 if halves else Stored.FLOAT32)
    late = float16(array)
    late[-1, -1] = np.float32(1) / 3
    assert exact_storage(late, machine) is Stored.FLOAT32
    large = float16(array)
    large[0, 0] = 1e30
    assert exact_storage(large, machine) is Stored.FLOAT32
