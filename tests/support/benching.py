"""A tiny model to measure, and settings that take a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny import CONTEXT, tiny_model, tiny_tokenizer

from n8loom_tui.models.device import Device, DeviceReport
from n8loom_tui.models.load import LoadedModel

SETTINGS: dict[str, Any] = {
    "prefixes": (8, 40),
    "branches": (1, 3),
    "rounds": 2,
    "steps": 2,
    "leaves": 3,
    "depth_tokens": 24,
    "depths": (1, 24),
    "streaming": 2,
    "child": 150,
}


def loaded(name: str = "tiny") -> LoadedModel:
    """A model as the loader gives it."""
    return LoadedModel(
        model=tiny_model("llama"),
        tokenizer=tiny_tokenizer("plain"),
        name=name,
        fingerprint="",
        report=DeviceReport(Device.CPU, "float32", "OpenBLAS", 1),
        context_length=CONTEXT,
        has_chat_template=False,
        folder=Path(),
    )
