"""n8loom's generation functions on plain token ids and caches: for scripts that keep no tree."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import KVCache, make_prompt_cache

from .engine import Engine
from .fragments import KVFrag, frag_cache
from .heddle import new_id
from .protocol import BranchResult, Finish, Ramify, SamplingParams, Segment
from .weave import blank_results, final_update, ramify_request, stream_updates


class GeneratedText(str):
    """A generated text, with the token ids that it was decoded from."""

    __slots__ = ("tokens",)
    tokens: list[int]

    def __new__(cls, text: str, tokens: list[int]) -> GeneratedText:
        made = super().__new__(cls, text)
        made.tokens = tokens
        return made


def prompt_to_cache(
    model: Any,
    tokenizer: Any,  # noqa: ARG001 - n8loom's signature
    prompt_ids: Sequence[int],
    c: list[KVCache] | None = None,
    prefill_step_size: int = 512,
    offset: int = 0,
) -> tuple[list[KVCache], int]:
    """Read a prompt into a cache, in steps of `prefill_step_size` tokens.

    Args:
        c: a cache to go on from; it is filled in place. None makes a new one.
        offset: how many tokens at the prompt's end are left unread.

    Returns:
        The cache and how many tokens were read.
    """
    cache = make_prompt_cache(model) if c is None else c
    total = max(len(prompt_ids) - offset, 0)
    for start in range(0, total, prefill_step_size):
        chunk = list(prompt_ids[start : min(start + prefill_step_size, total)])
        model(mx.array([chunk]), cache=cache)
        mx.eval([(layer.keys, layer.values) for layer in cache])
    return cache, total


def _begin(
    model: Any,
    tokenizer: Any,
    prompt: Sequence[int],
    batch_size: int,
    *,
    cache: list[KVCache] | None,
    options: dict[str, Any],
) -> tuple[Engine, Ramify, list[int]]:
    """An engine of its own that holds the cache given, and the request to run on it.

    `prompt` is the whole context, or only its end where the cache holds more tokens than that. The engine
    knows fragments by token ids; for those that it isn't told, negative numbers stand in. They are never fed.
    """
    if not prompt:
        raise ValueError("the prompt has no tokens: there is nothing to continue")
    engine = Engine(model, tokenizer)
    path = list(prompt)
    held = cache[0].offset if cache else 0
    if cache and held:
        if held > len(path):
            engine.borrowed = held - len(path)
            path = [-1 - index for index in range(engine.borrowed)] + path
        engine.borrow(path[:held], frag_cache(cache))
    stops = options.pop("stop_strings", ())
    request = ramify_request(
        [[Segment(new_id(), tuple(path))]], batch_size, SamplingParams(stop_strings=stops, **options)
    )
    return engine, request, path


def _batched_cache(engine: Engine, path: list[int], results: list[BranchResult]) -> list[KVCache]:
    """One cache per layer with a row per branch: the whole context, then what the branch generated.

    The longest may lack their last token, which was never fed; the others are whole, and padded with zeros.
    """
    stop = len(path) + max(0, *(len(result.tokens) - 1 for result in results))
    rows: list[list[KVFrag]] = []
    for result in results:
        whole = [*path, *result.tokens][:stop]
        engine.prefill(whole)
        fragment = engine.store.get(whole, 0, len(whole))
        assert fragment is not None
        rows.append(fragment.frags())
    longest = max(row[0].keys.shape[2] for row in rows)
    caches = []
    for layer in range(len(rows[0])):
        cache = KVCache()
        pads = [[(0, 0), (0, 0), (0, longest - row[layer].keys.shape[2]), (0, 0)] for row in rows]
        cache.keys = mx.concatenate(
            [mx.pad(row[layer].keys, pad) for row, pad in zip(rows, pads, strict=True)]
        )
        cache.values = mx.concatenate(
            [mx.pad(row[layer].values, pad) for row, pad in zip(rows, pads, strict=True)]
        )
        cache.offset = longest
        caches.append(cache)
    return caches


def generate_batched_stream(
    model: Any,
    tokenizer: Any,
    prompt: Sequence[int],
    batch_size: int,
    *,
    prompt_cache: list[KVCache] | None = None,
    verbose: bool = False,
    max_tokens: int = 256,
    temp: float = 0.0,
    prefill_step_size: int = 512,  # noqa: ARG001 - n8loom's signature; the engine chooses its chunks
    min_p: float = 0.0,
    **options: Any,
) -> Generator[dict[str, Any], None, None]:
    """As `generate_batched`, as a stream of dictionaries.

    Yields:
        `"type": "update"` with `tokens`, `decoded_texts` and `ended`, a list per branch, everything so far;
        at last `"type": "final"` with these, `generated_lengths`, `total_prompt_len` and `prompt_cache`.
    """
    options |= {"max_tokens": max_tokens, "temp": temp, "min_p": min_p}
    engine, request, path = _begin(model, tokenizer, prompt, batch_size, cache=prompt_cache, options=options)
    results = blank_results(request)
    yield from stream_updates(engine, request, results)
    final = final_update(request, results) | {"total_prompt_len": len(path)}
    final["prompt_cache"] = _batched_cache(engine, path, list(results.values()))
    if verbose:
        for index, text in enumerate(final["decoded_texts"]):
            print(f"{'=' * 10}\nBranch {index}: {text}")
    yield final


def generate_batched(
    model: Any, tokenizer: Any, prompt: Sequence[int], batch_size: int, **options: Any
) -> tuple[list[GeneratedText], list[KVCache], int, list[int], list[bool]]:
    """Generate `batch_size` continuations of the same token ids in one batch.

    Args:
        prompt: token ids of the whole context; or only of its end, where `prompt_cache` holds more than that.
        options: `prompt_cache` (a cache that holds the beginning of the context or all of it; it is left as
            it is), `max_tokens` (256), `temp` (0: greedy), `top_p`, `min_p`, `top_k`, `min_tokens_to_keep`,
            `repetition_penalty`, `repetition_context_size`, `stop_strings`, `seed`, `verbose`.

    Returns:
        The texts (each with its `tokens`); a cache per layer with a row per branch, the context first; the
        number of tokens in the context; how many tokens each branch has; which of them the model ended by
        itself.
    """
    final: dict[str, Any] = {}
    for final in generate_batched_stream(model, tokenizer, prompt, batch_size, **options):  # noqa: B007
        pass
    texts = [GeneratedText(t, ids) for t, ids in zip(final["decoded_texts"], final["tokens"], strict=True)]
    return texts, final["prompt_cache"], final["total_prompt_len"], final["generated_lengths"], final["ended"]


__all__ = ["Finish", "GeneratedText", "generate_batched", "generate_batched_stream", "prompt_to_cache"]
