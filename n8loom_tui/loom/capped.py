"""Attention with capped scores for gemma2, the one architecture that computes it by itself.

Its scores are `cap · tanh(score / cap)` (Gemma 2, arXiv:2408.00118, section 2), which mlx-lm's attention function
does not know.
"""

from __future__ import annotations

import functools
from typing import Any

import mlx.core as mx

from .attention import BranchCache, Sliding, attend

MODULE = "mlx_lm.models.gemma2"


def install(module: Any) -> bool:
    """Let the attention of this module serve batches. Returns whether it is one that this is for."""
    if module.__name__ != MODULE:
        return False
    kind = module.Attention
    original = kind.__call__
    if hasattr(original, "for_branches"):
        return True

    @functools.wraps(original)
    def call(self: Any, x: mx.array, mask: Any = None, cache: Any = None) -> mx.array:
        if not isinstance(cache, BranchCache) or not cache.batch.shared:
            return original(self, x, mask, cache)  # type: ignore[no-any-return]
        return _attended(self, x, mask, cache)

    call.for_branches = True  # type: ignore[attr-defined]
    kind.__call__ = call
    return True


def _attended(attention: Any, x: mx.array, mask: Any, cache: BranchCache) -> mx.array:
    rows = x.shape[0]

    def heads(projected: mx.array, count: int) -> mx.array:
        return projected.reshape(rows, 1, count, -1).transpose(0, 2, 1, 3)

    queries = attention.rope(heads(attention.q_proj(x), attention.n_heads), offset=cache.offset)
    keys = attention.rope(heads(attention.k_proj(x), attention.n_kv_heads), offset=cache.offset)
    values = heads(attention.v_proj(x), attention.n_kv_heads)
    keys, values = cache.update_and_fetch(keys, values)
    window = mask.window if isinstance(mask, Sliding) else None
    cap = float(attention.attn_logit_softcapping)
    out = attend(queries, keys, values, cache, attention.scale, window=window, cap=cap)
    projected: mx.array = attention.o_proj(out.transpose(0, 2, 1, 3).reshape(rows, 1, -1))
    return projected
