"""Texts to measure with: random token ids out of the model's vocabulary, the same for the same seed."""

from __future__ import annotations

import random
from typing import Any

import mlx.core as mx


class EndlessTokenizer:
    """A tokenizer that knows no end of text, so that no branch ends before its time. Else it is the one inside."""

    eos_token_id: None = None
    eos_token_ids: frozenset[int] = frozenset()

    def __init__(self, tokenizer: Any) -> None:
        self._inside = tokenizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inside, name)


def vocabulary(model: Any, tokenizer: Any) -> list[int]:
    """Token ids that the tokenizer has a text for and the model an embedding, without the special ones."""
    size = int(model(mx.array([[0]])).shape[-1])  # the shape alone: nothing is computed
    special = set(getattr(tokenizer, "all_special_ids", ()))
    return sorted({token for token in tokenizer.get_vocab().values() if token < size} - special)


class Prompts:
    """Random paths. The same name and length give the same path; other names one that shares nothing with it."""

    def __init__(self, tokens: list[int], seed: int) -> None:
        """`tokens`: what they are drawn from."""
        self._tokens = tokens
        self._seed = seed

    def path(self, name: str, length: int) -> tuple[int, ...]:
        """A path of `length` token ids."""
        return tuple(random.Random(f"{self._seed}/{name}/{length}").choices(self._tokens, k=length))
