"""From the nodes of a path to its token ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .protocol import Encoded, Segment
from .text import CONTEXT_TOKENS, effective_framing, encode


@dataclass(frozen=True, slots=True)
class Resolved:
    """A path's token ids, how many there are down to each node, and what was encoded for it."""

    path: list[int]
    ends: tuple[int, ...]
    told: list[Encoded]

    def check(self, limit: int | None, vocabulary: int | None, borrowed: int = 0) -> None:
        """See that it can be continued by a model that reads `limit` tokens and knows `vocabulary` token ids. The first
        `borrowed` ids stand for tokens that are not known, and are never fed.

        Raises:
            ValueError: it can't, with advice.
        """
        check_tokens(self.path[borrowed:], vocabulary)
        if not self.path:
            raise ValueError("there is nothing to continue: the prompt is empty. Write something first")
        if limit and len(self.path) >= limit:
            raise ValueError(
                f"the text is {len(self.path)} tokens long and the model reads {limit}: "
                "go on from a node higher up, or trim"
            )


def check_tokens(tokens: Sequence[int], vocabulary: int | None) -> None:
    """See that token ids are a model's own: with any other it would read memory that is not its own.

    Raises:
        ValueError: they aren't.
    """
    if tokens and (min(tokens) < 0 or (vocabulary and max(tokens) >= vocabulary)):
        raise ValueError(
            "there are token ids in the text that are not this model's: edit it to encode it anew"
        )


def resolve(tokenizer: Any, segments: Iterable[Segment]) -> Resolved:
    """The token ids of a path. Texts in it are encoded where they stand."""
    path: list[int] = []
    ends: list[int] = []
    told: list[Encoded] = []
    for segment in segments:
        if segment.tokens is not None:
            path += segment.tokens
        else:
            framing = effective_framing(tokenizer, segment.framing)
            span = encode(tokenizer, segment.text, framing, path[-CONTEXT_TOKENS:], segment.system)
            path += span.tokens
            told.append(Encoded(segment.node_id, tuple(span.tokens), span.text, tuple(span.ends), framing))
        ends.append(len(path))
    return Resolved(path, tuple(ends), told)
