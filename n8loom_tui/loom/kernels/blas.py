"""Products of float32 matrices in NumPy arrays, through the BLAS that was put under MLX.

OpenBLAS packs the weights anew for every product, which for a batch of few rows costs as much as the product.
Its kernels for small matrices do not pack; so the weights are kept in slices small enough for them, laid out as
they read them, and the slices of a product go into one `cblas_sgemm_batch`. On two cores with AVX-512 that took
0.5 to 0.65 of the time up to 32 rows.

The threads are a team of our own, each with its share of the slices: OpenBLAS's own threads (0.3.31) sometimes
wait for each other for ever in `cblas_sgemm_batch`, and spin while they wait. So within `shared_out` OpenBLAS is
told to keep to the thread that calls it.

Where no such BLAS was placed NumPy's own does the products.
"""

from __future__ import annotations

import ctypes
from _thread import allocate_lock
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from threading import RLock, Thread
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
SMALL = 1_000_000
"""Up to how many multiplications a product goes to the kernels that do not pack (OpenBLAS's own bound)."""
WORTH_SHARING = 2_000_000
"""How many multiplications make it pay to wake another thread."""
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


_workers = 0
"""Among how many threads products are shared out now; 0 outside of `shared_out`."""
_sharing = RLock()
"""One thread at a time has the team."""


@contextmanager
def shared_out() -> Iterator[None]:
    """Within it products go to as many threads of ours as OpenBLAS was set to use."""
    global _workers  # noqa: PLW0603 - as the setting that it stands for, it is the process's
    blas = placed()
    with _sharing:
        if blas is None or _workers:
            yield
            return
        _workers = max(1, int(blas.threads()))
        blas.set_threads(1)
        try:
            yield
        finally:
            blas.set_threads(_workers)
            _workers = 0


Call = tuple[Any, tuple[Any, ...]]
"""A function of the BLAS and what it is called with. It lets go of the interpreter's lock while it runs."""


class _Worker:
    """A thread that waits for calls, without spinning."""

    def __init__(self) -> None:
        self._wake, self._done = allocate_lock(), allocate_lock()
        self._wake.acquire()
        self._done.acquire()
        self._call: Call | None = None
        Thread(target=self._serve, name="products", daemon=True).start()

    def begin(self, call: Call) -> None:
        self._call = call
        self._wake.release()

    def wait(self) -> None:
        self._done.acquire()

    def _serve(self) -> None:
        while True:
            self._wake.acquire()
            function, arguments = self._call or (int, ())
            function(*arguments)
            self._done.release()


_team: list[_Worker] = []


