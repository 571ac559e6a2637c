"""Replacements for what MLX's CPU backend does slowly. On Metal and CUDA all of it is MLX's own.

MLX's CPU kernels are scalar on x86: an `exp` costs 12 to 17 ns per element where NumPy's takes one. Each
replacement equals the original to rounding (the tests compare them). NumPy reads and writes MLX's memory; an
evaluation before it costs some 50 µs, which pays from a few thousand elements on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models import activations

WORTHWHILE = 4096
"""How many elements make the trip through NumPy pay."""


def on_cpu() -> bool:
    """Whether MLX computes on the CPU here."""
    return bool(mx.default_device().type == mx.DeviceType.cpu)


def _pays(x: mx.array) -> bool:
    return x.size >= WORTHWHILE and x.dtype == mx.float32 and on_cpu()


def softmax(x: mx.array) -> mx.array:
    """Softmax over the last axis, computed in float32."""
    if not _pays(x):
        return mx.softmax(x, axis=-1, precise=True)
    scores = np.array(x, copy=True)
    with np.errstate(all="ignore"):
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
    return mx.array(scores)


def swiglu(gate: mx.array, x: mx.array) -> mx.array:
    """`silu(gate) * x`."""
    if not _pays(gate):
        return gate * mx.sigmoid(gate) * x
    mx.eval(gate, x)
    gates = np.array(gate, copy=False)
    out = np.negative(gates)
    with np.errstate(all="ignore"):
        np.exp(out, out=out)
        out += 1
        np.divide(gates, out, out=out)
        out *= np.array(x, copy=False)
    return mx.array(out)


REPLACED: dict[str, Callable[..., Any]] = {"swiglu": swiglu}
"""Functions of an architecture's module, by the name it imported them under."""
_ORIGINALS: dict[str, Callable[..., Any]] = {name: getattr(activations, name) for name in REPLACED}


def install(model: Any) -> list[str]:
    """On the CPU backend, put the replacements into the modules that the model's layers come from.

    Returns the names of those that were not there yet.
    """
    return _exchange(model, _ORIGINALS, REPLACED) if on_cpu() else []


@contextmanager
def uninstalled(model: Any) -> Iterator[list[str]]:
    """Put MLX's own functions back for a while, for whoever compares with them. Gives the names of those put back."""
    put_back = _exchange(model, REPLACED, _ORIGINALS)
    try:
        yield put_back
    finally:
        if put_back:
            install(model)


def _exchange(
    model: Any, present: dict[str, Callable[..., Any]], wanted: dict[str, Callable[..., Any]]
) -> list[str]:
    """Put wanted functions where the present ones stand. Another function of the same name stays as it is.

    By the function and not by what was done before: an architecture that is imported once another's functions were
    replaced may import a replacement.
    """
    done = []
    for name, module in _modules(model):
        for function, value in wanted.items():
            if getattr(module, function, None) is present[function]:
                setattr(module, function, value)
                done.append(f"{name}.{function}")
    return done


def _modules(model: Any) -> list[tuple[str, ModuleType]]:
    """The modules of mlx-lm that the model's layers come from, by name."""
    names = sorted({type(module).__module__ for module in model.modules()})
    return [(name, sys.modules[name]) for name in names if name.startswith("mlx_lm.models.")]
