"""Reading fragments and caches of any path, outside of any batch: what is missing of them is computed first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlx_lm.models.cache import make_prompt_cache

from . import kernels
from .fragments import Fragment, KVFrag
from .prefill import Prefill
from .store import FragmentStore

CHUNK = 64
"""How many tokens of a path are read between two steps while branches stream, or before a stop is heard."""
CHUNK_GPU = 512


class Reader:
    """The fragments of one model."""

    def __init__(self, model: Any, store: FragmentStore) -> None:
        self.model = model
        self.store = store
        self.layers = len(make_prompt_cache(model))
        self.chunk = CHUNK if kernels.on_cpu() else CHUNK_GPU

    def prefill(self, path: Sequence[int]) -> None:
        """Compute what is missing of a path's fragments, now."""
        prefill = Prefill(self.model, self.store, list(path))
        while not prefill.done:
            prefill.step(max(self.chunk, 256))

    def _covered(self, path: Sequence[int], start: int) -> Fragment | None:
        self.store.hold()
        try:
            self.prefill(path)
            return self.store.get(path, start, len(path))
        finally:
            self.store.release()

    def fragments(self, before: Sequence[int], tokens: Sequence[int]) -> list[KVFrag]:
        """The fragments of `tokens` behind `before`, completed first: one `KVFrag` per layer.

        Raises:
            ValueError: there is no token at all to read.
        """
        path = [*before, *tokens]
        if not path:
            raise ValueError("a heddle without any token has no fragments")
        start = len(before) if tokens else len(path) - 1
        fragment = self._covered(path, start)
        assert fragment is not None
        frags = fragment.frags()
        return frags if tokens else [KVFrag(frag.keys[:, :, :0], frag.values[:, :, :0]) for frag in frags]

    def prefix_cache(self, path: Sequence[int]) -> list[Any]:
        """mlx-lm caches that hold the whole path."""
        fragment = self._covered(path, 0)
        if fragment is None:
            raise ValueError("a path without any token has no cache")
        return fragment.caches()

    def adopt(self, before: Sequence[int], tokens: Sequence[int], frags: list[KVFrag]) -> None:
        """Keep fragments that somebody computed for `tokens` behind `before`. They may be short.

        Raises:
            ValueError: they do not fit the model's layers or cover more than the tokens.
        """
        if len(frags) != self.layers:
            raise ValueError(f"{len(frags)} fragments do not fit a model of {self.layers} layers")
        if frags[0].keys.shape[2] > len(tokens):
            raise ValueError(f"fragments of {frags[0].keys.shape[2]} tokens for a node of {len(tokens)}")
        if before:
            self.prefill(before)
        if frags[0].keys.shape[2]:
            self.store.put([*before, *tokens], len(before), Fragment.of(frags))
