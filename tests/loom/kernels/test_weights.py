"""Products with weights equal NumPy's, in whichever form the weights are kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import mlx.core as mx
import numpy as np
import pytest

from n8loom_tui.loom.kernels import native
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


def coded(outputs: int, inputs: int, group: int, bits: int) -> Weight:
    """Quantised weights, multiplied as codes."""
    array, packed = quantised(numbers(outputs, inputs), group, bits)
    weight = Weight.of(array, numbers(outputs, seed=1), quantised=packed)
    assert weight.codes is not None
    return weight


@needs_code
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("group", [32, 64, 128])
@pytest.mark.parametrize("outputs", [64, 41, 5])
def test_codes_stand_for_the_very_numbers_that_were_unpacked(outputs: int, group: int, bits: int) -> None:
    weight = coded(outputs, 256, group, bits)
    weight.bias = None
    for rows in (1, 256):
        one_each = np.eye(256, dtype=np.float32)[:rows]
        got = applied(weight, one_each, empty(rows, outputs))
        np.testing.assert_array_equal(got, weight.array.T[:rows])


@needs_code
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("inputs", [128, 576, 2176])
@pytest.mark.parametrize("rows", [1, 6, 7, 13, 100])
@pytest.mark.parametrize("outputs", [64, 41])
def test_products_with_codes_equal_the_plain_product(outputs: int, rows: int, inputs: int, bits: int) -> None:
    weight, x = coded(outputs, inputs, 32, bits), numbers(rows, inputs, seed=2)
    wanted = weight.of_rows(x.astype(np.float64))
    np.testing.assert_allclose(applied(weight, x, empty(rows, outputs)), wanted, atol=1e-3)
    before = numbers(rows, outputs, seed=3)
    got = applied(weight, x, before.copy(), adding=True, threads=2)
    np.testing.assert_allclose(got, before + wanted, atol=1e-3)


@needs_code
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("group", [32, 64])
def test_what_codes_give_a_row_does_not_depend_on_the_others_nor_on_threads(group: int, bits: int) -> None:
    weight, x, space = coded(170, 1280, group, bits), numbers(200, 1280, seed=2), Workspace()
    together = applied(weight, x, empty(200, 170), space)
    for count in (1, 2, 5, 6, 7, 12, 13, 73, 140):
        some = applied(weight, x[7 : 7 + count].copy(), empty(count, 170), space)
        np.testing.assert_array_equal(some, together[7 : 7 + count])
    for threads in (2, 3, 9):
        np.testing.assert_array_equal(applied(weight, x, empty(200, 170), threads=threads), together)


@needs_code
def test_numbers_that_are_none_stay_in_their_row() -> None:
    weight, x = coded(64, 128, 32, 4), numbers(9, 128, seed=2)
    x[4, 100] = np.nan
    got = applied(weight, x, empty(9, 64))
    assert np.isnan(got[4]).all()
    assert np.isfinite(np.delete(got, 4, axis=0)).all()


@needs_code
def test_groups_that_no_vector_fits_are_unpacked() -> None:
    array, packed = quantised(numbers(40, 96), 32, 4)  # 96 inputs are no multiple of a block's
    known = code()
    assert known is not None
    weight, x = Weight.of(array, quantised=packed, pack=True), numbers(3, 96, seed=2)
    assert (weight.codes is None) == bool(96 % (4 * known.machine.width))
    np.testing.assert_allclose(applied(weight, x, empty(3, 40)), x @ array.T, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_other_processors_give_the_same_products(kind: Kind, other_machine: None) -> None:
    for rows in (1, 7, 14):
        for outputs, inputs in ((33, 48), (5, 3), (70, 129)):
            for pack in (True, False):
                test_a_weight_applied_equals_the_plain_product(outputs, inputs, rows, pack, kind)


@pytest.mark.parametrize("bits", [4, 8])
def test_other_processors_take_codes_for_the_same_numbers(bits: int, other_machine: None) -> None:
    for outputs, group in ((64, 32), (41, 128), (5, 64)):
        test_codes_stand_for_the_very_numbers_that_were_unpacked(outputs, group, bits)
    test_products_with_codes_equal_the_plain_product(41, 13, 2176, bits)
    test_what_codes_give_a_row_does_not_depend_on_the_others_nor_on_threads(64, bits)


@pytest.fixture
def no_more_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing can be compiled."""

    def refuses(*_: object) -> dict[str, int]:
        assert native._compiling.locked(), "two threads would compile the same"
        raise RuntimeError("no memory for code")

    monkeypatch.setattr(native, "compiled", refuses)
    monkeypatch.setattr(native, "_product_of", cache(native._product_of.__wrapped__))


@needs_code
@pytest.mark.parametrize("kind", [float16, bfloat16])
def test_where_the_product_of_16_bits_cant_be_compiled_the_weights_are_taken_as_they_were(
    kind: Kind, no_more_code: None
) -> None:
    test_a_weight_applied_equals_the_plain_product(70, 48, 13, pack=True, kind=kind)
    known = code()
    assert known is not None
    assert native.product_of(exact_storage(kind(numbers(70, 48)), known.machine)) is None


@needs_code
@pytest.mark.parametrize("threads", [1, 2])
def test_where_the_product_with_codes_cant_be_compiled_the_weights_are_taken_as_they_were(
    threads: int, no_more_code: None
) -> None:
    weight, plain, x = coded(41, 128, 32, 4), Weight.of(numbers(20, 128, seed=4)), numbers(9, 128, seed=2)
    assert weight.codes is not None
    assert native.product_of(weight.codes.lying) is None
    assert weight.beside == plain.beside
    got = applied(weight, x, empty(9, 41), threads=threads)
    np.testing.assert_allclose(got, weight.of_rows(x), atol=1e-3)


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
        step = weight.step(address(x), 15, address(out), weight.outputs, space, gathered=number > 0)
        program.add(0, step)
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
