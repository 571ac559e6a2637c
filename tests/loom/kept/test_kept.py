"""Fragments on disk: a reopened path goes on exactly and unread, and no file is believed."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from tiny import build_model, greedy, scratch_logits, tiny_model, tiny_tokenizer

from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.kept import keeper as keeper_module
from n8loom_tui.loom.kept import writer as writer_module
from n8loom_tui.loom.kept.files import signed
from n8loom_tui.loom.kept.form import Form
from n8loom_tui.loom.kept.keeper import Kept
from n8loom_tui.loom.kept.key import signing_key
from n8loom_tui.loom.kept.names import Name
from n8loom_tui.loom.layers import layout_of
from n8loom_tui.loom.protocol import BranchSpec, BranchToken, Ramify, SamplingParams, Segment, Source

LIMIT = 64 << 20
PATH = [token % 250 for token in range(7, 2007, 3)]
UNCOMPILED = {"N8LOOM_NATIVE": "0"}
"""How another program starts soon: what it writes is no different, and nobody asks how fast it is."""
_best: list[tuple[Any, list[int]]] = []


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a hundred tokens or so, so that a path has several; and a disk that may be nearly full."""
    monkeypatch.setattr(keeper_module, "FILE_BYTES", 100 * 512)
    monkeypatch.setattr(writer_module, "RESERVE", 0)


def opened(top: Path, model: Any, limit: int = LIMIT, fingerprint: str = "model") -> tuple[Engine, Kept]:
    """A program that has just been started."""
    engine = Engine(model, tiny_tokenizer("plain"))
    kept = Kept.open(top, limit, fingerprint, model, engine.layout)
    assert kept is not None
    engine.keep_on_disk(kept)
    return engine, kept


def grow(engine: Engine, *paths: list[int], count: int = 5) -> list[list[int]]:
    """Grow each path greedily."""
    sources = tuple(
        Source((Segment("s", tuple(path)),), (BranchSpec(f"b{i}", i),)) for i, path in enumerate(paths)
    )
    said: list[list[int]] = [[] for _ in paths]
    for event in itertools.chain.from_iterable(
        engine.run(Ramify("r", sources, SamplingParams(temp=0, max_tokens=count)))
    ):
        if isinstance(event, BranchToken):
            said[int(event.branch_id[1:])].append(event.token)
    return said


def written(top: Path, model: Any, *paths: list[int], limit: int = LIMIT) -> list[Path]:
    """The files after a program has grown these paths and was closed."""
    engine, kept = opened(top, model, limit)
    grow(engine, *paths)
    kept.close(60)
    return sorted(kept.folder.iterdir())


def best(model: Any) -> list[int]:
    """What is to follow `PATH`, by runs from scratch. Each model is asked once."""
    for known, said in _best:
        if known is model:
            return said
    _best.append((model, greedy(model, PATH, 5)))
    return _best[-1][1]


def recomputed(top: Path, model: Any, **options: Any) -> tuple[int, int]:
    """How many tokens a program has to read for `PATH`, and how many files it refuses. It goes on exactly."""
    engine, kept = opened(top, model, **options)
    assert grow(engine, PATH) == [best(model)]
    kept.close(60)
    stats = engine.stats()
    assert stats.prefilled + stats.restored == len(PATH) - 1
    return stats.prefilled, stats.refused


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gpt2", "mixtral"])
def test_a_reopened_path_goes_on_exactly_with_nothing_read(
    tmp_path: Path, architecture: str, drawn_from: Any
) -> None:
    model = tiny_model(architecture)
    first, kept = opened(tmp_path, model)
    (said,) = grow(first, PATH)
    kept.close(60)
    drawn_from.clear()
    again, kept = opened(tmp_path, model)
    assert grow(again, PATH) == [said] == [best(model)]
    assert (again.stats().prefilled, again.stats().restored) == (0, len(PATH) - 1)
    wanted = scratch_logits(model, PATH + said)[len(PATH) - 1 :]
    for step in range(5):
        np.testing.assert_allclose(drawn_from[0, step], wanted[step], atol=1e-3, rtol=0)
    grow(again, PATH + said)
    assert again.stats().prefilled == 0  # what was generated was kept, too
    kept.close(60)


