"""A backend without a model: branches say words from a list, one token a step. For the UI's corner cases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from n8loom_tui.loom.protocol import (
    Alternative,
    BranchFinished,
    BranchToken,
    Encode,
    Encoded,
    EngineStats,
    Event,
    Finish,
    Ramify,
    Request,
    RequestFailed,
    RequestFinished,
    RequestStarted,
    Score,
    Scored,
    Spell,
    Spelled,
    Stop,
    Survey,
    Surveyed,
    Weigh,
    Weighed,
)
from n8loom_tui.models.errors import ModelError
from n8loom_tui.models.progress import Progress, Stage
from n8loom_tui.tui.backend import ModelInfo

WORDS = (" the", " flood", " came", " and", " went")


TORN_AFTER = 2
"""After so many tokens a branch with any condition ends by it; where it may say but one, before that."""
TORN = (Alternative(201, -0.7), Alternative(202, -1.2))


class FakeBackend:
    """Steps only when told to: `grant(n)` lets n steps happen; `free()` lets all."""

    def __init__(self, words: tuple[str, ...] = WORDS, *, load_error: str = "", eos_after: int = 0) -> None:
        self.words = words
        self.load_error = load_error
        self.eos_after = eos_after
        self.closed = threading.Event()
        self.broken: Exception | None = None
        self.submitted: list[Request] = []
        self.lost = 0
        """How many tokens of each node are told to be evicted."""
        self.answered = 0
        """To how many of the requests it has told all that it may tell by now."""
        self.snapshot = EngineStats()
        self.chat = True
        self.evicted: frozenset[str] = frozenset()
        """The nodes whose KV is told to be evicted."""
        self._permits = threading.Semaphore(0)
        self._free = threading.Event()
        self._granting = threading.Lock()
        self._live: list[tuple[str, str, int]] = []
        self._said: dict[str, int] = {}
        self._torn: set[str] = set()
        self._events: list[Event] = []
        self._tokens = 0
        self._stepped = 0
        """How many of the requests had come by the last step."""

    def grant(self, steps: int) -> None:
        with self._granting:
            self.answered = -1 if self._live else self.answered
            for _ in range(steps):
                self._permits.release()

    def free(self) -> None:
        with self._granting:
            self.answered = -1 if self._live else self.answered
            self._free.set()
            self._permits.release()

    def load(self, progress: Callable[[Progress], None]) -> ModelInfo:
        progress(Progress(Stage.WEIGHTS, 1, 2))
        if self.load_error:
            raise ModelError(self.load_error)
        return ModelInfo("fake", "0000", "cpu · float32", chat=self.chat)

    @property
    def busy(self) -> bool:
        return bool(self._events or self._live)

    def submit(self, request: Request) -> None:
        self.submitted.append(request)
        match request:
            case Ramify():
                self._events.append(RequestStarted(request.id))
                limit = request.params.max_tokens
                self._live += [(b.id, request.id, limit) for s in request.sources for b in s.branches]
                if request.params.until:
                    self._torn.update(b.id for s in request.sources for b in s.branches)
                for branch in (b for s in request.sources for b in s.branches):
                    for given in branch.given:
                        self._say(branch.id, given.token, f" w{given.token}")
                self._end_full()
            case Encode():
                self._encode(request)
            case Weigh(node_id=name, tokens=tokens):
                held = len(tokens) - self.lost
                self._events.append(Weighed(request.id, name, held, 1000 * held, self.lost))
            case Spell(tokens=tokens):
                self._events += [Spelled(request.id, tuple(f" w{token}" for token in tokens))]
            case Score():
                self._score(request)
            case Survey():
                asked = frozenset(spot.node_id for spot in request.spots)
                self._events.append(Surveyed(request.id, asked & self.evicted))
            case Stop():
                for branch in [
                    b for b in self._live if request.branch_ids is None or b[0] in request.branch_ids
                ]:
                    self._end(branch, Finish.CANCELLED)

    def _encode(self, request: Encode) -> None:
        unread = [segment for segment in request.path if segment.tokens is None]
        if any(segment.text == "cannot be encoded" for segment in unread):
            self._events.append(RequestFailed(request.id, "the text could not be encoded"))
            return
        for segment in unread:
            count = len(segment.text)
            span = Encoded(
                segment.node_id,
                tuple(range(count)),
                segment.text,
                tuple(range(1, count + 1)),
                segment.framing,
            )
            self._events.append(span)

    def _score(self, request: Score) -> None:
        """Each token is half as probable as certain; three others could stand there."""
        for segment in request.path:
            tokens = segment.tokens
            if tokens is not None and (request.node_ids is None or segment.node_id in request.node_ids):
                others = tuple(
                    (Alternative(token, -0.7), Alternative(101, -1.5), Alternative(102, -3.0))
                    for token in tokens
                )
                count = len(tokens)
                self._events.append(
                    Scored(request.id, segment.node_id, tokens, (-0.7,) * count, others, (1.25,) * count)
                )
        self._events.append(RequestFinished(request.id))

    def _end(self, branch: tuple[str, str, int], reason: Finish) -> None:
        self._live.remove(branch)
        others = TORN if reason is Finish.CONDITION else ()
        self._events.append(BranchFinished(branch[0], reason, others))
        if not any(other[1] == branch[1] for other in self._live):
            self._events.append(RequestFinished(branch[1]))

    def step(self) -> list[Event]:
        if self.broken is not None:
            raise self.broken
        if self._free.is_set():
            self.answered = self._stepped
        if self._live and (self._free.is_set() or self._permitted()):
            for branch in list(self._live):
                said = self._said.get(branch[0], 0)
                if branch[0] in self._torn and (said >= TORN_AFTER or branch[2] == 1):
                    self._end(branch, Finish.CONDITION)
                    continue
                if self.eos_after and said >= self.eos_after:
                    self._end(branch, Finish.EOS)
                    continue
                self._say(branch[0], 7 + said, self.words[said % len(self.words)])
            self._end_full()
        events, self._events = self._events, []
        self._stepped = len(self.submitted)
        return events

    def _permitted(self) -> bool:
        """Whether a step may happen now, or in a moment."""
        with self._granting:
            if self._permits.acquire(blocking=False):
                return True
            if self._events:
                return False
            self.answered = len(self.submitted)
        return self._permits.acquire(timeout=0.01)

    def _say(self, branch_id: str, token: int, text: str) -> None:
        self._events.append(BranchToken(branch_id, token, text, -0.5))
        self._said[branch_id] = self._said.get(branch_id, 0) + 1
        self._tokens += 1

    def _end_full(self) -> None:
        for branch in [branch for branch in self._live if self._said.get(branch[0], 0) >= branch[2]]:
            self._end(branch, Finish.LENGTH)

    def stats(self) -> EngineStats:
        return replace(
            self.snapshot, running=len(self._live), tokens=self._tokens, evictions=len(self.evicted)
        )

    def rest(self) -> float | None:
        self.answered = len(self.submitted)
        return None

    def close(self) -> None:
        self.closed.set()
