"""Requests on their way into the batch: what waits, who reads next, who joins next."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .branch import Branch
from .prefill import Prefill
from .protocol import BranchFinished, Event, Finish, Ramify

AHEAD = 32
"""How many requests are begun at most before their branches have joined. Their paths wait in memory."""
PATIENCE = 256
"""How often a request is put off for want of memory before no younger one takes any."""
READERS = 4
"""How many requests read in turn. What they have read stays in memory until their branches join."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A path, where its nodes end, and its branches that have not joined yet.

    `before` is what has to be read before they can: all but the last token. `covered`: it was, when last seen.
    """

    path: list[int]
    ends: tuple[int, ...]
    branches: list[Branch] = field(default_factory=list)
    covered: bool = False
    before: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.before = self.path[:-1]

    def alive(self) -> list[Branch]:
        """The branches that have not been stopped meanwhile."""
        return [branch for branch in self.branches if branch.finish is None]


@dataclass(slots=True, eq=False)
class Job:
    """A request from its submission until all its branches have joined the batch.

    `prefill` reads the paths of `read_now`, and keeps them in memory until all branches have joined. `read` and
    `total` count tokens, for people to look at. `put_off`: how often it could not read or join for want of memory
    since branches of it last did.
    """

    request: Ramify
    started: bool = False
    sources: list[Waiting] = field(default_factory=list)
    prefill: Prefill | None = None
    read_now: list[Waiting] = field(default_factory=list)
    read: int = 0
    total: int = 0
    cancelled: set[str] = field(default_factory=set)
    put_off: int = 0

    @property
    def starved(self) -> bool:
        """Whether it has waited for memory so long that no younger one is to take any."""
        return self.put_off >= PATIENCE

    @property
    def id(self) -> str:
        """The request's."""
        return self.request.id

    @property
    def reading(self) -> bool:
        """Whether one of its paths is being read."""
        return self.prefill is not None and not self.prefill.done

    @property
    def resting(self) -> bool:
        """Whether what it has read waits for its branches to join. It reads on when they have."""
        read = self.prefill is not None and self.prefill.done
        return read and any(source.covered and source.alive() for source in self.read_now)

    def cancel_unbegun(self, branch_ids: frozenset[str] | None) -> list[Event]:
        """Cancel these branches (None: all) of a request that has not been begun."""
        if self.started:
            return []
        specs = [spec.id for source in self.request.sources for spec in source.branches]
        meant = [i for i in specs if i not in self.cancelled and (branch_ids is None or i in branch_ids)]
        self.cancelled.update(meant)
        return [BranchFinished(branch_id, Finish.CANCELLED) for branch_id in meant]

    def branches(self) -> Iterator[Branch]:
        """The branches that wait."""
        for source in self.sources:
            yield from source.branches

    def unread(self) -> list[Waiting]:
        """Paths that are not covered and still have branches waiting."""
        return [source for source in self.sources if not source.covered and source.alive()]

    @property
    def waiting(self) -> int:
        """How many branches wait."""
        if not self.started:
            return sum(len(source.branches) for source in self.request.sources) - len(self.cancelled)
        return sum(branch.finish is None for branch in self.branches())

    def taken(self, branches: set[int]) -> None:
        """These branches, by `id()`, have joined."""
        self.put_off = 0
        for source in self.sources:
            source.branches = [branch for branch in source.branches if id(branch) not in branches]
        self.sources = [source for source in self.sources if source.branches]


@dataclass(frozen=True, slots=True, eq=False)
class Pick:
    """A branch that is to join."""

    job: Job
    source: Waiting
    branch: Branch


class Queue:
    """The requests that have branches waiting, in the order of their arrival."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._unbegun: deque[Job] = deque()
        self._turns: deque[Job] = deque()
        """Requests that read, the next one first."""

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs.values()))

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._jobs

    def add(self, job: Job) -> None:
        """Put a request at the end.

        Raises:
            ValueError: one of that id waits already.
        """
        if job.id in self._jobs:
            raise ValueError(f"a request of the id {job.id!r} waits already")
        self._jobs[job.id] = job
        self._unbegun.append(job)

    def remove(self, job: Job) -> None:
        """Take a request out."""
        self._jobs.pop(job.id, None)
        for line in (self._unbegun, self._turns):
            if job in line:
                line.remove(job)

    def begun(self) -> Iterator[Job]:
        """The requests that have been begun."""
        for job in self:
            if not job.started:
                return
            yield job

    def next_to_begin(self) -> Job | None:
        """The next request that is to be begun, if it's time."""
        if not self._unbegun or len(self._jobs) - len(self._unbegun) >= AHEAD:
            return None
        return self._unbegun.popleft()

    def next_to_read(self) -> Job | None:
        """The request whose turn it is to read a chunk. The oldest ones read in turn, beside those that are put off."""
        self._turns = deque(job for job in self._turns if self._reads(job))
        readers = sum(job.reading or not job.put_off for job in self._turns)
        for job in self.begun():
            if readers >= READERS:
                break
            if job not in self._turns and self._reads(job):
                self._turns.append(job)
                readers += job.reading or not job.put_off
            if job.starved:
                break
        if not self._turns:
            return None
        self._turns.rotate(-1)
        return self._turns[-1]

    @staticmethod
    def _reads(job: Job) -> bool:
        return job.reading or (not job.resting and bool(job.unread()))

    def picks(self, room: int, running: Counter[str], covered: Callable[[Waiting], bool]) -> list[Pick]:
        """Up to `room` branches that join next: always one of the request that has the fewest running.

        `covered` tells whether a path is; it is asked once for each that a branch would go on from.
        """
        lines: list[tuple[int, int, Iterator[Pick], Pick]] = []
        for age, job in enumerate(self.begun()):
            line = self._line(job, covered)
            first = next(line, None)
            if first is not None:
                lines.append((running[job.id], age, line, first))
            if job.starved:
                break
        heapq.heapify(lines)
        chosen: list[Pick] = []
        while lines and len(chosen) < room:
            count, age, line, pick = lines[0]
            chosen.append(pick)
            following = next(line, None)
            if following is None:
                heapq.heappop(lines)
            else:
                heapq.heapreplace(lines, (count + 1, age, line, following))
        return chosen

    @staticmethod
    def _line(job: Job, covered: Callable[[Waiting], bool]) -> Iterator[Pick]:
        """A request's branches that could join, in order."""
        for source in job.sources:
            branches = source.alive() if source.covered else []
            if branches and covered(source):
                for branch in branches:
                    yield Pick(job, source, branch)