@pytest.mark.usefixtures("own_code")
def test_what_a_models_own_code_has_computed_is_kept_as_well(tmp_path: Path) -> None:
    model = build_model("llama")
    written(tmp_path, model, PATH)
    assert recomputed(tmp_path, model) == (0, 0)


@pytest.mark.parametrize("name", ["mamba2", "lfm2", "recurrent_gemma", "qwen3_next", "gemma3_text"])
def test_states_and_windows_are_kept(tmp_path: Path, name: str) -> None:
    from support.architectures import build

    model = build(name)
    path = list(range(70, 120))
    first, kept = opened(tmp_path, model)
    (said,) = grow(first, path)
    further = grow(first, path + said) if len(said) == 5 else []
    kept.close(60)
    again, kept = opened(tmp_path, model)
    assert grow(again, path) == [said]
    assert again.stats().prefilled == 0
    if further:
        assert grow(again, path + said) == further
        assert again.stats().prefilled == 0
    kept.close(60)


def test_caches_of_a_kind_of_their_own_are_not_kept(tmp_path: Path) -> None:
    from support.architectures import build

    model = build("llama4")
    assert Kept.open(tmp_path, LIMIT, "model", model, layout_of(model)) is None


def test_sixteen_bit_numbers_are_kept_as_they_are(tmp_path: Path) -> None:
    import mlx.core as mx

    model = build_model("llama")
    model.set_dtype(mx.bfloat16)
    first, kept = opened(tmp_path, model)
    said = grow(first, PATH)
    kept.close(60)
    wanted = first.store.get(PATH, 0, len(PATH) - 1)
    again, kept = opened(tmp_path, model)
    assert grow(again, PATH) == said
    got = again.store.get(PATH, 0, len(PATH) - 1)
    kept.close(60)
    assert again.stats().prefilled == 0
    assert wanted is not None and got is not None and got.keys[0].dtype == mx.bfloat16
    assert mx.array_equal(got.keys[0], wanted.keys[0]) and mx.array_equal(got.values[0], wanted.values[0])


def test_paths_that_branch_off_inside_of_a_file_are_found(tmp_path: Path) -> None:
    """The nodes were cut elsewhere when they were stored; the rest is read."""
    model = tiny_model("llama")
    written(tmp_path, model, PATH)
    fork = [*PATH[:333], *range(40)]
    written(tmp_path, model, fork)
    engine, kept = opened(tmp_path, model)
    said = grow(engine, PATH, fork, [*PATH[:150], 1, 2, 3])
    assert said == [greedy(model, path, 5) for path in (PATH, fork, [*PATH[:150], 1, 2, 3])]
    assert engine.stats().prefilled == 2  # all but the last of the three tokens that are new
    kept.close(60)


def flip(file: Path, position: int) -> None:
    """Change one byte; negative positions count from the end."""
    content = bytearray(file.read_bytes())
    content[position] ^= 0x01
    file.write_bytes(content)


def keys_files(files: list[Path]) -> list[Path]:
    """Those with keys and values, by where they begin."""
    return sorted((f for f in files if f.name.startswith("k-")), key=lambda f: int(f.name.split("-")[1]))


