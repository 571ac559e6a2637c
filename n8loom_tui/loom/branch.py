"""One branch while it grows: its tokens, their text, and when to end."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .conditions import Watch
from .draws import Choice, Draw
from .protocol import (
    Alternative,
    BranchFinished,
    BranchToken,
    Event,
    Finish,
    GivenToken,
    SamplingParams,
)
from .text import CONTEXT_TOKENS, IncrementalDecoder, encode_continuation


@dataclass(slots=True)
class Branch:
    """A branch of a request. `path` is what it goes on from: its source's token ids, and those it is given.

    `sampled` is what the model drew, in order, and so what was fed back to it. What the branch *says* are the
    events: the tokens given and the same tokens, short of a stop string. `room`: how many these may be at most.
    """

    id: str
    request_id: str
    seed: int
    path: list[int]
    params: SamplingParams
    tokenizer: Any
    eos: frozenset[int]
    room: int
    given: tuple[GivenToken, ...] = ()
    sampled: list[int] = field(default_factory=list)
    finish: Finish | None = None
    _taken: int = 0
    _decoder: IncrementalDecoder = field(init=False)
    _watch: Watch | None = field(init=False)
    _recent: array[int] | None = field(init=False)
    """What the repetition penalty acts on is at its end, in one piece: numbers here and there take long to gather."""
    _pending: list[BranchToken] = field(default_factory=list)
    """Tokens that are held back, as their text may turn out to begin a stop string."""

    def __post_init__(self) -> None:
        before = self.path[: len(self.path) - len(self.given)][-CONTEXT_TOKENS:]
        self._decoder = IncrementalDecoder(self.tokenizer, [token for token in before if token >= 0])
        self._watch = Watch(self.params.until) if self.params.until else None
        size = self.params.repetition_context_size
        penalised = size > 0 and self.params.repetition_penalty != 1.0
        self._recent = array("q", self.path[-size:]) if penalised else None

    @property
    def next_token(self) -> int:
        """The token to feed next."""
        return self.sampled[-1] if self.sampled else self.path[-1]

    @property
    def reach(self) -> int:
        """How many more tokens it may be fed at most."""
        return max(0, min(self.params.max_tokens, self.room) - self._taken)

    def draw(self) -> Draw:
        """The token that it draws next."""
        return Draw(self.params, self.seed, len(self.sampled), self._context())

    def _context(self) -> Sequence[int]:
        """The last token ids of the path, as many as the repetition penalty looks at."""
        return self._recent[-self.params.repetition_context_size :] if self._recent is not None else ()

    def begin(self) -> list[Event]:
        """Say what the branch is given. It may end with that."""
        events: list[Event] = []
        for known in self.given:
            if self.finish is None:
                events += self._take(known.token, known.logprob, known.alternatives, known.entropy)
        return events

    def take(self, choice: Choice) -> list[Event]:
        """Take the token that was drawn. Returns what it made known."""
        if self._watch is not None and self._watch.before(choice.alternatives, choice.entropy):
            return self._end_on(choice)
        alternatives = choice.alternatives[: self.params.top_logprobs]
        return self._take(choice.token, choice.logprob, alternatives, choice.entropy, drawn=choice)

    def _take(
        self,
        token: int,
        logprob: float,
        alternatives: tuple[Alternative, ...],
        entropy: float,
        drawn: Choice | None = None,
    ) -> list[Event]:
        if token in self.eos:
            return self.end(Finish.EOS)
        piece = self._decoder.push(token)
        if drawn is not None:
            if self._watch is not None and self._watch.between(piece):
                return self._end_on(drawn)
            self.sampled.append(token)
            if self._recent is not None:
                self._recent.append(token)
        self._taken += 1
        self._pending.append(BranchToken(self.id, token, piece, logprob, alternatives, entropy))
        stops = self.params.stop_strings
        held = "".join([pending.text for pending in self._pending]) if stops else ""
        near = [stop for stop in stops if stop[0] in held]
        at = min((i for i in map(held.find, near) if i >= 0), default=-1) if near else -1
        if at >= 0:
            return self._end_before(at)
        if self._watch is not None and self._watch.after(piece):
            return self.end(Finish.CONDITION)
        if self._taken >= min(self.params.max_tokens, self.room):
            return self.end(Finish.LENGTH)
        return self._release(len(held) - _may_begin(held, near)) if stops else self._say(len(self._pending))

    def end(self, reason: Finish) -> list[Event]:
        """End the branch; what was held back is said."""
        self.finish = reason
        return [*self._say(len(self._pending)), BranchFinished(self.id, reason)]

    def _end_on(self, choice: Choice) -> list[Event]:
        """End the branch by a condition, before the token that was drawn, and tell what could stand there."""
        self.finish = Finish.CONDITION
        finished = BranchFinished(self.id, Finish.CONDITION, choice.alternatives, choice.entropy)
        return [*self._say(len(self._pending)), finished]

    def _release(self, characters: int) -> list[Event]:
        """Say the held tokens that end within the first `characters` held characters.

        A token that only begins a character waits for the rest of it: that may be a stop string.
        """
        ready = said = 0
        for index, pending in enumerate(self._pending):
            said += len(pending.text)
            if said > characters:
                break
            if pending.text:
                ready = index + 1
        return self._say(ready)

    def _say(self, count: int) -> list[Event]:
        """Say the first `count` held tokens."""
        said, self._pending = self._pending[:count], self._pending[count:]
        return list(said)

    def _end_before(self, at: int) -> list[Event]:
        """End before a stop string that begins at held character `at`.

        Where it begins inside a token, that token's characters before it are encoded by themselves.
        """
        self.finish = Finish.STOP
        events = self._release(at)
        rest = "".join(pending.text for pending in self._pending)[: at - _length(events)]
        if rest:
            kept = len(self.path) - len(self.given) + self._taken - len(self._pending)
            before = [*self.path, *self.sampled][max(kept - CONTEXT_TOKENS, 0) : kept]
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