def run_calls(calls: Sequence[Call]) -> None:
    """Run calls at the same time, the first on this thread. Only within `shared_out`."""
    while len(_team) < len(calls) - 1:
        _team.append(_Worker())
    for worker, call in zip(_team, calls[1:], strict=False):
        worker.begin(call)
    function, arguments = calls[0]
    function(*arguments)
    for worker, _ in zip(_team, calls[1:], strict=False):
        worker.wait()


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

    def shares(self, workers: int) -> list[Products]:
        """The same in as many parts, the larger ones last."""
        bounds = [self.a.size * i // workers for i in range(workers + 1)]
        return [
            replace(self, a=self.a[low:high], b=self.b[low:high], c=self.c[low:high])
            for low, high in pairwise(bounds)
        ]

    @property
    def work(self) -> int:
        """How many multiplications they are."""
        return self.rows * self.columns * self.inner * self.a.size


class ProductBatch:
    """Several `Products`, done at once in no fixed order: none may need another's result."""

    def __init__(self, groups: Sequence[Products]) -> None:
        work = sum(group.work for group in groups)
        workers = max(1, min(_workers, work // WORTH_SHARING))
        shares = zip(*(group.shares(workers) for group in groups), strict=True)
        self._parts = [_Part([group for group in share if group.a.size]) for share in shares]
        self._calls = [part.call for part in self._parts]

    def run(self, a: int, b: int, c: int) -> None:
        """Multiply. `a`, `b`, `c`: the addresses that the products' places count from."""
        bases = np.array([[a], [b], [c]], dtype=np.uint64)
        for part in self._parts:
            np.add(part.places, bases, out=part.now)
        if len(self._calls) == 1:
            function, arguments = self._calls[0]
            function(*arguments)
        else:
            run_calls(self._calls)


class _Part:
    """What one thread does of a batch: one call of `cblas_sgemm_batch`."""

    def __init__(self, groups: Sequence[Products]) -> None:
        def whole(values: Sequence[int]) -> npt.NDArray[np.int32]:
            return np.array(values, dtype=np.int32)

        blas = placed()
        assert blas is not None
        places = np.stack([np.concatenate([getattr(g, name) for g in groups]) for name in ("a", "b", "c")])
        self.places = places * np.uint64(FLOAT)
        self.now = np.empty_like(self.places)
        described = [
            whole([_PLAIN] * len(groups)),
            whole([_TRANSPOSED if g.transposed else _PLAIN for g in groups]),
            whole([g.rows for g in groups]),
            whole([g.columns for g in groups]),
            whole([g.inner for g in groups]),
            np.ones(len(groups), dtype=np.float32),
            *(whole([g.steps[part] for g in groups]) for part in range(3)),
            np.array([g.beta for g in groups], dtype=np.float32),
            whole([g.a.size for g in groups]),
        ]
        self._kept = described
        t1, t2, m, n, k, alpha, lda, ldb, ldc, beta, sizes = (array.ctypes.data for array in described)
        a, b, c = (row.ctypes.data for row in self.now)
        where = (a, lda, b, ldb, beta, c, ldc)
        self.call: Call = (blas.batch, (_ROW_MAJOR, t1, t2, m, n, k, alpha, *where, len(groups), sizes))


class Weight:
    """A linear layer's weights, `[outputs, inputs]`, and its bias."""

    def __init__(self, weight: Floats, bias: Floats | None = None, *, pack: bool = False) -> None:
        """`pack`: keep a second copy in the form that products of few rows are fastest with, if that is of use."""
        self.array = weight
        self.bias = bias
        blas = placed()
        self._packed = _packed(weight) if pack and blas is not None and blas.small else []
        self._sliced: tuple[tuple[int, int], list[ProductBatch]] | None = None

    @property
    def outputs(self) -> int:
        return int(self.array.shape[0])

    def apply(self, x: Floats, out: Floats) -> Floats:
        """`out = x · weightᵀ + bias`. Both are contiguous, `[rows, inputs]` and `[rows, outputs]`. Returns `out`."""
        blas = placed()
        rows = len(x)
        if blas is None:
            np.matmul(x, self.array.T, out=out)
        elif self._packed and rows <= FEW_ROWS:
            if self._sliced is None or self._sliced[0] != (rows, _workers):
                self._sliced = ((rows, _workers), self._slices(rows))
            for products in self._sliced[1]:
                products.run(address(x), 0, address(out))
        else:
            run_calls(self._columns(blas, x, out))
        if self.bias is not None:
            out += self.bias
        return out

    def _columns(self, blas: Blas, x: Floats, out: Floats) -> list[Call]:
        """The product as one for each thread, with a share of the outputs."""
        rows, inputs = x.shape
        workers = max(1, _workers)
        bounds = [self.outputs * i // workers for i in range(workers + 1)]
        shape = (_ROW_MAJOR, _PLAIN, _TRANSPOSED, rows)
        calls: list[Call] = []
        for low, high in pairwise(bounds):
            weight, into = address(self.array) + low * inputs * FLOAT, address(out) + low * FLOAT
            places = (address(x), inputs, weight, inputs, 0.0, into, self.outputs)
            calls.append((blas.gemm, (*shape, high - low, inputs, 1.0, *places)))
        return calls

    def _slices(self, rows: int) -> list[ProductBatch]:
        """The product as batches of small ones. Long inputs are added up piece by piece, one batch after the other."""
        inputs = self.array.shape[1]
        pieces = -(-rows * SLICE * inputs // SMALL)
        bounds = np.linspace(0, inputs, pieces + 1).astype(int).tolist()
        batches = []
        for first, last in pairwise(bounds):
            groups = []
            done = 0
            for part in self._packed:
                count, _, width = part.shape
                at = np.arange(count, dtype=np.uint64)
                start = address(part) // FLOAT + first * width
                groups.append(
                    Products(
                        rows,
                        width,
                        last - first,
                        (inputs, width, self.outputs),
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
    """The weights in slices of outputs, `[slices, inputs, SLICE]`, and a narrower last one."""
    outputs, inputs = weight.shape
    whole = outputs // SLICE * SLICE
    parts = []
    for part, width in ((weight[:whole], SLICE), (weight[whole:], outputs - whole)):
        if len(part):
            slices = part.reshape(-1, width, inputs).swapaxes(1, 2)
            parts.append(np.ascontiguousarray(slices))
    return parts
