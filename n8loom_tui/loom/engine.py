"""The engine: continuous batching over the nodes of a tree. Requests in, events out.

It has no thread of its own: whoever owns the model's tensors calls `submit` and `step`. In the app that is
the engine's thread; in a script the caller's. Any node continues from its fragments; what is missing of them
is computed first, in chunks between the steps of the branches that already run.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from typing import Any

import mlx.core as mx

from . import kernels
from .branch import Branch
from .budget import Budget
from .choosing import choices
from .distribution import BrokenLogits
from .failures import without_frames
from .intake import Intake
from .jobs import Inbox, Job, Pick, Queue, Waiting
from .paths import resolve
from .protocol import (
    Encode,
    EngineStats,
    Event,
    Finish,
    Ramify,
    Request,
    RequestFailed,
    RequestFinished,
    RequestStarted,
    Score,
    Spell,
    Spelled,
    Stop,
    Weigh,
)
from .reading import Reader
from .rows import Joining, Logits, Row, Rows
from .scoring import Scorings
from .store import Pin
from .support import context_length, eos_tokens, vocabulary_size
from .survey import Survey, survey
from .text import spell
from .trial import serve
from .weight import weigh

CACHE_LIMIT = 1 << 28
"""How many bytes of freed memory MLX keeps at most, where one program has the process to itself."""
ALONE = 4
"""For how many requests it is tried whether they fit by themselves, where the first does not."""
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
        self.max_rows = max_rows
        self.vocabulary = vocabulary_size(model)
        self._budget = Budget(self.network)
        self._intake = Intake(self, tokenizer, eos_tokens(tokenizer), self.context_length, self.vocabulary)
        self._queue = Queue()
        self._pins: dict[str, Pin] = {}
        """What keeps the path of a running branch in the store, by the branch's id."""
        self._scorings = Scorings(self, tokenizer, self.context_length, self.vocabulary)
        self._scored = False
        self._events: list[Event] = []
        self._inboxes: list[Inbox] = []
        self.last_error: Exception | None = None
        self._steps = self._tokens = 0
        self._reset_rows()

    def _reset_rows(self) -> None:
        self._batch: Rows[Branch] = self.serving.rows(self.model, self.layout)
        self._pins.clear()

    # --------------------------------------------------------------- requests

    @property
    def busy(self) -> bool:
        """Whether `step` has anything to do."""
        return bool(len(self._queue) or len(self._scorings) or self._events or len(self._batch))

    @property
    def running(self) -> int:
        """How many branches decode."""
        return len(self._batch)

    @property
    def reading(self) -> bool:
        """Whether a path is being read between the steps."""
        return len(self._scorings) > 0 or any(job.reading for job in self._queue)

    def submit(self, request: Request) -> None:
        """Take a request. Its outcome is told by the events of later steps; a stop acts at once."""
        match request:
            case Ramify():
                self._queue.add(Job(request))
            case Encode():
                self._encode(request)
            case Spell():
                self._spell(request)
            case Score():
                self._score(self._scorings.begin(request))
            case Weigh():
                self._events += [weigh(self.store, request), RequestFinished(request.id)]
            case Survey():
                self._events.append(survey(self.store, request))
            case Stop():
                self._stop(request.branch_ids)

    def _encode(self, request: Encode) -> None:
        try:
            self._events += resolve(self.tokenizer, request.path).told
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

        self._events += self._scorings.stop(branch_ids)
        for job in self._queue:
            self._events += job.cancel_unbegun(branch_ids)
            for branch in filter(meant, job.branches()):
                self._events += branch.end(Finish.CANCELLED)
        for row in self._batch.rows:
            if meant(row.owner):
                self._events += row.owner.end(Finish.CANCELLED)
        self._sweep()
        for job in self._queue:
            self._retire(job)

    # ------------------------------------------------------------------ steps

    def step(self) -> list[Event]:
        """One unit of work: at most one chunk of a path and one token for every running branch.

        What is not an error but ends it halfway, as a key that interrupts the program does, ends all requests.
        """
        try:
            return self._step()
        except BaseException as error:
            self._abandon(error)
            raise

    def _step(self) -> list[Event]:
        self._budget.begin_step(self.store)
        self._begin()
        self._read()
        self._admit()
        try:
            self._decode()
        except Exception as error:  # noqa: BLE001 - whatever breaks, the person is told and nothing else is
            self._fail(error, {row.owner.request_id for row in self._batch.rows})
        self._steps += 1
        self._budget.end_step(self._batch, self.store)
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
                for further in (
                    itertools.chain.from_iterable(map(follow, events)) if follow is not None else ()
                ):
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

    # ----------------------------------------------------- beginning and reading

    def _begin(self) -> None:
        """Begin the requests that are next."""
        while (job := self._queue.next_to_begin()) is not None:
            self._events.append(RequestStarted(job.id))
            try:
                self._events += self._intake.begin(job)  # what is told before an error stays told
            except Exception as error:  # noqa: BLE001 - a tokenizer may raise anything; the person is told
                self._fail(error, {job.id})
            else:
                self._retire(job)

    def _read(self) -> None:
        """Read one chunk: of a path that is to be continued or, in turn with that, of one to be scored."""
        self._scored = len(self._scorings) > 0 and not self._scored
        job = None if self._scored else self._queue.next_to_read()
        if job is not None:
            try:
                self._events += self._intake.read(job)
                job.put_off += not job.read_now
            except Exception as error:  # noqa: BLE001
                self._fail(error, {job.id})
        elif len(self._scorings):
            self._score(self._scorings.step(self.chunk))

    def _score(self, told: Iterable[Event]) -> None:
        self._events += told
        self.last_error = self._scorings.last_error or self.last_error

    # ---------------------------------------------------------------- joining

    def _admit(self) -> None:
        """Let waiting branches join, as many as there is room for, whose paths are covered."""
        room = self.max_rows - len(self._batch)
        if room <= 0 or not len(self._queue):
            return
        running = Counter(row.owner.request_id for row in self._batch.rows)
        picks = self._fitting(self._alike(self._queue.picks(room, running, self._intake.covers)))
        if not picks:
            return
        try:
            self._join(picks)
        except Exception:  # noqa: BLE001 - one of them may be at fault: each by itself
            for job in dict.fromkeys(pick.job for pick in picks):
                try:
                    self._join([pick for pick in picks if pick.job is job])
                except Exception as error:  # noqa: BLE001
                    self._fail(error, {job.id})

    def _alike(self, picks: list[Pick]) -> list[Pick]:
        """Of picks those that may be in one batch with each other and with the running rows.

        A path of one token has no state before it yet, and a model may treat that unlike a state of zeros.
        """
        if not self.layout.state or not picks:
            return picks
        fresh = not picks[0].source.before
        if fresh and len(self._batch):
            return []
        return [pick for pick in picks if (not pick.source.before) == fresh]

    def _fitting(self, picks: list[Pick]) -> list[Pick]:
        """As many picks as there is memory for, with what they go on from. If none, a few by themselves.

        One row fits always, or nothing could ever run.
        """
        least = 0 if len(self._batch) else 1
        fits = picks
        while len(fits) > least and self._needed(fits) > self.store.budget:
            fits = fits[: max(least, len(fits) * 3 // 4 - 1)]
        firsts = {pick.job.id: pick for pick in reversed(picks)}  # of each request
        if picks and not fits:
            alone = list(firsts.values())[::-1][:ALONE]
            fits = next(([pick] for pick in alone if self._needed([pick]) <= self.store.budget), [])
        for put_off in firsts.keys() - {pick.job.id for pick in fits}:
            firsts[put_off].job.put_off += 1
        return fits

    def _needed(self, picks: list[Pick]) -> int:
        """How many bytes are in use at most if these join."""
        return self._budget.needed(self._batch, self._joining(picks), self.store)

    @property
    def free(self) -> int:
        """Without what the running rows may still take."""
        return self.store.budget - self._needed([])

    @staticmethod
    def _joining(picks: list[Pick]) -> list[Joining[Branch]]:
        """Picks by source. Each row's reach is counted as the longest of its source."""
        sources: dict[Waiting, list[Branch]] = {}
        for pick in picks:
            sources.setdefault(pick.source, []).append(pick.branch)
        return [
            Joining(source.path, branches, max(branch.reach for branch in branches))
            for source, branches in sources.items()
        ]

    def _join(self, picks: list[Pick]) -> None:
        joining = self._joining(picks)
        pins = {id(one): self.store.pin(one.path[:-1]) for one in joining}
        now = self._batch.footprint([replace(one, reach=0) for one in joining], self.store)
        self.store.make_room(max(0, now - self._batch.nbytes))
        self._batch.join(joining, self.store)
        for one in joining:
            self._pins.update((branch.id, pins[id(one)]) for branch in one.owners)
        self._budget.allow(self._batch, self.store)
        for job in dict.fromkeys(pick.job for pick in picks):
            job.taken({id(pick.branch) for pick in picks})
            self._retire(job)
        self._weigh()

    def _retire(self, job: Job) -> None:
        """Take a request out of the queue that has nothing waiting any more. It ends with its last branch."""
        if job.waiting or job.id not in self._queue:
            return
        self._queue.remove(job)
        self._intake.close(job)
        self._end_requests({job.id})

    def _end_requests(self, ended: set[str]) -> None:
        """Tell of the requests among these that neither run nor wait any more."""
        running = {row.owner.request_id for row in self._batch.rows}
        for request_id in sorted(ended - running):
            if request_id not in self._queue:
                self._events.append(RequestFinished(request_id))

    # --------------------------------------------------------------- decoding

    def _decode(self) -> None:
        """One token for every running branch."""
        rows = list(self._batch.rows)
        if not rows:
            return
        table = self._forward([row.owner.next_token for row in rows])
        broken: dict[str, BrokenLogits] = {}
        drawn = choices([row.owner for row in rows], table, apart=self.network is not None)
        for row, choice in zip(rows, drawn, strict=True):
            if isinstance(choice, BrokenLogits):
                row.broken = True
                broken[row.owner.request_id] = choice
            else:
                self._events += row.owner.take(choice)
        self._tokens += len(rows)
        self._sweep()
        for request_id, reason in broken.items():
            self._fail(reason, {request_id})

    def _forward(self, tokens: list[int]) -> Logits:
        """The logits of one step, `[rows, vocabulary]`: a token per row of the batch."""
        return self._batch.forward(tokens)

    def _sweep(self) -> None:
        """Keep the fragments of the branches that ended, and take them out of the batch."""
        ended = [(i, row) for i, row in enumerate(self._batch.rows) if row.owner.finish is not None]
        if not ended:
            return
        for index, row in ended:
            self._keep(index, row)
        self._leave()
        self._end_requests({row.owner.request_id for _, row in ended})

    def _keep(self, index: int, row: Row[Branch]) -> None:
        """Put what a row has computed into the store."""
        branch = row.owner
        start = len(branch.path) - 1
        fragment = self._batch.cut(index, start) if not row.broken else None
        if fragment is not None:
            self.store.put([*branch.path, *branch.sampled], start, fragment, self._batch.snapshots(index))

    def _leave(self) -> None:
        """Take out the rows of the branches that have ended."""
        for row in self._batch.rows:
            if row.owner.finish is not None:
                self._pins.pop(row.owner.id, None)
        self._batch.leave(lambda branch: branch.finish is not None)
        self._weigh()

    def _weigh(self) -> None:
        """Count what the rows take against the budget for fragments."""
        self._budget.weigh(self._batch, self.store)

    def _abandon(self, reason: BaseException) -> None:
        """A step has ended anywhere: what is being computed may be half old and half new, and none of it is kept."""
        error = RuntimeError(f"a step was interrupted: {str(reason) or type(reason).__name__}")
        self._events += self._scorings.abandon(error)
        self._fail(
            error, {job.id for job in self._queue} | {row.owner.request_id for row in self._batch.rows}
        )

    def _fail(self, error: Exception, failed: set[str]) -> None:
        """Something broke: end what these requests ran, keep what was said, tell why."""
        self.last_error = without_frames(error)
        branches = [row.owner for row in self._batch.rows if row.owner.request_id in failed]
        for job in [job for job in self._queue if job.id in failed]:
            branches += job.branches()
            self._queue.remove(job)
            if job.prefill is not None:
                job.prefill.drop()
        for branch in branches:
            if branch.finish is None:
                self._events += branch.end(Finish.CANCELLED)
        # A step may have broken halfway through the columns: nothing of these rows is kept.
        if all(row.owner.request_id in failed for row in self._batch.rows):
            self._reset_rows()
            self._weigh()
        else:
            self._leave()
        message = str(error) or type(error).__name__
        self._events += [RequestFailed(request_id, message) for request_id in sorted(failed)]

    def stats(self) -> EngineStats:
        """What is going on."""
        return EngineStats(
            running=len(self._batch),
            queued=sum(job.waiting for job in self._queue),
            tokens=self._tokens,
            kv_bytes=self.store.nbytes,
            kv_budget=self.store.budget,
            prefilled=self.prefilled,
            reused=self._intake.reused,
            evicted=self.store.evicted_bytes,
            evictions=self.store.evictions,
            recomputed=self.recomputed,
            kv_working=self.store.reserved,
            restored=self.kept.restored if self.kept is not None else 0,
            refused=self.kept.refused if self.kept is not None else 0,
            kv_disk=self.kept.nbytes if self.kept is not None else 0,
            kv_per_token=self.store.per_token,
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


def limit_cache(budget: int) -> None:
    """Bound the freed memory that MLX keeps for later, beside a budget for fragments."""
    mx.set_cache_limit(min(CACHE_LIMIT, budget // 4))


def clear_streams() -> None:
    """Let go of this thread's MLX streams. A thread that ends without it aborts the process."""
    mx.synchronize()
    mx.clear_cache()
    mx.clear_streams()
