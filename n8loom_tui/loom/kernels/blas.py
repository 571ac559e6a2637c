"""Products of float32 matrices in NumPy arrays, through the BLAS that was put under MLX.

OpenBLAS packs the weights anew for every product, which for a batch of few rows costs as much as the product.
Its kernels for small matrices do not pack; so the weights are kept in slices small enough for them, laid out as
they read them, and the slices of a product go into one `cblas_sgemm_batch`. On two cores with AVX-512 that took
0.5 to 0.65 of the time up to 32 rows.

Every product is done on the thread that asks for it (see `team`).

Where no such BLAS was placed NumPy's own does the products.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from .workspace import Workspace

Floats = npt.NDArray[np.float32]
SMALL = 1_000_000
"""Up to how many multiplications a product goes to the kernels that do not pack (OpenBLAS's own bound)."""
SLICE = 32
"""How many outputs a slice has."""
FEW_ROWS = 56
"""With more rows packing pays."""
_ROW_MAJOR, _PLAIN, _TRANSPOSED = 101, 111, 112
_CORES_WITH_SMALL = (b"SKYLAKEX", b"COOPERLAKE", b"SAPPHIRERAPIDS")
FLOAT = 4


@dataclass(frozen=True, slots=True)
class Blas:
    """The functions that are used, with 32-bit integers."""

    gemm: Any
    batch: Any
    threads: Any
    set_threads: Any
    small: bool


@cache
def placed() -> Blas | None:
    """The OpenBLAS that stands in the process's global scope; None if there is none that can be used."""
    names = ctypes.CDLL(None)
    try:
        gemm, batch = names.cblas_sgemm, names.cblas_sgemm_batch
        core, config = names.openblas_get_corename, names.openblas_get_config
        threads, set_threads = names.openblas_get_num_threads, names.openblas_set_num_threads
    except AttributeError:
        return None
    core.restype = config.restype = ctypes.c_char_p
    if b"USE64BITINT" in config():
        return None
    whole, real, place = ctypes.c_int, ctypes.c_float, ctypes.c_void_p
    gemm.argtypes = [whole] * 6 + [real, place, whole, place, whole, real, place, whole]
    batch.argtypes = [whole] + [place] * 13 + [whole, place]
    gemm.restype = batch.restype = None
    set_threads.argtypes = [ctypes.c_int]
    set_threads.restype = None
    return Blas(gemm, batch, threads, set_threads, core().upper() in _CORES_WITH_SMALL)


Call = tuple[Any, tuple[Any, ...]]
"""A function of the BLAS and what it is called with. It lets go of the interpreter's lock while it runs."""


def run_calls(calls: Sequence[Call]) -> None:
    """Make the calls, in order."""
    for function, arguments in calls:
        function(*arguments)


def address(array: Floats) -> int:
    """Where an array's first element lies."""
    return int(array.__array_interface__["data"][0])


@dataclass(frozen=True, slots=True, eq=False)
class Products:
    """Products of equal size, `C = A·B + beta·C`: row-major, `A [rows, inner]`, `C [rows, columns]`.

    `steps`: the floats from one row of A, B, C to the next. `a`, `b`, `c`: where each product's matrices lie, in
    floats from bases that are given later. `transposed`: B lies as `[columns, inner]`.
    """

    rows: int
    columns: int
    inner: int
    steps: tuple[int, int, int]
    a: npt.NDArray[np.uint64]
    b: npt.NDArray[np.uint64]
    c: npt.NDArray[np.uint64]
    transposed: bool
    beta: float = 0.0


class ProductBatch:
    """Several `Products`, done in one call and in no fixed order: none may need another's result.

    It computes in memory of its own where the matrices are: no two threads may run one at the same time.
    """

    def __init__(self, groups: Sequence[Products]) -> None:
        def whole(values: Sequence[int]) -> npt.NDArray[np.int32]:
            return np.array(values, dtype=np.int32)

        blas = placed()
        assert blas is not None
        places = np.stack([np.concatenate([getattr(g, name) for g in groups]) for name in ("a", "b", "c")])
        self._places = places * np.uint64(FLOAT)
        self._now = np.empty_like(self._places)
        self._bases = (-1, -1, -1)
        self._rows = whole([g.rows for g in groups])
        described = [
            whole([_PLAIN] * len(groups)),
            whole([_TRANSPOSED if g.transposed else _PLAIN for g in groups]),
            self._rows,
            whole([g.columns for g in groups]),
            whole([g.inner for g in groups]),
            np.ones(len(groups), dtype=np.float32),
            *(whole([g.steps[part] for g in groups]) for part in range(3)),
            np.array([g.beta for g in groups], dtype=np.float32),
            whole([g.a.size for g in groups]),
        ]
        self._kept = described
        t1, t2, m, n, k, alpha, lda, ldb, ldc, beta, sizes = (array.ctypes.data for array in described)
        a, b, c = (row.ctypes.data for row in self._now)
        where = (a, lda, b, ldb, beta, c, ldc)
        self._call: Call = (
            blas.batch,
            (_ROW_MAJOR, t1, t2, m, n, k, alpha, *where, len(groups), sizes),
        )

    def call(self, a: int, b: int, c: int, rows: int = 0) -> Call:
        """The call that multiplies. It holds until another one is asked for.

        `a`, `b`, `c`: the addresses that the products' places count from. `rows`: how many rows all of them have.
        """
        if rows:
            self._rows[:] = rows
        if self._bases != (a, b, c):
            self._bases = (a, b, c)
            np.add(self._places, np.array([[a], [b], [c]], dtype=np.uint64), out=self._now)
        return self._call

    def run(self, a: int, b: int, c: int) -> None:
        """Multiply."""
        function, arguments = self.call(a, b, c)
        function(*arguments)


def cut(outputs: int, number: int, count: int) -> tuple[int, int]:
    """Of so many outputs the share `number` of `count`: from which to which, in whole slices."""
    slices = -(-outputs // SLICE)
    low, high = (slices * share // count * SLICE for share in (number, number + 1))
    return min(low, outputs), min(high, outputs)


class Weight:
    """A linear layer's weights, `[outputs, inputs]`, and its bias."""

    def __init__(self, array: Floats, bias: Floats | None = None, packed: Sequence[Floats] = ()) -> None:
        """`packed`: the same in slices of outputs, `[slices, inputs, SLICE]`, and a narrower last one."""
        self.array = array
        self.bias = bias
        self._packed = packed

    @staticmethod
    def of(array: Floats, bias: Floats | None = None, *, pack: bool = False) -> Weight:
        """`pack`: keep a second copy in the form that products of few rows are fastest with, if that is of use."""
        blas = placed()
        return Weight(array, bias, _packed(array) if pack and blas is not None and blas.small else ())

    @property
    def outputs(self) -> int:
        return len(self.array)

    def share(self, number: int, count: int) -> Weight:
        """The outputs of the share `number` of `count`. Nothing is copied."""
        low, high = cut(self.outputs, number, count)
        packed = [part[low // SLICE : high // SLICE] for part in self._packed[:1]]
        if high == self.outputs:
            packed += self._packed[1:]
        bias = self.bias[low:high] if self.bias is not None else None
        return Weight(self.array[low:high], bias, packed)

    def calls(self, x: Floats, out: Floats, space: Workspace) -> list[Call]:
        """The calls that make `out = x · weightᵀ`, in order: `x [rows, inputs]`, contiguous, and `out [rows, outputs]`.

        They hold until others are asked for. There are none without a BLAS.
        """
        blas = placed()
        (rows, inputs), into = x.shape, out.strides[0] // FLOAT
        if blas is None:
            return []
        if self._packed and rows <= FEW_ROWS:
            pieces = -(-rows * SLICE * inputs // SMALL)
            batches = space.prepared((self, pieces, into), lambda: self._slices(pieces, into))
            return [products.call(address(x), 0, address(out), rows) for products in batches]
        places = (address(x), inputs, address(self.array), inputs, 0.0, address(out), into)
        return [(blas.gemm, (_ROW_MAJOR, _PLAIN, _TRANSPOSED, rows, self.outputs, inputs, 1.0, *places))]

    def apply(self, x: Floats, out: Floats, space: Workspace) -> Floats:
        """`out = x · weightᵀ + bias`. Returns `out`."""
        if placed() is None:
            np.matmul(x, self.array.T, out=out)
        run_calls(self.calls(x, out, space))
        if self.bias is not None:
            out += self.bias
        return out

    def _slices(self, pieces: int, into: int) -> list[ProductBatch]:
        """The product as batches of small ones. Long inputs are added up in pieces, one batch after the other.

        `into`: the floats from one row of the result to the next.
        """
        inputs = self.array.shape[1]
        bounds = np.linspace(0, inputs, pieces + 1).astype(int).tolist()
        batches = []
        for first, last in pairwise(bounds):
            groups = []
            done = 0
            for part in filter(len, self._packed):
                count, _, width = part.shape
                at = np.arange(count, dtype=np.uint64)
                start = address(part) // FLOAT + first * width
                groups.append(
                    Products(
                        1,
                        width,
                        last - first,
                        (inputs, width, into),
                        a=np.full(count, first, dtype=np.uint64),
                        b=at * np.uint64(inputs * width) + np.uint64(start),
                        c=at * np.uint64(width) + np.uint64(done),
                        transposed=False,
                        beta=1.0 if first else 0.0,
                    )
                )
                done += count * width
            batches.append(ProductBatch(groups))
        return batches


def _packed(weight: Floats) -> list[Floats]:
    """The weights in whole slices, and a narrower last one if any outputs are left."""
    outputs, inputs = weight.shape
    whole = outputs // SLICE * SLICE
    parts = [np.ascontiguousarray(weight[:whole].reshape(-1, SLICE, inputs).swapaxes(1, 2))]
    if whole < outputs:
        parts.append(np.ascontiguousarray(weight[whole:].T)[None])
    return parts
