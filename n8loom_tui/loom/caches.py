"""The caches that a model is given while it reads paths.

`PathCache` holds one path, `PathsCache` several that share their beginning. Both keep the keys and values of
every token, also where a layer has a sliding window: what lies outside the window is left away when the layer
asks, so that any span can be cut out afterwards.
"""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx_lm.models.base import create_causal_mask
from mlx_lm.models.cache import KVCache

Pair = tuple[mx.array, mx.array]


def _grown(array: mx.array | None, like: mx.array, used: int, capacity: int) -> mx.array:
    """Room for `capacity` tokens, with the first `used` of `array` in it."""
    rows, heads, _, dim = like.shape
    if array is None or used == 0:
        return mx.zeros((rows, heads, capacity, dim), like.dtype)
    room = mx.zeros((rows, heads, capacity - used, dim), like.dtype)
    return mx.concatenate([array[:, :, :used], room], axis=2)


class PathCache(KVCache):  # type: ignore[misc]
    """One layer's keys and values of one path, `[1, kv_heads, tokens, dim]`.

    With a window it gives what mlx-lm's `RotatingKVCache` gives, but forgets nothing.
    """

    def __init__(self, known: Pair | None = None, window: int | None = None, capacity: int = 0) -> None:
        """`known`: the path's beginning, `[kv_heads, tokens, dim]`. `capacity`: how many tokens it will take."""
        super().__init__()
        self.window = window
        self.capacity = capacity
        self._first = 0
        if known is not None:
            self.keys, self.values = known[0][None], known[1][None]
            self.offset = known[0].shape[1]

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> Pair:
        """Take the next tokens' keys and values. Gives back those that the layer may see."""
        start, stop = self.offset, self.offset + keys.shape[2]
        if self.keys is None or stop > self.keys.shape[2]:
            capacity = max(self.capacity, -(-stop // self.step) * self.step if self.capacity < stop else 0)
            self.keys = _grown(self.keys, keys, start, capacity)
            self.values = _grown(self.values, values, start, capacity)
        self.keys[:, :, start:stop] = keys
        self.values[:, :, start:stop] = values
        self._first = self._seen_from(start)
        self.offset = stop
        return self.keys_and_values()

    def _seen_from(self, position: int) -> int:
        """The first token that one at `position` sees."""
        return 0 if self.window is None else max(0, position - self.window + 1)

    def keys_and_values(self) -> Pair:
        """What the last update gave."""
        seen = slice(self._first, self.offset)
        return self.keys[:, :, seen], self.values[:, :, seen]

    def make_mask(self, N: int, return_array: bool = False, window_size: int | None = None) -> Any:
        """The mask of the next N tokens over what `update_and_fetch` will give."""
        if self.window is None:
            return super().make_mask(N, return_array=return_array, window_size=window_size)
        window = min(window_size or self.window, self.window)
        before = self.offset - self._seen_from(self.offset)
        if before + N <= window and not return_array:
            return None if N == 1 else "causal"
        if N == 1 and window == self.window:
            return None
        return create_causal_mask(N, before, window_size=window)


class PathsCache:
    """One layer's keys and values of several paths that are read together, one row per path.

    The rows' common beginning is held once. What a row has beyond it stands in columns that end together: row
    r's begin at column `starts[r]`, so all rows' next tokens share a column.
    """

    def __init__(self, common: Pair | None, own: Pair | None, starts: list[int], window: int | None) -> None:
        """`common` is `[kv_heads, tokens, dim]`, `own` `[rows, kv_heads, columns, dim]`; None for nothing."""
        self.common = common
        self.keys: Any = own[0] if own is not None else None
        self.values: Any = own[1] if own is not None else None
        self.starts = starts
        self.window = window
        self.length = common[0].shape[1] if common is not None else 0
        self.column = own[0].shape[2] if own is not None else 0
        self._first = 0

    @property
    def _ragged(self) -> bool:
        return any(self.starts)

    @property
    def offset(self) -> Any:
        """The position of the rows' next token; `[rows]` where it differs between them."""
        if not self._ragged:
            return self.length + self.column
        return mx.array([self.length + self.column - start for start in self.starts])

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> Pair:
        """Take the rows' next keys and values, `[rows, kv_heads, tokens, dim]`."""
        first = self._seen_from()
        if self.keys is None:
            self.keys, self.values = keys, values
        else:
            self.keys = mx.concatenate([self.keys, keys], axis=2)
            self.values = mx.concatenate([self.values, values], axis=2)
        self.column += keys.shape[2]
        self._first = first
        return self.keys_and_values()

    def _seen_from(self) -> int:
        """The first position of the common part that the next token of any row sees."""
        if self.window is None:
            return 0
        nearest = self.length + self.column - max(self.starts)
        return min(self.length, max(0, nearest - self.window + 1))

    def keys_and_values(self) -> Pair:
        """What the last update gave: the common part for every row, and its own behind it."""
        if self.common is None or self._first == self.length:
            return self.keys, self.values
        parts = []
        for common, own in zip(self.common, (self.keys, self.values), strict=True):
            seen = common[:, self._first :]
            parts.append(mx.concatenate([mx.broadcast_to(seen, (own.shape[0], *seen.shape)), own], axis=2))
        return parts[0], parts[1]

    def make_mask(self, N: int, return_array: bool = False, window_size: int | None = None) -> Any:
        """The mask of the next N tokens over what `update_and_fetch` will give."""
        window = window_size if self.window is None else min(window_size or self.window, self.window)
        first = self._seen_from()
        if not self._ragged and (window is None or self.length + self.column + N <= window):
            if not return_array or N == 1:
                return None if N == 1 else "causal"
            return create_causal_mask(N, self.length - first + self.column)
        if not self._ragged:
            return create_causal_mask(N, self.length - first + self.column, window_size=window)
        return self._ragged_mask(N, first, window)

    def _ragged_mask(self, N: int, first: int, window: int | None) -> mx.array:
        """`[rows, 1, N, columns]`: positions are counted along each row's own path."""
        starts = mx.array(self.starts)[:, None, None]
        queries = self.column + mx.arange(N)[None, :, None]
        own = mx.arange(self.column + N)[None, None]
        visible = (own >= starts) & (own <= queries)
        before = mx.arange(first, self.length)[None, None]
        positions = self.length + queries - starts
        seen = before <= positions
        if window is not None:
            visible = visible & (queries - own < window)
            seen = positions - before < window
        return mx.concatenate([seen, visible], axis=2)[:, None]

    def keep(self, rows: list[int]) -> None:
        """Go on with these rows alone."""
        index = mx.array(rows)
        self.starts = [self.starts[row] for row in rows]
        if self.keys is not None:
            self.keys, self.values = self.keys[index], self.values[index]

    @property
    def state(self) -> tuple[mx.array | None, mx.array | None]:
        return self.keys, self.values

    def empty(self) -> bool:
        """Whether no token has been read."""
        return self.length + self.column == 0

    def size(self) -> int:
        """How many tokens a row has at most."""
        return self.length + self.column
