"""n8loom's functions on plain token ids and caches: names, arguments, return shapes."""

from __future__ import annotations

import itertools
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.models.cache import KVCache, make_prompt_cache
from support.said import say
from tiny import greedy, scratch_logits, tiny_model, tiny_tokenizer

import n8loom_tui
from n8loom_tui import (
    KVFrag,
    clip_frag,
    frag_batch_gen,
    frag_cache,
    fuse_cache_frags,
    generate_batched,
    generate_batched_stream,
    prompt_to_cache,
)
from n8loom_tui.loom.draws import Draw
from n8loom_tui.loom.text import decode

MODEL = tiny_model("llama")
LAYERS, HEADS, DIM = 2, 2, 16
TOKENIZER = tiny_tokenizer("plain")
PROMPT = list(TOKENIZER.encode("the abc in the end"))


def contents(cache: list[KVCache]) -> list[tuple[Any, ...]]:
    return [
        (
            layer.offset,
            np.array(layer.keys[:, :, : layer.offset]),
            np.array(layer.values[:, :, : layer.offset]),
        )
        for layer in cache
    ]


def assert_same(a: list[tuple[Any, ...]], b: list[tuple[Any, ...]]) -> None:
    for (offset, keys, values), (other, other_keys, other_values) in zip(a, b, strict=True):
        assert offset == other
        np.testing.assert_array_equal(keys, other_keys)
        np.testing.assert_array_equal(values, other_values)


def assert_exact(frags: list[KVFrag], tokens: list[int], start: int) -> None:
    """Fragments are what a fresh run leaves for `tokens[start:]`."""
    fresh = make_prompt_cache(MODEL)
    MODEL(mx.array([tokens]), cache=fresh)
    for frag, layer in zip(frags, fresh, strict=True):
        np.testing.assert_allclose(frag.keys, layer.keys[:, :, start : len(tokens)], atol=1e-3)
        np.testing.assert_allclose(frag.values, layer.values[:, :, start : len(tokens)], atol=1e-3)


def test_the_public_names() -> None:
    documented = {
        "Heddle",
        "KVFrag",
        "Loom",
        "clip_frag",
        "frag_batch_gen",
        "frag_cache",
        "fuse_cache_frags",
        "generate_batched",
        "generate_batched_stream",
        "load",
        "prompt_to_cache",
    }
    assert documented <= set(n8loom_tui.__all__)


@pytest.mark.parametrize("step", [1, 3, 512])
def test_prompt_to_cache(step: int) -> None:
    cache, length = prompt_to_cache(MODEL, TOKENIZER, PROMPT, prefill_step_size=step)
    assert length == len(PROMPT)
    assert [layer.offset for layer in cache] == [len(PROMPT)] * LAYERS
    got = MODEL(mx.array([[7]]), cache=cache)[0, -1]
    np.testing.assert_allclose(got, scratch_logits(MODEL, [*PROMPT, 7])[-1], atol=1e-3)


def test_prompt_to_cache_goes_on_from_a_cache_and_may_leave_tokens_unread() -> None:
    cache, length = prompt_to_cache(MODEL, TOKENIZER, PROMPT[:4])
    again, more = prompt_to_cache(MODEL, TOKENIZER, PROMPT[4:], c=cache, offset=1)
    assert again is cache
    assert (length, more) == (4, len(PROMPT) - 5)
    got = MODEL(mx.array([PROMPT[-1:]]), cache=cache)[0, -1]
    np.testing.assert_allclose(got, scratch_logits(MODEL, PROMPT)[-1], atol=1e-3)


def test_frag_cache_cuts_the_span_asked_for() -> None:
    cache, _ = prompt_to_cache(MODEL, TOKENIZER, PROMPT)
    before = contents(cache)
    whole = frag_cache(cache)
    assert len(whole) == LAYERS
    assert isinstance(whole[0], KVFrag)
    assert whole[0].keys.shape == (1, HEADS, len(PROMPT), DIM)
    for start, stop, length in (
        (0, -1, len(PROMPT)),
        (2, 5, 3),
        (2, -2, len(PROMPT) - 3),
        (3, 999, len(PROMPT) - 3),
    ):
        frags = frag_cache(cache, start, stop)
        assert frags[1].values.shape[2] == length
        assert_exact(frags, PROMPT[: start + length], start)
    assert_same(before, contents(cache))


