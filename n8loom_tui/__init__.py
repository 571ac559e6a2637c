"""n8loom-tui: explore what a language model could say, as a live tree.

The public API, by n8loom's names. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from n8loom_tui.loom.fragments import KVFrag, clip_frag, frag_batch_gen, frag_cache, fuse_cache_frags
    from n8loom_tui.loom.generate import generate_batched, generate_batched_stream, prompt_to_cache
    from n8loom_tui.loom.heddle import Heddle, Loom
    from n8loom_tui.loom.protocol import Alternative
    from n8loom_tui.loom.until import (
        EntropyAbove,
        Fork,
        ParagraphEnd,
        SentenceEnd,
        TextSaid,
        TopProbabilityBelow,
    )
    from n8loom_tui.models.load import load

_HOMES = {
    "Alternative": "n8loom_tui.loom.protocol",
    "EntropyAbove": "n8loom_tui.loom.until",
    "Fork": "n8loom_tui.loom.until",
    "Heddle": "n8loom_tui.loom.heddle",
    "KVFrag": "n8loom_tui.loom.fragments",
    "Loom": "n8loom_tui.loom.heddle",
    "ParagraphEnd": "n8loom_tui.loom.until",
    "SentenceEnd": "n8loom_tui.loom.until",
    "TextSaid": "n8loom_tui.loom.until",
    "TopProbabilityBelow": "n8loom_tui.loom.until",
    "clip_frag": "n8loom_tui.loom.fragments",
    "frag_batch_gen": "n8loom_tui.loom.fragments",
    "frag_cache": "n8loom_tui.loom.fragments",
    "fuse_cache_frags": "n8loom_tui.loom.fragments",
    "generate_batched": "n8loom_tui.loom.generate",
    "generate_batched_stream": "n8loom_tui.loom.generate",
    "load": "n8loom_tui.models.load",
    "prompt_to_cache": "n8loom_tui.loom.generate",
}

_PLAIN = ("heddle", "protocol", "until")
"""Modules of the loom that bring no MLX."""

__all__ = [
    "Alternative",
    "EntropyAbove",
    "Fork",
    "Heddle",
    "KVFrag",
    "Loom",
    "ParagraphEnd",
    "SentenceEnd",
    "TextSaid",
    "TopProbabilityBelow",
    "clip_frag",
    "frag_batch_gen",
    "frag_cache",
    "fuse_cache_frags",
    "generate_batched",
    "generate_batched_stream",
    "load",
    "prompt_to_cache",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if home.startswith("n8loom_tui.loom.") and home.rpartition(".")[2] not in _PLAIN:
        _place_blas()
    return getattr(import_module(home), name)


def _place_blas() -> None:
    """On Linux a fast BLAS must be in place before MLX is first imported."""
    from n8loom_tui.models.blas import prepare_device

    prepare_device()
