"""Gives MLX's CPU backend a fast BLAS, where it comes without one.

The Linux wheel of MLX is linked to the reference BLAS, about a hundredth of the machine's speed, and
resolves `cblas_sgemm` by name. So an OpenBLAS placed in the process's global symbol scope *before*
`mlx.core` is first imported serves every float32 matmul. Nothing here imports MLX, and nothing here
fails: what could not be done is said in the returned `BlasChoice`.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from threading import Lock

from n8loom_tui.threads import use as use_threads

REFERENCE = "reference BLAS"
OPENBLAS = "OpenBLAS"

_FORTRAN_SONAME = "libgfortran.so.5"
_SOON_ASLEEP = ("OPENBLAS_THREAD_TIMEOUT", "24")
"""Idle BLAS threads go to sleep after 2^24 cycles, some 6 ms: long enough to stay awake between the products of a
step (sleeping earlier made a step 5 to 15 % longer), short enough to leave the cores alone while nothing is generated
(by default they keep one busy)."""
_AVX512 = ("avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl")
_NEEDS = {
    b"SKYLAKEX": _AVX512,
    b"COOPERLAKE": (*_AVX512, "avx512_bf16"),
    b"SAPPHIRERAPIDS": (*_AVX512, "avx512_bf16"),
    b"HASWELL": ("avx2", "fma"),
    b"ZEN": ("avx2", "fma"),
}
"""What an OpenBLAS built for such a core takes for granted, as Linux names it."""
_NVIDIA_DEVICES = ("/dev/nvidiactl", "/dev/dxg")  # the second one is WSL's


@dataclass(frozen=True, slots=True)
class BlasChoice:
    """Which BLAS serves MLX's CPU backend in this process.

    `threads` is `None` where the number is not ours to set. `note` is empty when all is as it should be,
    else one plain sentence: what is missing and what to do.
    """

    name: str
    threads: int | None = None
    note: str = ""

    @property
    def fast(self) -> bool:
        """Whether float32 matmul runs at the machine's speed."""
        return self.name != REFERENCE


_lock = Lock()
_library: ctypes.CDLL | None = None
_choice: BlasChoice | None = None


def prepare_device(threads: int | None = None) -> BlasChoice:
    """Place the fast BLAS and set the number of threads; call it before MLX is first imported.

    The number is the BLAS's and, with it, that of what this program compiles (`n8loom_tui.threads`).
    `threads` is by default one less than the physical cores this process may use (at least 1), which
    leaves a core to the user interface; OpenBLAS's threads spin, so a shared core costs a lot. A later call
    with a number changes the number, one without keeps it. Never raises.
    """
    global _choice  # noqa: PLW0603  (one library per process, so one record of it)
    with _lock:
        if _choice is None:
            _choice = _place()
        if _ours(_choice) and (threads is not None or _choice.threads is None):
            number = max(1, threads) if threads is not None else default_threads()
            use_threads(number)
            if _library is not None:
                _library.openblas_set_num_threads(ctypes.c_int(number))
            _choice = replace(_choice, threads=number)
        return _choice


def _ours(choice: BlasChoice) -> bool:
    """Whether the number of threads is ours to set: what this program compiles follows it, with any BLAS."""
    return choice.name in {OPENBLAS, REFERENCE}


def thread_choices() -> tuple[int, ...]:
    """Numbers of threads worth trying while a model runs, the safest first."""
    cores = physical_cores()
    return (max(1, cores - 1), cores) if _choice is not None and _ours(_choice) else (1,)


def library_detail() -> str:
    """What the placed library says of itself: its version and the kind of processor that it computes for."""
    if _library is None:
        return ""
    with suppress(AttributeError):
        _library.openblas_get_config.restype = ctypes.c_char_p
        return " ".join(_library.openblas_get_config().decode(errors="replace").split())
    return ""


def default_threads() -> int:
    """Physical cores that this process may use, less one, at least 1."""
    return max(1, physical_cores() - 1)


def physical_cores() -> int:
    """Physical cores within the process's CPU affinity and its control group's quota, at least 1."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    allowed = os.sched_getaffinity(0)
    cores = {_siblings(cpu) for cpu in allowed}
    return max(1, min(len(cores), _cpu_quota() or len(cores)))


def _siblings(cpu: int) -> str:
    """The hardware threads that share `cpu`'s core, as the kernel lists them; else `cpu` alone."""
    topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
    for name in ("core_cpus_list", "thread_siblings_list"):
        with suppress(OSError):
            return (topology / name).read_text().strip()
    return str(cpu)


