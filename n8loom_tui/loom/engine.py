"""The engine: continuous batching over the nodes of a tree. Requests in, events out.

It has no thread of its own: whoever owns the model's tensors calls `submit` and `step`. In the app that is
the engine's thread; in a script the caller's. Any node continues from its fragments; what is missing of them
is computed first, in chunks between the steps of the branches that already run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from typing import Any

from . import kernels
from .admission import Admission
from .answers import answer
from .branch import Branch
from .budget import Budget
from .choosing import choices
from .distribution import BrokenLogits
from .failures import without_frames
from .intake import Intake
from .jobs import Job, Pick, Queue
from .protocol import (
    EngineStats,
    Event,
    Finish,
    Ramify,
    Request,
    RequestFailed,
    RequestFinished,
    RequestStarted,
    Score,
    Stop,
)
from .reading import Reader
from .rows import Logits, Row, Rows
from .runs import Runs
from .scoring import Scorings
from .support import context_length, eos_tokens, vocabulary_size
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
        self.max_rows = max_rows
        self.vocabulary = vocabulary_size(model)
        self._budget = Budget(self.network)
        self._intake = Intake(self, tokenizer, eos_tokens(tokenizer), self.context_length, self.vocabulary)
        self._queue = Queue()
        self._admission = Admission(self, self._queue, self._intake, self._budget)
        self._scorings = Scorings(self, tokenizer, self.context_length, self.vocabulary)
        self._scored = False
        self._events: list[Event] = []
        self._runs = Runs(self)
        self.last_error: Exception | None = None
        self._steps = self._tokens = 0
        self._reset_rows()

    def _reset_rows(self) -> None:
        self._batch: Rows[Branch] = self.serving.rows(self.model, self.layout)
        self._admission.let_go()

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
            case Score():
                self._score(self._scorings.begin(request))
            case Stop():
                self._stop(request.branch_ids)
            case _:
                self._events += answer(request, self.tokenizer, self.store)

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
        return self._runs.run(request, follow)

    def forget(self, unwanted: Callable[[Event], bool]) -> None:
        """Drop events that nobody will take."""
        self._events = [event for event in self._events if not unwanted(event)]

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
        picks = self._admission.picks(self._batch, self.max_rows - len(self._batch))
        try:
            self._join(picks)
        except Exception:  # noqa: BLE001 - one of them may be at fault: each by itself
            for job in dict.fromkeys(pick.job for pick in picks):
                try:
                    self._join([pick for pick in picks if pick.job is job])
                except Exception as error:  # noqa: BLE001
                    self._fail(error, {job.id})

    @property
    def free(self) -> int:
        """Without what the running rows may still take."""
        return self.store.budget - self._admission.needed(self._batch, [])

    def _join(self, picks: list[Pick]) -> None:
        if not picks:
            return
        self._admission.join(self._batch, picks)
        for job in dict.fromkeys(pick.job for pick in picks):
            job.taken({id(pick.branch) for pick in picks})
            self._retire(job)
        self._weigh()

    def _retire(self, job: Job) -> None:
        """Take a request out of the queue that has nothing waiting any more. It ends with its last branch."""
        if job.waiting or job.id not in self._queue:
            return
        self._queue.remove(job)
        try:
            self._intake.close(job)
        except Exception as error:  # noqa: BLE001 - what was read can't be kept: it is read again by whoever wants it
            self.last_error = without_frames(error)
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
        self._admission.let_go(row.owner for row in self._batch.rows if row.owner.finish is not None)
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
