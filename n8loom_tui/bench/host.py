"""Where a bench ran, and with what."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from n8loom_tui.bench.results import Host
from n8loom_tui.models.blas import library_detail
from n8loom_tui.models.device import Device, DeviceReport, physical_cores
from n8loom_tui.models.errors import one_line

PACKAGES = ("n8loom-tui", "mlx", "mlx-lm", "numpy")


def describe(report: DeviceReport, threads: int | None, threads_chosen: str) -> Host:
    """The machine and the software. `threads`: those in use now, `threads_chosen`: by whom."""
    return Host(
        machine=_machine(report.device),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cores=physical_cores(),
        memory=_memory(),
        device=str(report.device),
        dtype=report.dtype,
        blas=report.blas,
        blas_detail=library_detail(),
        threads=threads if report.threads is not None else None,
        threads_chosen=threads_chosen if report.threads is not None else "",
        versions={"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        note=report.note,
    )


def _machine(device: Device) -> str:
    """The processor's name, and the GPU's where it is what computes."""
    import mlx.core as mx

    gpu = one_line(mx.device_info().get("device_name", "")) if device is not Device.CPU else ""
    return ", ".join(dict.fromkeys(name for name in (_processor(), gpu) if name))


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return one_line(line.partition(":")[2])
    return platform.processor() or platform.machine()


def _memory() -> int | None:
    """The machine's memory in bytes."""
    with suppress(OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _version(package: str) -> str:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return "unknown"
