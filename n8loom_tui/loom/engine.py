"""The engine: continuous batching over the nodes of a tree. Requests in, events out.

It has no thread of its own: whoever owns the model's tensors calls `submit` and `step`. In the app that is
the engine's thread; in a script the caller's. Any node continues from its fragments; what is missing of them
is computed first, in chunks between the steps of the branches that already run.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from itertools import chain
from typing import Any

import mlx.core as mx

from . import kernels
from .batch import Joining, Logits, Rows
from .branch import Branch
from .jobs import Inbox, Job, Waiting
from .prefill import ToRead
from .protocol import (
    Encode,
    Encoded,
    EngineStats,
    Event,
    Finish,
    PrefillProgress,
    Ramify,
    Request,
    RequestFailed,
    RequestFinished,
    RequestStarted,
    Score,
    Segment,
    Source,
    Spell,
    Spelled,
    Stop,
)
from .reading import Reader
from .sampling import choose
from .scoring import Scoring
from .support import context_length, eos_tokens
from .text import CONTEXT_TOKENS, effective_framing, encode, spell
from .trial import serve

MAX_ROWS = 64
"""How many branches decode together; further ones wait."""


def default_budget() -> int:
    """How many bytes of fragments are kept unless said otherwise: a quarter of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4


class Engine(Reader):
    """Serves one model.

    Raises:
        UnsupportedModel: the model's cache or attention is of a kind that cannot be served exactly.
    """

    def __init__(
        self, model: Any, tokenizer: Any, *, kv_budget: int | None = None, max_rows: int = MAX_ROWS
    ) -> None:
        super().__init__(model, default_budget() if kv_budget is None else kv_budget)
        self.tokenizer = tokenizer
        kernels.install(model)
        self.serving = serve(model, self.layout)
        self.together, self.network = self.serving.together, self.serving.network
        self.context_length = context_length(model)
        self._max_rows = max_rows
        self._eos = eos_tokens(tokenizer)
        self._jobs: deque[Job] = deque()
        self._scorings: deque[Scoring] = deque()
        self._scored = False
        self._events: list[Event] = []
        self._inboxes: list[Inbox] = []
        self.last_error: Exception | None = None
        self._tokens = self._reused = 0
        self._reset_batch()

    def _reset_batch(self) -> None:
        self._batch: Rows[Branch] = self.serving.rows(self.model, self.layout)

    # --------------------------------------------------------------- requests

    @property
    def busy(self) -> bool:
        """Whether `step` has anything to do."""
        return bool(self._jobs or self._scorings or self._events or len(self._batch))

    @property
    def running(self) -> int:
        """How many branches decode."""
        return len(self._batch)

    @property
    def reading(self) -> bool:
        """Whether a path is being read between the steps."""
        return bool(self._scorings) or any(job.prefill is not None for job in self._jobs)

    def submit(self, request: Request) -> None:
        """Take a request. Its outcome is told by the events of later steps; a stop acts at once."""
        match request:
            case Ramify():
                self._jobs.append(Job(request))
            case Encode():
                self._encode(request)
            case Spell():
                self._spell(request)
            case Score():
                self._begin_scoring(request)
            case Stop():
                self._stop(request.branch_ids)

    def _encode(self, request: Encode) -> None:
        try:
            self._resolve(request.path)
        except Exception as error:  # noqa: BLE001 - a tokenizer may raise anything; the person is told
            self._events.append(RequestFailed(request.id, f"the text could not be encoded: {error}"))

    def _spell(self, request: Spell) -> None:
        try:
            texts = tuple(spell(self.tokenizer, request.before, token) for token in request.tokens)
            self._events += [Spelled(request.id, texts), RequestFinished(request.id)]
        except Exception as error:  # noqa: BLE001 - a tokenizer may raise anything; the person is told
            self._events.append(RequestFailed(request.id, f"the tokens could not be decoded: {error}"))

    def _stop(self, branch_ids: frozenset[str] | None) -> None:
        def meant(branch: Branch) -> bool:
            return branch.finish is None and (branch_ids is None or branch.id in branch_ids)

        for scoring in list(self._scorings):
            if branch_ids is None or scoring.request.id in branch_ids:
                self._end_scoring(scoring)
        for job in self._jobs:
            self._events += job.cancel_unbegun(branch_ids)
            for branch in filter(meant, job.branches()):
                self._events += branch.end(Finish.CANCELLED)
        for row in self._batch.rows:
            if meant(row.owner):
                self._events += row.owner.end(Finish.CANCELLED)
        self._sweep()

    # ------------------------------------------------------------------ steps

    def step(self) -> list[Event]:
        """One unit of work: at most one chunk of a path and one token for every running branch."""
        self._scored = bool(self._scorings) and not self._scored  # in turn with what is to be continued
        if self._scored:
            self._score(self._scorings[0])
        else:
            try:
                self._prepare()
            except Exception as error:  # noqa: BLE001 - whatever breaks, the person is told and nothing else is
                self._fail(error, {job.request.id for job in list(self._jobs)[:1]})
        try:
            self._decode()
        except Exception as error:  # noqa: BLE001
            self._fail(error, {row.owner.request_id for row in self._batch.rows})
        events, self._events = self._events, []
        return events

    def run(
        self, request: Request, follow: Callable[[Event], Iterable[Request]] | None = None
    ) -> Generator[list[Event], None, None]:
        """Serve one request to its end on this thread, yielding the events of each step.

        `follow` is told each event first, and may answer with further requests, which are served along with it.
        Closing the iterator stops them all, and keeps their fragments.
        Several runs may be open at once: each steps for all of them, and is told of its own requests.

        Raises:
            RuntimeError: a request failed.
        """
        inbox = Inbox()
        inbox.expect(request)
        self._inboxes.append(inbox)
        self.submit(request)
        try:
            while inbox.events or self.busy:
                if not inbox.events:
                    self._deliver(self.step(), inbox)
                    continue
                events, inbox.events = inbox.events, []
                for further in chain.from_iterable(map(follow, events)) if follow is not None else ():
                    inbox.expect(further)
                    self.submit(further)
                yield events
                for event in events:
                    match event:
                        case RequestFinished(request_id=done):
                            inbox.unfinished.discard(done)
                        case RequestFailed(request_id=failed, message=message) if failed in inbox.ids:
                            raise RuntimeError(message) from self.last_error
                if not inbox.unfinished:
                    return
        finally:
            self._stop(frozenset(inbox.ids))
            self._inboxes.remove(inbox)
            self._events = [event for event in self._events if not inbox.wants(event)]

    def _deliver(self, events: list[Event], runner: Inbox) -> None:
        """Hand events to the runs that they belong to; what nobody wants goes to the one that stepped."""
        for event in events:
            next((box for box in self._inboxes if box.wants(event)), runner).events.append(event)

    def _prepare(self) -> None:
        """Bring the first waiting request forward: encode, read a chunk, or let its branches join."""
        for job in [job for job in self._jobs if job.empty]:
            self._jobs.remove(job)
            self._close(job)
        if not self._jobs:
            self.store.release()
            return
        job = self._jobs[0]
        if not job.started:
            self._begin(job)
            return
        if job.prefill is not None and not job.prefill.done:
            job.prefill.step(self.chunk)
            self._progress(job)
        elif not self._next_prefill(job):
            self._join(job)

    def _begin(self, job: Job) -> None:
        """Encode a request's paths."""
        request = job.request
        self._events.append(RequestStarted(request.id))
        self.store.hold()
        try:
            paths = [self._resolve(source.path, job.ends) for source in request.sources]
            self._check_paths(paths)
        except Exception as error:  # noqa: BLE001 - a tokenizer may raise anything; the person is told
            self.last_error = error
            self._events.append(RequestFailed(request.id, str(error) or type(error).__name__))
            self._jobs.popleft()
            self.store.release()
            return
        for source, path in zip(request.sources, paths, strict=True):
            self._sprout(job, source, path)
        job.started = True
        job.total = sum(max(0, len(p) - 1 - self.store.match_length(p[:-1])) for p in paths)
        self._reused += sum(len(p) - 1 for p in paths) - job.total

    def _sprout(self, job: Job, source: Source, path: list[int]) -> None:
        """Begin the branches of a source. Those that are given the same tokens go on from one path."""
        params = job.request.params
        room = self.context_length - len(path) if self.context_length else params.max_tokens
        starts: dict[tuple[int, ...], Waiting] = {}
        for spec in source.branches:
            if spec.id in job.cancelled:
                continue
            given = tuple(known.token for known in spec.given)
            start, branches = starts.setdefault(given, ([*path, *given] if given else path, []))
            job.ends.setdefault(id(start), (*job.ends[id(path)], len(start)))
            branch = Branch(
                spec.id, job.request.id, spec.seed, start, params, self.tokenizer, self._eos, room, spec.given
            )
            self._events += branch.begin()
            branches.append(branch)
        job.sources += starts.values()

    def _check_paths(self, paths: list[list[int]]) -> None:
        for path in paths:
            if not path:
                raise ValueError("there is nothing to continue: the prompt is empty. Write something first")
            if self.context_length and len(path) >= self.context_length:
                raise ValueError(
                    f"the text is {len(path)} tokens long and the model reads {self.context_length}: "
                    "go on from a node higher up, or trim"
                )

    def _next_prefill(self, job: Job) -> bool:
        """Begin to read the paths that are not covered. False when all are."""
        prefill = self.prefilling(ToRead(path[:-1], job.ends.get(id(path), ())) for path in job.paths())
        if prefill.done:
            return False
        job.prefill = prefill
        job.read += prefill.total
        self.store.hold()
        return True

    def _progress(self, job: Job) -> None:
        assert job.prefill is not None
        read = job.read - job.prefill.remaining
        self._events.append(PrefillProgress(job.request.id, read, max(job.total, job.read)))
        if job.prefill.done:
            self.close(job.prefill)
            job.prefill = None

    def _join(self, job: Job) -> None:
        """Let branches of a request join the batch, as many as there is room for."""
        room = self._max_rows - len(self._batch)
        if room <= 0:
            return
        taken = job.take(room)
        try:
            self._batch.join([Joining(path, branches) for path, branches in taken], self.store)
        except Exception:
            job.sources = taken + job.sources  # so that they are told that it failed
            raise
        self.store.release()

    def _decode(self) -> None:
        """One token for every running branch."""
        rows = self._batch.rows
        if not rows:
            return
        table = self._forward([row.owner.next_token for row in rows])
        for row, values in zip(rows, table, strict=True):
            branch = row.owner
            choice = choose(values, branch.params, branch.seed, len(branch.sampled), branch.context())
            self._events += branch.take(choice)
        self._tokens += len(rows)
        self._sweep()

    def _forward(self, tokens: list[int]) -> Logits:
        """The logits of one step, `[rows, vocabulary]`: a token per row of the batch."""
        return self._batch.forward(tokens)

    def _sweep(self) -> None:
        """Keep the fragments of the branches that ended, and take them out of the batch."""
        ended = [(i, row) for i, row in enumerate(self._batch.rows) if row.owner.finish is not None]
        for index, row in ended:
            branch = row.owner
            start = len(branch.path) - 1
            fragment = self._batch.cut(index, start)
            if fragment is not None:
                self.store.put([*branch.path, *branch.sampled], start, fragment, self._batch.snapshots(index))
        if ended:
            self._batch.leave(lambda branch: branch.finish is not None)
        running = {row.owner.request_id for row in self._batch.rows}
        for request_id in {row.owner.request_id for _, row in ended} - running:
            if not any(job.request.id == request_id for job in self._jobs):
                self._events.append(RequestFinished(request_id))

    def _close(self, job: Job) -> None:
        """A request that has nothing waiting any more is finished, unless its branches still run."""
        if job.prefill is not None:
            self.close(job.prefill)
        if not any(row.owner.request_id == job.request.id for row in self._batch.rows):
            self._events.append(RequestFinished(job.request.id))

    def _fail(self, error: Exception, failed: set[str]) -> None:
        """Something broke: end what these requests ran, keep what was said, tell why."""
        self.last_error = error
        branches = [row.owner for row in self._batch.rows if row.owner.request_id in failed]
        for job in [job for job in self._jobs if job.request.id in failed]:
            branches += job.branches()
            self._jobs.remove(job)
        for branch in branches:
            if branch.finish is None:
                self._events += branch.end(Finish.CANCELLED)
        if branches:
            self._reset_batch_of(failed)
        self.store.release()
        message = str(error) or type(error).__name__
        self._events += [RequestFailed(request_id, message) for request_id in sorted(failed)]

    def _reset_batch_of(self, failed: set[str]) -> None:
        """Take failed rows out. A step may have broken halfway through the columns: nothing is kept."""
        if all(row.owner.request_id in failed for row in self._batch.rows):
            self._reset_batch()
        else:
            self._batch.leave(lambda branch: branch.finish is not None)

    # ---------------------------------------------------------------- scoring

    def _begin_scoring(self, request: Score) -> None:
        self._events.append(RequestStarted(request.id))
        ends: dict[int, tuple[int, ...]] = {}
        try:
            path = self._resolve(request.path, ends)
            if self.context_length and len(path) > self.context_length:
                raise ValueError(
                    f"the text is {len(path)} tokens long and the model reads {self.context_length}"
                )
        except Exception as error:  # noqa: BLE001 - a tokenizer may raise anything; the person is told
            self.last_error = error
            self._events.append(RequestFailed(request.id, str(error) or type(error).__name__))
            return
        self._scorings.append(Scoring(self, request, path, ends[id(path)]))

    def _score(self, scoring: Scoring) -> None:
        """Read a chunk for the first request that asks for probabilities."""
        try:
            self._events += scoring.step(self.chunk)
        except Exception as error:  # noqa: BLE001 - whatever breaks, the person is told and nothing else is
            self.last_error = error
            self._events.append(RequestFailed(scoring.request.id, str(error) or type(error).__name__))
            self._scorings.remove(scoring)
            scoring.drop()
            return
        if scoring.done:
            self._end_scoring(scoring)

    def _end_scoring(self, scoring: Scoring) -> None:
        self._scorings.remove(scoring)
        scoring.close()
        self._events.append(RequestFinished(scoring.request.id))

    # ---------------------------------------------------------------- reading

    def _resolve(
        self, segments: Iterable[Segment], ends: dict[int, tuple[int, ...]] | None = None
    ) -> list[int]:
        """A path's token ids; texts in it are encoded, and their ids told. `ends` notes where its nodes end."""
        path: list[int] = []
        stops: list[int] = []
        for segment in segments:
            stops.append(len(path))
            if segment.tokens is not None:
                path += segment.tokens
                continue
            framing = effective_framing(self.tokenizer, segment.framing)
            span = encode(self.tokenizer, segment.text, framing, path[-CONTEXT_TOKENS:])
            path += span.tokens
            self._events.append(
                Encoded(segment.node_id, tuple(span.tokens), span.text, tuple(span.ends), framing)
            )
        if ends is not None:
            ends[id(path)] = (*stops[1:], len(path))
        return path

    def stats(self) -> EngineStats:
        """What is going on."""
        waiting = sum(job.waiting for job in self._jobs)
        return EngineStats(
            running=len(self._batch),
            queued=waiting,
            tokens=self._tokens,
            kv_bytes=self.store.nbytes,
            kv_budget=self.store.budget,
            prefilled=self.prefilled,
            reused=self._reused,
            evicted=self.store.evicted_bytes,
            evictions=self.store.evictions,
            recomputed=self.recomputed,
            kv_working=self.store.reserved,
        )


def engine_for(model: Any, tokenizer: Any) -> Engine:
    """The engine of a model with a tokenizer, made at first use. It lives as long as the model does.

    Raises:
        ValueError: there is no model.
    """
    if model is None:
        raise ValueError("this tree has no model: load one to generate or to read fragments")
    engines: dict[int, Engine] | None = getattr(model, "_n8loom_engines", None)
    if engines is None:
        engines = {}
        object.__setattr__(model, "_n8loom_engines", engines)
    engine = engines.get(id(tokenizer))
    if engine is None:
        engine = Engine(model, tokenizer)
        for other in engines.values():
            engine.store = other.store  # fragments depend on token ids alone
        engines[id(tokenizer)] = engine
    return engine


def clear_streams() -> None:
    """Let go of this thread's MLX streams. A thread that ends without it aborts the process."""
    mx.synchronize()
    mx.clear_cache()
    mx.clear_streams()