HARM: dict[str, Callable[[Path], object]] = {
    "a byte of the values": lambda file: flip(file, -5),
    "a byte of the header": lambda file: flip(file, 30),
    "the header's length": lambda file: flip(file, 0),
    "the signature": lambda file: file.write_bytes(
        file.read_bytes().replace(b'"signature":"', b'"signature":"0', 1)
    ),
    "cut off": lambda file: os.truncate(file, file.stat().st_size - 1),
    "cut off in the header": lambda file: os.truncate(file, 20),
    "empty": lambda file: os.truncate(file, 0),
    "too long": lambda file: file.open("ab").write(b"\0"),
    "another version": lambda file: file.write_bytes(
        file.read_bytes().replace(b'"version":"1"', b'"version":"2"', 1)
    ),
    "another type": lambda file: file.write_bytes(file.read_bytes().replace(b'"F32"', b'"I32"', 1)),
    "deep nesting": lambda file: file.write_bytes((100_000).to_bytes(8, "little") + b"[" * 100_000),
    "a link": lambda file: (file.rename(file.with_suffix(".x")), file.symlink_to(file.with_suffix(".x"))),
    "a pipe": lambda file: (file.unlink(), os.mkfifo(file)),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_file_that_is_not_what_it_must_be_is_refused_and_replaced(tmp_path: Path, harm: str) -> None:
    model = tiny_model("llama")
    files = keys_files(written(tmp_path, model, PATH))
    assert len(files) > 4
    HARM[harm](files[2])
    missing, refused = recomputed(tmp_path, model)
    assert refused == 1
    assert missing >= 50
    assert recomputed(tmp_path, model) == (0, 0)  # it was written anew


def forged(kept: Kept, file: Path, change: Callable[[dict[str, np.ndarray]], None]) -> None:
    """Write a file anew with other contents, signed with the folder's own key."""
    name = Name.parse(file.name)
    assert name is not None
    label = keeper_module.Label(kept._model, name.start, name.stop, name.is_state)
    with keeper_module.Reading(file, label, kept.form) as reading:
        tokens, found = reading.contents(kept._key)
        tensors = reading.tensors
    arrays = {"tokens": np.array(tokens, dtype="<u4"), **{key: value.copy() for key, value in found.items()}}
    change(arrays)
    tensors = [type(t)(t.name, t.dtype, arrays[t.name].shape) for t in tensors]
    data = [memoryview(arrays[t.name].tobytes()) for t in tensors]
    file.write_bytes(b"".join([signed(kept._key, label, tensors, data), *data]))


def other_tokens(arrays: dict[str, np.ndarray]) -> None:
    arrays["tokens"][17] += 1


def no_number(arrays: dict[str, np.ndarray]) -> None:
    arrays["values.0"][0, 0, 0, 0] = 0x7FC00000


def other_shape(arrays: dict[str, np.ndarray]) -> None:
    arrays["keys.0"] = arrays["keys.0"].reshape(*arrays["keys.0"].shape[:2], -1, 8)


@pytest.mark.parametrize("change", [other_tokens, no_number, other_shape])
def test_what_is_signed_rightly_is_checked_all_the_same(tmp_path: Path, change: Any) -> None:
    model = tiny_model("llama")
    files = keys_files(written(tmp_path, model, PATH))
    _, kept = opened(tmp_path, model)
    forged(kept, files[1], change)
    kept.close(60)
    assert recomputed(tmp_path, model)[1] == 1
    assert recomputed(tmp_path, model) == (0, 0)


def test_files_of_another_model_are_not_even_looked_at(tmp_path: Path) -> None:
    model = tiny_model("llama")
    written(tmp_path, model, PATH)
    assert recomputed(tmp_path, model, fingerprint="another") == (len(PATH) - 1, 0)


def test_files_put_into_another_models_folder_are_refused(tmp_path: Path) -> None:
    model, other = tiny_model("llama"), build_model("llama", seed=1)
    files = written(tmp_path, model, PATH)
    _, kept = opened(tmp_path, other, fingerprint="another")
    kept.folder.mkdir()
    for file in files:
        file.rename(kept.folder / file.name)
    kept.close(60)
    missing, refused = recomputed(tmp_path, other, fingerprint="another")
    assert missing == len(PATH) - 1
    assert refused >= 1


def test_files_signed_elsewhere_are_refused(tmp_path: Path) -> None:
    """Somebody else's folder, but for the key."""
    model = tiny_model("llama")
    written(tmp_path, model, PATH)
    (tmp_path / "key").unlink()
    missing, refused = recomputed(tmp_path, model)
    assert missing == len(PATH) - 1
    assert refused >= 1
    assert recomputed(tmp_path, model) == (0, 0), "what was computed instead has taken their places"


@pytest.mark.parametrize("others", [0o640, 0o604, 0o666])
def test_a_key_that_others_may_read_or_change_signs_nothing(tmp_path: Path, others: int) -> None:
    key = signing_key(tmp_path)
    (tmp_path / "key").chmod(others)
    assert signing_key(tmp_path) != key
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert signing_key(tmp_path) == (tmp_path / "key").read_bytes()


def test_a_key_of_somebody_else_signs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = signing_key(tmp_path)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    monkeypatch.setattr(Path, "unlink", refused)  # as in a folder where all may write, and nobody take away
    with pytest.raises(PermissionError):
        signing_key(tmp_path)
    assert (tmp_path / "key").read_bytes() == key


def refused(path: Path, **_options: bool) -> None:
    raise PermissionError(path)


def test_another_precision_is_another_model(tmp_path: Path) -> None:
    import mlx.core as mx

    model = build_model("llama")
    written(tmp_path, model, PATH)
    model.set_dtype(mx.float16)
    engine, kept = opened(tmp_path, model)
    grow(engine, PATH)
    kept.close(60)
    assert engine.stats().restored == 0


def test_the_folder_stays_within_its_size_and_what_was_used_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "SMALLEST", 1)
    model = tiny_model("llama")
    limit = 3 * len(PATH) * 512
    written(tmp_path, model, PATH, limit=limit)
    for number in range(12):
        written(tmp_path, model, [*(number % 2 * 100 + token % 100 for token in PATH), number], limit=limit)
        size = sum(file.stat().st_size for file in tmp_path.glob("*/*"))
        assert size <= limit
        assert recomputed(tmp_path, model, limit=limit) == (0, 0), number


