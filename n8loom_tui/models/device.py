"""The device's policy: where the model runs and in which precision.

Two moments. Before MLX is imported, `prepare_device` (from `blas`) puts a fast BLAS in its way. After a
model's weights are known, `choose_dtype` says what they become: MLX's CPU backend hands float32 alone to
BLAS (a 4-bit or 16-bit matmul there is 20 to 100 times slower), so on a CPU weights become float32 if
they fit; a GPU takes them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from n8loom_tui.memory import available_memory
from n8loom_tui.models.blas import BlasChoice, default_threads, physical_cores, prepare_device

__all__ = [
    "BlasChoice",
    "Device",
    "DeviceReport",
    "Dtype",
    "DtypeChoice",
    "apply_dtype",
    "available_memory",
    "choose_dtype",
    "current_device",
    "default_threads",
    "describe_device",
    "physical_cores",
    "prepare_device",
    "weights_as_float32",
]

HEADROOM = 1 << 30
"""Bytes that must stay free beside float32 weights: caches, activations, everything else that runs."""


class Device(StrEnum):
    """What MLX computes on."""

    CPU = "cpu"
    METAL = "metal"
    CUDA = "cuda"


class Dtype(StrEnum):
    """What `--dtype` takes. AUTO leaves it to the device; NATIVE keeps the weights as they are stored."""

    AUTO = "auto"
    NATIVE = "native"
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True, slots=True)
class DtypeChoice:
    """The precision to use (never AUTO), and why where it is not the best one."""

    dtype: Dtype
    note: str = ""


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """Where and how a model runs; for the status bar and the bench.

    `dtype` names the weights in use ('float32', '4-bit', …). `threads` is `None` where it is not ours to set.
    `note` is empty when all is as it should be.
    """

    device: Device
    dtype: str
    blas: str
    threads: int | None
    note: str = ""

    @property
    def summary(self) -> str:
        """One line: `cpu · float32 · OpenBLAS ×3`."""
        parts = [str(self.device), self.dtype]
        if self.device is Device.CPU:
            parts.append(self.blas if self.threads is None else f"{self.blas} ×{self.threads}")
        return " · ".join(parts)


def current_device() -> Device:
    """What MLX computes on in this process. Imports MLX, after `prepare_device`."""
    prepare_device()
    import mlx.core as mx

    if mx.default_device() == mx.Device(mx.DeviceType.cpu):
        return Device.CPU
    cuda = getattr(mx, "cuda", None)
    if cuda is not None and cuda.is_available():
        return Device.CUDA
    return Device.METAL if mx.metal.is_available() else Device.CPU


def choose_dtype(
    float32_bytes: int,
    requested: Dtype | str = Dtype.AUTO,
    *,
    device: Device = Device.CPU,
    memory: int | None = None,
) -> DtypeChoice:
    """The precision for weights that would take `float32_bytes` as float32.

    An explicit request is obeyed. AUTO is NATIVE on a GPU; on a CPU it is FLOAT32 if that fits, with
    `HEADROOM` to spare, into `memory` (bytes still free; `None`, unknown, counts as enough), else NATIVE.
    """
    requested = Dtype(requested)
    if requested is not Dtype.AUTO:
        slow = device is Device.CPU and requested is not Dtype.FLOAT32
        return DtypeChoice(requested, f"{requested} is slow on a CPU; float32 is not" if slow else "")
    if device is not Device.CPU:
        return DtypeChoice(Dtype.NATIVE)
    if memory is None or float32_bytes + HEADROOM <= memory:
        return DtypeChoice(Dtype.FLOAT32)
    return DtypeChoice(
        Dtype.NATIVE,
        f"float32 weights would take {_gib(float32_bytes)} and {_gib(memory)} is free: "
        "they stay as they are, which is slow on a CPU",
    )


def describe_device(dtype: str = Dtype.NATIVE, note: str = "") -> DeviceReport:
    """The report for weights in `dtype` on the current device; `note` is joined to the BLAS's own."""
    device, blas = current_device(), prepare_device()
    notes = [blas.note if device is Device.CPU else "", note]
    return DeviceReport(device, dtype, blas.name, blas.threads, "; ".join(part for part in notes if part))


def weights_as_float32(model: Any) -> int:
    """Bytes that the weights of an `mlx.nn.Module` would take as float32, quantised ones unpacked."""
    from mlx.utils import tree_flatten

    numbers: int = sum(int(array.size) for array in dict(tree_flatten(model.parameters())).values())
    for module in _quantised(model).values():
        packed = int(module.weight.size)
        helpers = sum(int(module[name].size) for name in ("scales", "biases") if module.get(name) is not None)
        numbers += packed * 32 // module.bits - packed - helpers
    return 4 * numbers


def apply_dtype(model: Any, dtype: Dtype) -> str:
    """Bring the model's weights to `dtype` in place and evaluate them; returns the name of what they are now.

    float32, float16 and bfloat16 unpack quantised layers; integer parameters stay. NATIVE changes nothing.
    """
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_lm.utils import dequantize_model

    from n8loom_tui.loom.kernels.blocks import QUANTISED

    if dtype in (Dtype.FLOAT32, Dtype.FLOAT16, Dtype.BFLOAT16):
        kind = getattr(mx, dtype)
        model.set_dtype(kind)  # the scales first, so that unpacking does not round to their 16 bits
        known = _as_stored(model) if dtype is Dtype.FLOAT32 and current_device() is Device.CPU else {}
        dequantize_model(model)
        model.set_dtype(kind)
        for name, module in model.named_modules():
            if name in known:
                setattr(module, QUANTISED, known[name])
    mx.eval(model.parameters())
    if bits := sorted({module.bits for module in _quantised(model).values()}):
        return "/".join(str(each) for each in bits) + "-bit"
    arrays = dict(tree_flatten(model.parameters())).values()
    floats = [array for array in arrays if mx.issubdtype(array.dtype, mx.floating)]
    largest = max(floats, key=lambda array: int(array.size), default=None)
    return str(dtype) if largest is None else str(largest.dtype).rpartition(".")[2]


def _as_stored(model: Any) -> dict[str, Any]:
    """The packed weights of the modules that have some, by the module's name, for whoever computes with them."""
    from n8loom_tui.loom.kernels.codes import Quantised

    found = {name: Quantised.of(module) for name, module in _quantised(model).items()}
    return {name: packed for name, packed in found.items() if packed is not None}


def _quantised(model: Any) -> dict[str, Any]:
    """The modules that hold packed weights, by name."""
    return {name: part for name, part in model.named_modules() if "scales" in part and hasattr(part, "bits")}


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
