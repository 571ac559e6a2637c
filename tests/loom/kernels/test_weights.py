"""Products with weights equal NumPy's, in whichever form the weights are kept."""

from __future__ import annotations

import numpy as np
import pytest

from n8loom_tui.loom.kernels import weights
from n8loom_tui.loom.kernels.native import Machine, Stored, code
from n8loom_tui.loom.kernels.weights import Weight, cut, exact_storage
from n8loom_tui.loom.kernels.workspace import Floats, Workspace

needs_code = pytest.mark.skipif(code() is None, reason="no code can be compiled for this processor")


def numbers(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def bfloat16(array: Floats) -> Floats:
    return (array.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


def float16(array: Floats) -> Floats:
    return array.astype(np.float16).astype(np.float32)


def wide(array: Floats) -> Floats:
    return array


KINDS = [float16, bfloat16, wide]


@pytest.fixture(params=["compiled", "numpy"])
def whichever_code(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "numpy":
        monkeypatch.setattr(weights, "code", lambda: None)


@pytest.mark.usefixtures("whichever_code")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("rows", [1, 2, 7, 12, 13, 32, 57, 300])
@pytest.mark.parametrize(("outputs", "inputs"), [(96, 64), (33, 48), (5, 3), (64, 4000), (300, 17)])
def test_a_weight_applied_equals_the_plain_product(
    outputs: int, inputs: int, rows: int, pack: bool, kind: object
) -> None:
    assert callable(kind)
    weight, bias, x = kind(numbers(outputs, inputs)), numbers(outputs, seed=1), numbers(rows, inputs, seed=2)
    out = np.full((rows, outputs), np.nan, dtype=np.float32)
    Weight.of(weight, bias, pack=pack).apply(x, out, Workspace())
    wanted = x.astype(np.float64) @ weight.astype(np.float64).T + bias
    np.testing.assert_allclose(out, wanted, atol=2e-5 * inputs**0.5 + 1e-5)


def test_a_weight_follows_the_number_of_rows() -> None:
    array, space = numbers(70, 40), Workspace()
    weight = Weight.of(array, pack=True)
    for rows in (3, 9, 3, 60, 1):
        x = numbers(rows, 40, seed=rows)
        out = weight.apply(x, np.empty((rows, 70), dtype=np.float32), space)
        np.testing.assert_allclose(out, x @ array.T, atol=1e-4)


def test_a_call_still_holds_when_another_one_needed_more_room() -> None:
    array, x, space = numbers(70, 40), numbers(3, 40, seed=2), Workspace()
    out = np.empty((3, 70), dtype=np.float32)
    weight = Weight.of(array, pack=True)
    call = weight.call(x, out, space)
    weight.apply(numbers(500, 40), np.empty((500, 70), dtype=np.float32), space)
    call()
    np.testing.assert_allclose(out, x @ array.T, atol=1e-4)


@pytest.mark.usefixtures("whichever_code")
@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("rows", [2, 60])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_shares_of_the_outputs_make_up_the_whole(count: int, rows: int, pack: bool) -> None:
    array, bias, x, space = numbers(230, 70), numbers(230, seed=1), numbers(rows, 70, seed=2), Workspace()
    weight = Weight.of(array, bias, pack=pack)
    out = np.full((rows, 230), np.nan, dtype=np.float32)
    for number in range(count):
        low, high = cut(230, number, count)
        weight.share(number, count).apply(x, out[:, low:high], space)
    np.testing.assert_allclose(out, x @ array.T + bias, atol=1e-4)


@pytest.mark.usefixtures("whichever_code")
def test_a_product_may_go_into_some_columns_of_a_table() -> None:
    array, x = numbers(64, 40), numbers(3, 40, seed=2)
    table = np.full((3, 100), 7.0, dtype=np.float32)
    Weight.of(array, pack=True).apply(x, table[:, 20:84], Workspace())
    np.testing.assert_allclose(table[:, 20:84], x @ array.T, atol=1e-4)
    assert (table[:, :20] == 7).all()
    assert (table[:, 84:] == 7).all()


@needs_code
@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_comes_out_the_same_to_the_bit_whatever_is_beside_it(kind: object, pack: bool) -> None:
    assert callable(kind)
    array, x = kind(numbers(170, 90)), numbers(41, 90, seed=1)
    weight, space = Weight.of(array, pack=pack), Workspace()
    together = weight.apply(x, np.empty((41, 170), dtype=np.float32), space).copy()
    for count in (1, 2, 5, 12, 13, 30):
        some = weight.apply(np.ascontiguousarray(x[7 : 7 + count]), np.empty((count, 170), np.float32), space)
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