def test_every_file_that_a_path_comes_back_from_counts_as_used(tmp_path: Path) -> None:
    model = tiny_model("llama")
    files = written(tmp_path, model, PATH)
    for file in files:
        os.utime(file, ns=(1, 1))
    engine, kept = opened(tmp_path, model)
    engine.prefill(PATH)
    kept.close(60)
    assert (engine.stats().restored, engine.stats().prefilled) == (len(PATH), 0)
    assert len(files) > 5
    assert all(file.stat().st_mtime_ns > 1 for file in files)


def test_a_file_that_is_looked_for_before_it_is_there_is_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may = threading.Event()
    place, placed = writer_module.Writer._place, []

    def slow(writer: Any, target: Path, data: Any) -> bool:
        assert may.wait(timeout=60)
        placed.append(target.name)
        return place(writer, target, data)

    monkeypatch.setattr(writer_module.Writer, "_place", slow)
    model = tiny_model("llama")
    engine, kept = opened(tmp_path, model)
    grow(engine, PATH)
    assert kept.rest() == 0.0
    (name,) = list(kept._writing)
    kept.index.remove(name)  # as where it cannot be opened
    for _ in range(3):
        kept.rest()
    may.set()
    kept.close(60)
    assert placed.count(name) == 1
    assert (kept.folder / name).is_file()
    assert recomputed(tmp_path, model) == (0, 0)


def test_beginnings_stay_longer_than_what_hangs_below_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "SMALLEST", 1)
    model = tiny_model("llama")
    written(tmp_path, model, PATH)
    limit = len(PATH) * 512 // 2
    _, kept = opened(tmp_path, model, limit)
    kept.close(60)
    engine, kept = opened(tmp_path, model)
    grow(engine, PATH[:150])
    kept.close(60)
    assert engine.stats().prefilled == 0


