"""What MLX keeps for a whole process or a thread of it, beside what an engine holds."""

from __future__ import annotations

import mlx.core as mx

CACHE_LIMIT = 1 << 28
"""How many bytes of freed memory MLX keeps at most, where one program has the process to itself."""


def limit_cache(budget: int) -> None:
    """Bound the freed memory that MLX keeps for later, beside a budget for fragments."""
    mx.set_cache_limit(min(CACHE_LIMIT, budget // 4))


def clear_streams() -> None:
    """Let go of this thread's MLX streams. A thread that ends without it aborts the process."""
    mx.synchronize()
    mx.clear_cache()
    mx.clear_streams()
