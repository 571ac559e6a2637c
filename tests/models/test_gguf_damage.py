"""Damaged GGUF files are refused in one line, and never take the process or its memory with them."""

from __future__ import annotations

import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from n8loom_tui.models.errors import ModelError
from n8loom_tui.models.gguf_file import read_gguf
from n8loom_tui.models.load import load_model


@pytest.fixture
def whole(gguf_writer: Callable[..., Path], tiny_llama: Any) -> bytes:
    data: bytes = gguf_writer(*tiny_llama).read_bytes()
    return data


def refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        load_model(str(path))
    message = str(caught.value)
    assert message.isprintable()
    return message


def test_cut_short_at_any_length(whole: bytes, tmp_path: Path, cache: Path) -> None:
    lengths = [*range(0, 400, 7), *range(400, len(whole) - 32, 1999), len(whole) - 32]
    for length in lengths:
        refused(tmp_path / "cut.gguf", whole[:length])


def test_other_files_are_named_for_what_they_are(tmp_path: Path, cache: Path, whole: bytes) -> None:
    path = tmp_path / "other.gguf"
    assert "does not begin with GGUF" in refused(path, b"PK\x03\x04" + bytes(100))
    assert "version 1 is unknown" in refused(path, b"GGUF" + struct.pack("<I", 1) + bytes(100))
    assert "big-endian" in refused(path, b"GGUF" + struct.pack(">I", 3) + bytes(100))
    assert "too short" in refused(path, b"")
    path.write_bytes(whole[:4] + struct.pack("<I", 2) + whole[8:])
    assert load_model(str(path)).model is not None


@pytest.mark.parametrize("count", [2**16, 2**31, 2**40, 2**63, 2**64 - 1])
@pytest.mark.parametrize("at", [8, 16, 24])  # tensors, metadata entries, the first key's length
def test_huge_counts_allocate_nothing(count: int, at: int, whole: bytes, tmp_path: Path, cache: Path) -> None:
    refused(tmp_path / "huge.gguf", whole[:at] + struct.pack("<Q", count) + whole[at + 8 :])


def with_value(value: bytes) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + value + bytes(64)


@pytest.mark.parametrize(
    "value",
    [
        struct.pack("<I", 99),
        struct.pack("<I", 2**32 - 1),
        struct.pack("<II", 9, 9) + bytes(16),
        struct.pack("<IIQ", 9, 0, 2**62),
        struct.pack("<IIQ", 9, 8, 2**61),
        struct.pack("<IIQ", 9, 12, 2**61),
        struct.pack("<IQ", 8, 2**64 - 1),
    ],
)
def test_impossible_metadata(value: bytes, tmp_path: Path, cache: Path) -> None:
    refused(tmp_path / "value.gguf", with_value(value))


def tensor_file(entry: bytes, alignment: bytes = b"") -> bytes:
    entries = 1 if alignment else 0
    return (
        b"GGUF"
        + struct.pack("<IQQ", 3, 1, entries)
        + alignment
        + struct.pack("<Q", 1)
        + b"t"
        + entry
        + bytes(256)
    )


def alignment(kind: int, data: bytes) -> bytes:
    key = b"general.alignment"
    return struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + data


GOOD = struct.pack("<IQIQ", 1, 8, 0, 0)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (tensor_file(struct.pack("<I", 0) + bytes(40)), "0 dimensions"),
        (tensor_file(struct.pack("<I", 9) + bytes(120)), "9 dimensions"),
        (tensor_file(struct.pack("<IQIQ", 1, 0, 0, 0)), "impossible shape"),
        (tensor_file(struct.pack("<IQQIQ", 2, 2**40, 2**40, 0, 0)), "impossible shape"),
        (tensor_file(struct.pack("<IQIQ", 1, 8, 77, 0)), "unknown type 77"),
        (tensor_file(struct.pack("<IQIQ", 1, 33, 8, 0)), "do not divide"),
        (tensor_file(struct.pack("<IQIQ", 1, 8, 0, 7)), "not aligned"),
        (tensor_file(struct.pack("<IQIQ", 1, 8, 0, 2**63)), "cut short"),
        (tensor_file(GOOD, alignment(4, struct.pack("<I", 0))), "power of two"),
        (tensor_file(GOOD, alignment(4, struct.pack("<I", 48))), "power of two"),
        (tensor_file(GOOD, alignment(8, struct.pack("<Q", 2) + b"32")), "wrong type"),
    ],
)
def test_impossible_tensors(data: bytes, says: str, tmp_path: Path, cache: Path) -> None:
    assert says in refused(tmp_path / "tensor.gguf", data)


def test_the_good_entry_of_these_tests_is_good(tmp_path: Path) -> None:
    path = tmp_path / "good.gguf"
    path.write_bytes(tensor_file(GOOD, alignment(4, struct.pack("<I", 64))))
    tensor = read_gguf(path).tensors["t"]
    assert (tensor.shape, tensor.type, tensor.nbytes, tensor.offset % 64) == ((8,), "F32", 32, 0)


def test_names_cannot_write_to_the_terminal(tmp_path: Path, cache: Path, whole: bytes) -> None:
    message = refused(tmp_path / "escape.gguf", whole.replace(b"blk.0.attn_norm", b"\x1b]0;hi\x07.\x1b[2J."))
    assert "\x1b" not in message


def test_flipped_bits_never_crash(whole: bytes, tmp_path: Path) -> None:
    """In a process of its own: MLX's reader sees each file that passes the checks."""
    (tmp_path / "whole.gguf").write_bytes(whole)
    script = """
        import os, random, sys
        from pathlib import Path
        folder = Path(sys.argv[1])
        os.environ["N8LOOM_CACHE_DIR"] = str(folder / "cache")
        from n8loom_tui.models.errors import ModelError
        from n8loom_tui.models.load import load_model
        whole = (folder / "whole.gguf").read_bytes()
        header = whole.rindex(b"ffn_norm.weight") + 60
        chance = random.Random(5)
        loaded = refused = 0
        for _ in range(300):
            data = bytearray(whole)
            # The tensors' entries are at the header's end; the vocabulary, most of it, matters less.
            low, high = chance.choice([(0, header), (24, 400), (header - 1400, header)])
            at = chance.randrange(low, high)
            data[at] ^= 1 << chance.randrange(8)
            (folder / "flipped.gguf").write_bytes(data)
            try:
                load_model(str(folder / "flipped.gguf"))
                loaded += 1
            except ModelError as error:
                assert str(error).isprintable(), str(error)
                refused += 1
        import mlx.core as mx
        mx.clear_streams()
        print(loaded, refused)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded, refused_count = map(int, done.stdout.split())
    assert loaded > 10
    assert refused_count > 100
