"""One branch while it grows: its tokens, their text, and when to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .protocol import BranchFinished, BranchToken, Event, Finish, SamplingParams
from .text import CONTEXT_TOKENS, IncrementalDecoder, encode_continuation


@dataclass(slots=True)
class _Pending:
    """A token whose text is held back, as it may turn out to begin a stop string."""

    token: int
    piece: str
    logprob: float


@dataclass(slots=True)
class Branch:
    """A branch of a request. `path` is its source's token ids, shared among the source's branches.

    `sampled` is what the model drew, in order, and so what was fed back to it. What the branch *says* are the
    events: the same tokens, short of a stop string.
    """

    id: str
    request_id: str
    seed: int
    path: list[int]
    params: SamplingParams
    tokenizer: Any
    eos: frozenset[int]
    room: int
    sampled: list[int] = field(default_factory=list)
    finish: Finish | None = None
    _decoder: IncrementalDecoder = field(init=False)
    _pending: list[_Pending] = field(default_factory=list)

    def __post_init__(self) -> None:
        before = [token for token in self.path[-CONTEXT_TOKENS:] if token >= 0]
        self._decoder = IncrementalDecoder(self.tokenizer, before)

    @property
    def next_token(self) -> int:
        """The token to feed next."""
        return self.sampled[-1] if self.sampled else self.path[-1]

    def context(self) -> Sequence[int]:
        """The last token ids of the path, as many as the repetition penalty looks at."""
        size = self.params.repetition_context_size
        missing = size - len(self.sampled)
        return (self.path[-missing:] if missing > 0 else []) + self.sampled[-size:]

    def take(self, token: int, logprob: float) -> list[Event]:
        """Take the token that was drawn. Returns what it made known."""
        if token in self.eos:
            return self.end(Finish.EOS)
        self.sampled.append(token)
        self._pending.append(_Pending(token, self._decoder.push(token), logprob))
        held = "".join(pending.piece for pending in self._pending)
        at = min((i for i in map(held.find, self.params.stop_strings) if i >= 0), default=-1)
        if at >= 0:
            return self._end_before(at)
        if len(self.sampled) >= min(self.params.max_tokens, self.room):
            return self.end(Finish.LENGTH)
        return self._release(len(held) - _may_begin(held, self.params.stop_strings))

    def end(self, reason: Finish) -> list[Event]:
        """End the branch; what was held back is said."""
        self.finish = reason
        return [*self._say(len(self._pending)), BranchFinished(self.id, reason)]

    def _release(self, characters: int) -> list[Event]:
        """Say the held tokens that end within the first `characters` held characters.

        A token that only begins a character waits for the rest of it: that may be a stop string.
        """
        ready = said = 0
        for index, pending in enumerate(self._pending):
            said += len(pending.piece)
            if said > characters:
                break
            if pending.piece or not self.params.stop_strings:
                ready = index + 1
        return self._say(ready)

    def _say(self, count: int) -> list[Event]:
        """Say the first `count` held tokens."""
        said, self._pending = self._pending[:count], self._pending[count:]
        return [BranchToken(self.id, pending.token, pending.piece, pending.logprob) for pending in said]

    def _end_before(self, at: int) -> list[Event]:
        """End before a stop string that begins at held character `at`.

        Where it begins inside a token, that token's characters before it are encoded by themselves.
        """
        self.finish = Finish.STOP
        events = self._release(at)
        rest = "".join(pending.piece for pending in self._pending)[: at - _length(events)]
        kept = len(self.sampled) - len(self._pending)
        if rest:
            before = [*self.path[-CONTEXT_TOKENS:], *self.sampled[:kept]][-CONTEXT_TOKENS:]
            span = encode_continuation(self.tokenizer, rest, [token for token in before if token >= 0])
            start = 0
            for token, stop in zip(span.tokens, span.ends, strict=True):
                events.append(BranchToken(self.id, token, span.text[start:stop], float("nan")))
                start = stop
        self._pending.clear()
        return [*events, BranchFinished(self.id, Finish.STOP)]


def _length(events: list[Event]) -> int:
    return sum(len(event.text) for event in events if isinstance(event, BranchToken))


def _may_begin(text: str, stops: Sequence[str]) -> int:
    """The length of the longest end of `text` that a stop string begins with."""
    longest = 0
    for stop in stops:
        for length in range(min(len(stop) - 1, len(text)), longest, -1):
            if text.endswith(stop[:length]):
                longest = length
                break
    return longest