def test_a_full_disk_costs_nothing_but_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("llama")

    def full(self: Any, *args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(writer_module.Writer, "_place", full)
        files = written(tmp_path, model, PATH)
    assert files == []
    assert recomputed(tmp_path, model) == (len(PATH) - 1, 0)
    assert recomputed(tmp_path, model) == (0, 0)


def test_a_disk_that_fills_up_half_way_leaves_no_half_file(tmp_path: Path) -> None:
    """As a limit on the size of a file, which the system enforces in the middle of a write."""
    program = f"""
import resource, signal, sys
sys.path[:0] = {sys.path!r}
from n8loom_tui.models.blas import prepare_device
prepare_device()
from pathlib import Path
from loom_kept_program import PATH, tiny_model, written
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
print([file.name for file in written(Path(sys.argv[1]), tiny_model("llama"), PATH)])
"""
    code = program.replace("loom_kept_program", "test_kept")
    env = {**os.environ, **UNCOMPILED, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout == "[]\n", done.stderr
    model = tiny_model("llama")
    assert recomputed(tmp_path, model) == (len(PATH) - 1, 0)


def test_what_a_killed_program_left_half_written_is_removed(tmp_path: Path) -> None:
    code = f"""
import os, sys, signal
sys.path[:0] = {sys.path!r}
from n8loom_tui.models.blas import prepare_device
prepare_device()
from pathlib import Path
from test_kept import PATH, tiny_model, written, writer_module
chunks = writer_module._chunks
def killed(data):
    for number, chunk in enumerate(chunks(data)):
        if number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        yield chunk
writer_module._chunks = killed
written(Path(sys.argv[1]), tiny_model("llama"), PATH)
"""
    env = {**os.environ, **UNCOMPILED, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=env, check=False)
    assert done.returncode == -9
    assert [file.suffix for file in tmp_path.glob("*/.*")] == [".part"]
    model = tiny_model("llama")
    assert recomputed(tmp_path, model) == (len(PATH) - 1, 0)
    assert not list(tmp_path.glob("*/.*"))
    assert recomputed(tmp_path, model) == (0, 0)


def test_two_programs_in_one_folder(tmp_path: Path) -> None:
    """Each finds what it wrote; what the other took away is computed again."""
    model = tiny_model("llama")
    one, kept_one = opened(tmp_path, model)
    two, kept_two = opened(tmp_path, model)
    grow(one, PATH)
    grow(two, PATH, [*PATH[:60], 5])
    kept_one.close(60)
    kept_two.close(60)
    assert recomputed(tmp_path, model) == (0, 0)
    engine, kept = opened(tmp_path, model)
    for file in kept.folder.iterdir():
        file.unlink()
    assert grow(engine, PATH) == [best(model)]
    kept.close(60)
    assert engine.stats().refused == 0


def test_nothing_is_evicted_from_memory_for_good_while_it_is_on_disk(tmp_path: Path) -> None:
    model = tiny_model("llama")
    engine, kept = opened(tmp_path, model)
    grow(engine, PATH)
    while (wait := kept.rest()) is not None and wait < 1:
        pass
    budget, engine.store.budget = engine.store.budget, 0
    engine.store.get([0], 0, 1)
    engine.store.make_room(0)
    assert engine.store.nbytes == 0
    engine.store.budget = budget
    before = engine.stats().prefilled
    assert grow(engine, PATH) == [best(model)]
    assert engine.stats().prefilled == before
    kept.close(60)


def test_files_are_safetensors_and_their_owners_alone(tmp_path: Path) -> None:
    model = tiny_model("llama")
    files = keys_files(written(tmp_path, model, PATH))
    with safe_open(files[1], "np") as file:
        said = file.metadata()
        start, stop = int(said["start"]), int(said["stop"])
        assert file.get_tensor("tokens").tolist() == PATH[:stop]
        assert file.get_tensor("keys.0").shape[2] == stop - start
    assert {file.stat().st_mode & 0o777 for file in [*files, tmp_path / "key"]} == {0o600}


def test_the_form_is_found_without_computing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says is what fragments look like."""
    model = tiny_model("mixtral")
    form = Form.of(model, layout_of(model))
    engine = Engine(model, tiny_tokenizer("plain"))
    engine.prefill(PATH[:20])
    fragment = engine.store.get(PATH, 0, 20)
    assert form is not None and fragment is not None
    assert form.of_fragment(fragment, 3, 9) is not None
    assert form.per_token * 20 == fragment.nbytes