def test_frag_cache_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        frag_cache(make_prompt_cache(MODEL))


def test_clip_frag_and_fuse_cache_frags() -> None:
    cache, _ = prompt_to_cache(MODEL, TOKENIZER, PROMPT)
    whole = frag_cache(cache)
    clipped = clip_frag(whole, 4)
    assert [frag.keys.shape[2] for frag in clipped] == [4, 4]
    assert whole[0].keys.shape[2] == len(PROMPT)
    assert clip_frag(whole, 999)[0].keys.shape[2] == len(PROMPT)
    fused = fuse_cache_frags([[a, b] for a, b in zip(clipped, frag_cache(cache, 4), strict=True)])
    assert [layer.offset for layer in fused] == [len(PROMPT)] * LAYERS
    assert_same(contents(fused), contents(cache))
    got = MODEL(mx.array([[7]]), cache=fused)[0, -1]
    np.testing.assert_allclose(got, scratch_logits(MODEL, [*PROMPT, 7])[-1], atol=1e-3)


def test_a_fused_cache_can_be_trimmed_and_written_without_touching_its_fragments() -> None:
    frags = frag_cache(prompt_to_cache(MODEL, TOKENIZER, PROMPT)[0])
    kept = [np.array(frag.keys) for frag in frags]
    fused = fuse_cache_frags([[frag] for frag in frags])
    for layer in fused:
        layer.trim(3)
    MODEL(mx.array([[7, 8]]), cache=fused)
    mx.eval([layer.keys for layer in fused])
    for frag, before in zip(frags, kept, strict=True):
        np.testing.assert_array_equal(frag.keys, before)


def test_generate_batched_returns_what_is_documented() -> None:
    texts, cache, total, lengths, ended = generate_batched(MODEL, TOKENIZER, PROMPT, 3, max_tokens=6)
    assert total == len(PROMPT)
    assert lengths == [6, 6, 6]
    assert ended == [False] * 3
    wanted = greedy(MODEL, PROMPT, 6)
    assert [text.tokens for text in texts] == [wanted] * 3
    whole = decode(TOKENIZER, PROMPT + wanted).removeprefix(decode(TOKENIZER, PROMPT))
    assert texts[0].rstrip("\ufffd") == whole.rstrip("\ufffd")  # half a character at the end is not said
    assert [layer.keys.shape[0] for layer in cache] == [3, 3]
    frags = frag_batch_gen(cache, total, lengths)
    assert len(frags) == 3
    for branch in frags:
        assert branch[0].keys.shape == (1, HEADS, 5, DIM)
        assert_exact(branch, PROMPT + wanted[:5], len(PROMPT))


