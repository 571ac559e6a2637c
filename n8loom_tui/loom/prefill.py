"""Reading a path into fragments, in chunks, so that branches that stream need not wait for a long one."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import make_prompt_cache

from .fragments import Fragment
from .store import FragmentStore


class Prefill:
    """Computes what is missing of the fragments of `path`, some tokens at a time."""

    def __init__(self, model: Any, store: FragmentStore, path: list[int]) -> None:
        self._model = model
        self._store = store
        self._path = path
        self.start = self.position = store.match_length(path)
        self.total = len(path) - self.start
        """How many tokens were not covered when it began."""
        self._caches: list[Any] | None = None

    @property
    def remaining(self) -> int:
        """How many tokens are still to be read."""
        return len(self._path) - self.position

    @property
    def done(self) -> bool:
        return self.position >= len(self._path)

    def step(self, tokens: int) -> None:
        """Read up to `tokens` more. What has been read is kept when the last is, or at `keep`."""
        if self.done:
            return
        if self._caches is None:
            known = self._store.get(self._path, 0, self.start)
            self._caches = known.caches() if known is not None else make_prompt_cache(self._model)
        chunk = self._path[self.position : self.position + tokens]
        self._model(mx.array([chunk]), cache=self._caches)
        # The logits are never asked for, so MLX never computes the output layer.
        mx.eval([(cache.keys, cache.values) for cache in self._caches])
        self.position += len(chunk)
        if self.remaining == 0:
            self.keep()

    def keep(self) -> None:
        """Put what has been read into the store."""
        if self._caches is None or self.position <= self.start:
            return
        span = slice(self.start, self.position)
        fragment = Fragment.pack(
            [(cache.keys[0, :, span], cache.values[0, :, span]) for cache in self._caches]
        )
        self._store.put(self._path, self.start, fragment)
        self._caches = None
        self.start = self.position
