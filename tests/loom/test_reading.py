"""Fragments and caches of any path: only of the model's own tokens, and nothing is left behind by a failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.faults import intercept
from tiny import build_model, tiny_tokenizer

from n8loom_tui.loom.engine import Engine, engine_for
from n8loom_tui.loom.fragments import KVFrag
from n8loom_tui.loom.heddle import Heddle, Loom

TOKENIZER = tiny_tokenizer("plain")
PATH = list(TOKENIZER.encode("the abc in the end"))
FOREIGN = [384, 500_000, -1]

READS: dict[str, Callable[[Engine, list[int]], Any]] = {
    "fragments": lambda engine, path: engine.fragments(path[:-1], path[-1:]),
    "prefix_cache": lambda engine, path: engine.prefix_cache(path),
    "prefill": lambda engine, path: engine.prefill(path),
    "adopt below": lambda engine, path: engine.adopt(path, [1], engine.fragments([], [1])),
}


@pytest.mark.parametrize("token", FOREIGN)
@pytest.mark.parametrize("read", READS)
def test_token_ids_that_the_model_does_not_have_are_not_read(read: str, token: int) -> None:
    engine = Engine(build_model("llama"), TOKENIZER)
    with pytest.raises(ValueError, match="not this model's"):
        READS[read](engine, [*PATH, token])
    assert engine.store.match_length([*PATH, token]) <= len(PATH)
    assert engine.store.reserved == 0


def test_a_node_has_no_fragments_of_token_ids_that_the_model_does_not_have() -> None:
    root = Loom(build_model("llama"), TOKENIZER, "the abc")
    frags: list[KVFrag] = root.ramify(n=1, max_tokens=3, seed=1)[0].frag
    for token in (384, 500_000):
        kid = Heddle(root.model, TOKENIZER, [token, 5, 6], None, None, root)
        with pytest.raises(ValueError, match="not this model's"):
            kid.frag  # noqa: B018 - reading it computes it
        with pytest.raises(ValueError, match="not this model's"):
            kid.get_prefix_cache()
        with pytest.raises(ValueError, match="not this model's"):
            kid.frag = frags
    assert engine_for(root.model, TOKENIZER).store.reserved == 0


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_a_reading_that_breaks_leaves_nothing_behind(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(build_model("llama"), TOKENIZER)
    path = PATH * 40
    calls = iter(range(9))

    def before(tokens: list[int]) -> None:
        if len(tokens) > 1 and next(calls) == 1:
            raise error

    with monkeypatch.context() as patch:
        intercept(patch, engine.model, before)
        with pytest.raises(error):
            engine.prefix_cache(path)
    assert engine.store.reserved == 0
    assert not engine.store.pins
    engine.prefill(path)
    assert engine.store.match_length(path) == len(path)