def _cpu_quota() -> int | None:
    """Whole cores' worth of time that a version 2 control group grants; `None` when unlimited or unknown."""
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            return max(1, int(quota) // int(period))
    return None


def _place() -> BlasChoice:
    global _library  # noqa: PLW0603
    if sys.platform == "darwin":
        return BlasChoice("Accelerate")
    if not sys.platform.startswith("linux"):
        return BlasChoice(REFERENCE, note="no fast BLAS is known for this system")
    if _cuda_in_use():
        return BlasChoice("CUDA")
    if "mlx.core" in sys.modules:
        return BlasChoice(
            REFERENCE,
            note="MLX was imported before the fast BLAS could be placed: import n8loom_tui.models.device "
            "and call prepare_device() first",
        )
    path = _wheel_file("cmeel-openblas", "libopenblas.so.0")
    if path is None:
        return BlasChoice(REFERENCE, note="the reference BLAS is slow: pip install cmeel-openblas")
    missing = _missing_instructions(path)
    if missing:
        return BlasChoice(
            REFERENCE, note=f"the fast BLAS is built for processors with {missing}: this one has not"
        )
    os.environ.setdefault(*_SOON_ASLEEP)
    try:
        _load_fortran()
        _library = ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)
        _library.openblas_set_num_threads.argtypes = [ctypes.c_int]
    except (OSError, AttributeError, LookupError) as error:
        _library = None
        return BlasChoice(REFERENCE, note=f"the reference BLAS is slow: install libgfortran5 ({error})")
    return BlasChoice(OPENBLAS)


def _missing_instructions(library: Path, processor: Path = Path("/proc/cpuinfo")) -> str:
    """What instructions an OpenBLAS built for one kind of processor takes for granted and this one lacks; "" for none.

    It says in its own text what it was built for. Running it elsewhere would end the process.
    """
    built = re.search(rb"OpenBLAS [\d.]+ [^\0]*", library.read_bytes())
    if built is None or b"DYNAMIC_ARCH" in built[0]:
        return ""
    needed = next((flags for core, flags in _NEEDS.items() if core in built[0].split()), ())
    with suppress(OSError):
        line = re.search(r"^flags\s*:(.*)$", processor.read_text(), re.MULTILINE)
        has = set(line[1].split()) if line is not None else set(needed)
        return ", ".join(flag for flag in needed if flag not in has)
    return ""


def _cuda_in_use() -> bool:
    """Whether MLX's CUDA build is installed and there is a device for it to use."""
    if not any(Path(device).exists() for device in _NVIDIA_DEVICES):
        return False
    names = ("mlx-cuda", "mlx-cuda-12", "mlx-cuda-13")
    return any(_distribution(name) is not None for name in names)


def _load_fortran() -> None:
    """Load `libgfortran.so.5`, which OpenBLAS needs: the system's, else the one inside MLX's own wheel.

    The wheel's copy carries a private name (`libgfortran-<hash>.so.5.0.0`), under which OpenBLAS would not
    find it; so a copy in memory gets the public name. No file is changed or written.

    Raises OSError or LookupError when there is none that can be loaded.
    """
    with suppress(OSError):
        ctypes.CDLL(_FORTRAN_SONAME, ctypes.RTLD_GLOBAL)
        return
    carried = _wheel_file("mlx-cpu", "libgfortran-")
    if carried is None:
        raise LookupError("neither this system nor MLX carries one")
    quadmath = _wheel_file("mlx-cpu", "libquadmath-")  # x86 only; libgfortran names it, so it goes first
    if quadmath is not None:
        ctypes.CDLL(str(quadmath), ctypes.RTLD_GLOBAL)
    _load_renamed(carried, _FORTRAN_SONAME)


def _load_renamed(path: Path, soname: str) -> None:
    """Load a copy of the library at `path` whose SONAME, equal to its file name, reads `soname`."""
    image = path.read_bytes()
    old = path.name.encode() + b"\0"
    if image.count(old) != 1 or len(soname) >= len(old):
        raise LookupError(f"{path.name} cannot be given its public name")
    descriptor = os.memfd_create(soname)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as copy:
            copy.write(image.replace(old, soname.encode().ljust(len(old), b"\0")))
        ctypes.CDLL(f"/proc/self/fd/{descriptor}", ctypes.RTLD_GLOBAL)
    finally:
        os.close(descriptor)


def _wheel_file(distribution: str, prefix: str) -> Path | None:
    """The installed file of a distribution whose name starts with `prefix`; `None` if there is none."""
    found = _distribution(distribution)
    for file in (found.files or []) if found is not None else []:
        if file.name.startswith(prefix) and (path := Path(str(file.locate()))).is_file():
            return path
    return None


def _distribution(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
