"""A GGUF writer of the tests' own, byte by byte, and tiny models to put into such files."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from n8loom_tui.models.device import prepare_device

prepare_device()

TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 8, "Q4_K": 12, "Q6_K": 14, "BF16": 30}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, in force for the test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("N8LOOM_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No hub and no package index: both are told so by their own settings, in child processes too."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def metadata_value(value: Any) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + text(value)
        case [str(), *_]:
            return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
        case [float(), *_]:
            return struct.pack("<IIQ", 9, 6, len(value)) + np.array(value, "<f4").tobytes()
        case [*_]:
            return struct.pack("<IIQ", 9, 5, len(value)) + np.array(value, "<i4").tobytes()
    raise TypeError(value)


def encode_tensor(array: np.ndarray, kind: str) -> bytes:
    """The bytes of `array` (float32) as a tensor of the type `kind`."""
    blocks = array.astype(np.float32).reshape(-1, 32) if array.size % 32 == 0 else None
    match kind:
        case "F32":
            return array.astype("<f4").tobytes()
        case "F16":
            return array.astype("<f2").tobytes()
        case "BF16":
            return (array.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
        case "Q8_0":
            assert blocks is not None
            scale = (np.abs(blocks).max(1, keepdims=True) / 127).astype("<f2")
            codes = np.round(blocks / np.maximum(scale.astype(np.float32), 1e-9)).clip(-127, 127).astype("i1")
            return np.concatenate([scale.view("u1"), codes.view("u1")], 1).tobytes()
        case "Q4_0" | "Q4_1":
            assert blocks is not None
            low = blocks.min(1, keepdims=True)
            if kind == "Q4_1":
                scale = ((blocks.max(1, keepdims=True) - low) / 15).astype("<f2")
                low = low.astype("<f2")
                head = [scale.view("u1"), low.view("u1")]
            else:
                scale = (np.abs(blocks).max(1, keepdims=True) / 8).astype("<f2")
                low = -8 * scale.astype(np.float32)
                head = [scale.view("u1")]
            codes = np.round((blocks - low.astype(np.float32)) / np.maximum(scale.astype(np.float32), 1e-9))
            codes = codes.clip(0, 15).astype("u1")
            return np.concatenate([*head, codes[:, :16] | (codes[:, 16:] << 4)], 1).tobytes()
        case "Q4_K":
            return bytes(array.size // 256 * 144)
        case "Q6_K":
            return bytes(array.size // 256 * 210)
    raise TypeError(kind)


def decode_tensor(array: np.ndarray, kind: str) -> np.ndarray:
    """What `array` becomes by being stored as `kind`, by the format's own formulas."""
    data = encode_tensor(array, kind)
    match kind:
        case "F32":
            return array.astype(np.float32)
        case "F16":
            return array.astype(np.float16).astype(np.float32)
        case "BF16":
            return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").reshape(array.shape)
        case "Q8_0":
            raw = np.frombuffer(data, "u1").reshape(-1, 34)
            return (raw[:, :2].copy().view("<f2").astype("f4") * raw[:, 2:].copy().view("i1")).reshape(
                array.shape
            )
    size = 18 if kind == "Q4_0" else 20
    raw = np.frombuffer(data, "u1").reshape(-1, size)
    scale = raw[:, :2].copy().view("<f2").astype("f4")
    low = -8 * scale if kind == "Q4_0" else raw[:, 2:4].copy().view("<f2").astype("f4")
    nibbles = raw[:, size - 16 :]
    return (np.concatenate([nibbles & 15, nibbles >> 4], 1) * scale + low).reshape(array.shape)


def gguf_bytes(
    metadata: Mapping[str, Any], tensors: Mapping[str, tuple[np.ndarray, str]], version: int = 3
) -> bytes:
    header = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    for key, value in metadata.items():
        header += text(key) + metadata_value(value)
    data = b""
    for name, (array, kind) in tensors.items():
        header += text(name) + struct.pack("<I", array.ndim)
        header += b"".join(struct.pack("<Q", extent) for extent in reversed(array.shape))
        header += struct.pack("<IQ", TYPES[kind], len(data))
        data += encode_tensor(array, kind)
        data += bytes(-len(data) % 32)
    return header + bytes(-len(header) % 32) + data


@pytest.fixture
def gguf_writer(tmp_path: Path) -> Callable[..., Path]:
    """Writes a GGUF file from metadata and tensors, and returns its path."""

    def write(
        metadata: Mapping[str, Any], tensors: Mapping[str, tuple[np.ndarray, str]], name: str = "m.gguf"
    ) -> Path:
        path = tmp_path / name
        path.write_bytes(gguf_bytes(metadata, tensors))
        return path

    return write


@pytest.fixture
def as_stored() -> Callable[[np.ndarray, str], np.ndarray]:
    return decode_tensor


def byte_alphabet() -> list[str]:
    """GPT-2's 256 printable stand-ins for bytes, in the order of the bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


BPE_TOKENIZER: dict[str, Any] = {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.tokens": ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *byte_alphabet()],
    "tokenizer.ggml.token_type": [3, 3, 3] + [1] * 256,
    "tokenizer.ggml.merges": [],
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.ggml.add_bos_token": False,
}
VOCABULARY = 259

LLAMA: dict[str, Any] = {
    "general.architecture": "llama",
    "llama.block_count": 2,
    "llama.context_length": 512,
    "llama.embedding_length": 64,
    "llama.feed_forward_length": 96,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "llama.rope.freq_base": 10000.0,
}


def llama_tensors(kind: str = "F32") -> dict[str, tuple[np.ndarray, str]]:
    random = np.random.default_rng(7)

    def matrix(rows: int, columns: int) -> tuple[np.ndarray, str]:
        return (random.standard_normal((rows, columns)) * 0.1).astype(np.float32), kind

    ones = (np.ones(64, np.float32), "F32")
    tensors = {"token_embd.weight": matrix(VOCABULARY, 64), "output_norm.weight": ones}
    for layer in range(2):
        for name, rows, columns in (
            ("attn_q", 64, 64),
            ("attn_k", 32, 64),
            ("attn_v", 32, 64),
            ("attn_output", 64, 64),
            ("ffn_gate", 96, 64),
            ("ffn_up", 96, 64),
            ("ffn_down", 64, 96),
        ):
            tensors[f"blk.{layer}.{name}.weight"] = matrix(rows, columns)
        tensors[f"blk.{layer}.attn_norm.weight"] = ones
        tensors[f"blk.{layer}.ffn_norm.weight"] = ones
    return tensors


@pytest.fixture
def tiny_llama() -> tuple[dict[str, Any], dict[str, tuple[np.ndarray, str]]]:
    """Metadata and tensors of a whole, random llama of two layers, ready for `gguf_writer`."""
    return LLAMA | BPE_TOKENIZER, llama_tensors()


@pytest.fixture
def tiny_tensors() -> Callable[[str], dict[str, tuple[np.ndarray, str]]]:
    """The tensors of the random llama, its matrices of a given type."""
    return llama_tensors


@pytest.fixture
def bpe_tokenizer() -> dict[str, Any]:
    return dict(BPE_TOKENIZER)


@pytest.fixture(scope="session", autouse=True)
def _streams() -> Iterator[None]:
    """MLX aborts a process whose thread used it and left its streams."""
    yield
    import sys

    if "mlx.core" in sys.modules:
        import mlx.core as mx

        mx.clear_streams()