def test_fragments_of_branches_that_end_at_different_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the end of text, by a stop string inside a token, by the length: all are exact, none is padded."""
    eos = TOKENIZER.eos_token_id
    the = TOKENIZER.encode(" the", add_special_tokens=False)[0]
    plans = [[70, eos], [71, 72, 73, the], [80, 81, 82, 83, 84, 85], [90, 91, 92, the, 93, 94], [eos]]
    rows = itertools.cycle(range(len(plans)))

    def token(draw: Draw) -> int:
        row = next(row for row in rows if len(plans[row]) > draw.step)
        return plans[row][draw.step]

    say(monkeypatch, token)
    for order in ([0, 1, 2, 3, 4], [4], [1], [3], [0, 1]):
        rows = itertools.cycle(order)
        texts, cache, total, lengths, ended = generate_batched(
            MODEL, TOKENIZER, PROMPT, len(order), max_tokens=6, stop_strings=["he"]
        )
        assert ended == [plans[row][-1] == eos for row in order]
        assert lengths == [len(text.tokens) for text in texts]
        frags = frag_batch_gen(cache, total, lengths)
        for text, length, branch in zip(texts, lengths, frags, strict=True):
            covered = branch[0].keys.shape[2]
            assert length - 1 <= covered <= length
            assert_exact(branch, PROMPT + text.tokens[:covered], len(PROMPT))


@pytest.mark.parametrize("held", [1, 5, len(PROMPT) - 1, len(PROMPT)])
def test_a_prompt_cache_is_used_and_left_as_it_is(held: int) -> None:
    cache, _ = prompt_to_cache(MODEL, TOKENIZER, PROMPT[:held])
    before = contents(cache)
    texts, _, total, _, _ = generate_batched(MODEL, TOKENIZER, PROMPT, 2, prompt_cache=cache, max_tokens=5)
    assert total == len(PROMPT)
    assert [text.tokens for text in texts] == [greedy(MODEL, PROMPT, 5)] * 2
    assert_same(before, contents(cache))
    assert [layer.offset for layer in cache] == [held] * LAYERS


@pytest.mark.parametrize("end", [1, 3])
def test_only_the_end_of_the_context_may_be_given(end: int) -> None:
    cache, _ = prompt_to_cache(MODEL, TOKENIZER, PROMPT)
    texts, grown, total, lengths, _ = generate_batched(
        MODEL, TOKENIZER, PROMPT[-end:], 2, prompt_cache=cache, max_tokens=5
    )
    wanted = greedy(MODEL, PROMPT, 5)
    assert total == len(PROMPT)
    assert [text.tokens for text in texts] == [wanted] * 2
    for branch in frag_batch_gen(grown, total, lengths):
        assert_exact(branch, PROMPT + wanted[:4], len(PROMPT))


def test_the_stream_tells_everything_so_far_and_then_the_end() -> None:
    stream = list(generate_batched_stream(MODEL, TOKENIZER, PROMPT, 2, max_tokens=4))
    *updates, final = stream
    wanted = greedy(MODEL, PROMPT, 4)
    assert [update["tokens"] for update in updates] == [[wanted[:k]] * 2 for k in range(1, 5)]
    for update in updates:
        assert set(update) == {"type", "tokens", "decoded_texts", "ended"}
        assert update["type"] == "update"
        assert len(update["decoded_texts"]) == len(update["ended"]) == 2
    assert set(final) == {
        "type", "tokens", "decoded_texts", "ended", "generated_lengths", "total_prompt_len", "prompt_cache"
    }  # fmt: skip
    assert final["type"] == "final"
    assert final["tokens"] == [wanted] * 2
    assert final["generated_lengths"] == [4, 4]
    assert final["total_prompt_len"] == len(PROMPT)
    assert final["decoded_texts"] == updates[-1]["decoded_texts"]


def test_a_seed_repeats_and_the_options_arrive() -> None:
    options = {"max_tokens": 8, "temp": 1.0, "top_k": 50, "repetition_penalty": 1.2, "seed": 5}
    first, *_ = generate_batched(MODEL, TOKENIZER, PROMPT, 3, **options)
    second, *_ = generate_batched(MODEL, TOKENIZER, PROMPT, 3, **options)
    assert [text.tokens for text in first] == [text.tokens for text in second]
    assert first[0] != first[1]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="no tokens"):
        generate_batched(MODEL, TOKENIZER, [], 2)
    with pytest.raises(ValueError, match="n must be at least 1"):
        generate_batched(MODEL, TOKENIZER, PROMPT, 0)
    with pytest.raises(ValueError, match="temp must lie"):
        generate_batched(MODEL, TOKENIZER, PROMPT, 2, temp=-1)


def test_verbose_prints_the_texts(capsys: pytest.CaptureFixture[str]) -> None:
    texts, *_ = generate_batched(MODEL, TOKENIZER, PROMPT, 2, max_tokens=3, verbose=True)
    assert texts[1] in capsys.readouterr().out


def test_a_cache_whose_tokens_nobody_knows_is_not_dropped_for_want_of_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache, _ = prompt_to_cache(MODEL, TOKENIZER, PROMPT)
    wanted, *_ = generate_batched(MODEL, TOKENIZER, PROMPT[-1:], 3, prompt_cache=cache, max_tokens=8)
    monkeypatch.setattr("n8loom_tui.loom.engine.default_budget", lambda: 1)
    texts, caches, *_ = generate_batched(MODEL, TOKENIZER, PROMPT[-1:], 3, prompt_cache=cache, max_tokens=8)
    assert [text.tokens for text in texts] == [text.tokens for text in wanted]
    assert texts[0].tokens == greedy(MODEL, PROMPT, 8)
    assert caches[0].offset == len(PROMPT) + 7
