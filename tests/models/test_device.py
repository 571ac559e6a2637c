"""Which device, BLAS and precision a model gets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from n8loom_tui.models import blas, device
from n8loom_tui.models.device import Device, Dtype, choose_dtype, describe_device, prepare_device

LINUX = sys.platform.startswith("linux")


def python(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    ("requested", "where", "memory", "expected"),
    [
        ("auto", Device.CPU, 100 << 30, Dtype.FLOAT32),
        ("auto", Device.CPU, None, Dtype.FLOAT32),
        ("auto", Device.CPU, 2 << 30, Dtype.NATIVE),
        ("auto", Device.CPU, 4 << 30, Dtype.NATIVE),  # it fits, but nothing would be left
        ("auto", Device.METAL, 100 << 30, Dtype.NATIVE),
        ("auto", Device.CUDA, None, Dtype.NATIVE),
        ("float32", Device.CPU, 1, Dtype.FLOAT32),
        ("float16", Device.METAL, None, Dtype.FLOAT16),
        ("bfloat16", Device.CPU, None, Dtype.BFLOAT16),
        ("native", Device.CPU, None, Dtype.NATIVE),
    ],
)
def test_the_precision_follows_device_memory_and_wish(
    requested: str, where: Device, memory: int | None, expected: Dtype
) -> None:
    assert choose_dtype(4 << 30, requested, device=where, memory=memory).dtype is expected


def test_what_is_slow_is_said() -> None:
    assert "4.0 GiB and 2.0 GiB is free" in choose_dtype(4 << 30, memory=2 << 30).note
    assert "slow on a CPU" in choose_dtype(1, Dtype.NATIVE).note
    assert choose_dtype(1, memory=100 << 30).note == ""


def quantised_model() -> Any:
    from mlx import nn

    model = nn.Sequential(nn.Embedding(96, 64), nn.Linear(64, 128), nn.RMSNorm(128))
    nn.quantize(model, group_size=32, bits=4, class_predicate=lambda _, m: hasattr(m, "to_quantized"))
    return model


def test_float32_sizes_count_quantised_weights_unpacked() -> None:
    assert device.weights_as_float32(quantised_model()) == 4 * (96 * 64 + 64 * 128 + 128 + 128)


def test_unpacking_keeps_the_values() -> None:
    import mlx.core as mx

    model = quantised_model()
    ids = mx.array([[3, 1, 95]])
    before = np.array(model(ids))
    assert device.apply_dtype(model, Dtype.NATIVE) == "4-bit"
    assert device.apply_dtype(model, Dtype.FLOAT32) == "float32"
    np.testing.assert_allclose(np.array(model(ids)), before, atol=1e-4)
    assert device.apply_dtype(model, Dtype.FLOAT16) == "float16"


def test_the_report_fits_a_status_bar() -> None:
    report = describe_device("float32", "a note")
    assert report.summary.startswith(f"{report.device} · float32")
    assert "\n" not in report.summary
    assert report.note.endswith("a note")


def test_a_later_call_changes_the_threads_and_only_when_asked() -> None:
    before = prepare_device()
    if before.threads is None:
        pytest.skip("no BLAS of ours on this system")
    try:
        assert prepare_device(2).threads == 2
        assert prepare_device().threads == 2
        assert prepare_device(0).threads == 1
    finally:
        prepare_device(before.threads)


def test_a_core_is_left_to_the_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, threads in ((1, 1), (2, 1), (8, 7)):
        monkeypatch.setattr(blas, "physical_cores", lambda cores=cores: cores)
        assert blas.default_threads() == threads


@pytest.mark.skipif(not LINUX, reason="affinity is Linux's")
def test_affinity_is_respected() -> None:
    script = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    script += "from n8loom_tui.models.blas import physical_cores, default_threads\n"
    script += "print(physical_cores(), default_threads())"
    assert python(script).split() == ["1", "1"]


@pytest.mark.skipif(not LINUX, reason="the reference BLAS is Linux's")
def test_matmul_goes_to_the_placed_library() -> None:
    script = "from n8loom_tui.models.blas import prepare_device\nchoice = prepare_device()\n"
    script += "import ctypes\n"
    script += "found = ctypes.CDLL(None)\n"  # the global scope, where MLX looks
    script += "print(choice.name, choice.threads is not None, hasattr(found, 'openblas_get_num_threads'))"
    assert python(script).split() == ["OpenBLAS", "True", "True"]


@pytest.mark.skipif(not LINUX, reason="the reference BLAS is Linux's")
def test_after_mlx_it_is_too_late_and_said() -> None:
    script = (
        "import mlx.core\nfrom n8loom_tui.models.blas import prepare_device\nprint(prepare_device().note)"
    )
    assert "imported before" in python(script)


@pytest.mark.skipif(not LINUX, reason="the reference BLAS is Linux's")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("blas._wheel_file = lambda distribution, prefix: None", "pip install cmeel-openblas"),
        ("blas._load_fortran = lambda: (_ for _ in ()).throw(LookupError('none'))", "install libgfortran5"),
        (
            "blas._FORTRAN_SONAME = 'libgfortran.so.longer-than-the-carried-one.so.5.0.0.0.0.0'",
            "libgfortran5",
        ),
    ],
)
def test_what_is_missing_is_named(change: str, says: str) -> None:
    script = f"from n8loom_tui.models import blas\n{change}\nchoice = blas.prepare_device()\n"
    script += "print(choice.fast, choice.note)"
    answer = python(script)
    assert answer.startswith("False")
    assert says in answer


@pytest.mark.skipif(not LINUX, reason="only Linux tells")
def test_memory_is_known_on_linux() -> None:
    free = device.available_memory()
    assert free is not None
    assert 0 < free < int(Path("/proc/meminfo").read_text().split()[1]) * 1024


@pytest.mark.parametrize(
    ("built", "flags", "missing"),
    [
        (b"OpenBLAS 0.3.31 NO_AFFINITY SKYLAKEX MAX_THREADS=4", "fpu avx2 fma", "avx512f"),
        (b"OpenBLAS 0.3.31 NO_AFFINITY SKYLAKEX MAX_THREADS=4", " ".join(blas._AVX512), ""),
        (b"OpenBLAS 0.3.31 NO_AFFINITY HASWELL MAX_THREADS=4", "fpu avx2", "fma"),
        (b"OpenBLAS 0.3.31 DYNAMIC_ARCH NO_AFFINITY SKYLAKEX MAX_THREADS=64", "fpu", ""),
        (b"something else", "fpu", ""),
    ],
)
def test_a_blas_for_other_processors_is_left_alone(
    built: bytes, flags: str, missing: str, tmp_path: Path
) -> None:
    library, processor = tmp_path / "libopenblas.so.0", tmp_path / "cpuinfo"
    library.write_bytes(b"\x7fELF\0\0" + built + b"\0more")
    processor.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: none\n")
    assert blas._missing_instructions(library, processor).split(", ")[0] == missing
