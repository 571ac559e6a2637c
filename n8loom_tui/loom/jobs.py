"""A request on its way into the batch, and how its branches are grouped there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .branch import Branch
from .prefill import Prefill
from .protocol import BranchFinished, Event, Finish, Ramify, Request, Stop

Waiting = tuple[list[int], list[Branch]]
"""A path and its branches that have not joined yet."""


@dataclass(slots=True)
class Inbox:
    """The events of running requests until their runner takes them. `ids`: their own and their branches'."""

    ids: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)
    unfinished: set[str] = field(default_factory=set)
    """The requests that nothing has been heard of the end of."""

    def expect(self, request: Request) -> None:
        """Take in the events of a request."""
        if isinstance(request, Ramify):
            self.ids.update(b.id for s in request.sources for b in s.branches)
        if not isinstance(request, Stop):
            self.ids.add(request.id)
            self.unfinished.add(request.id)

    def wants(self, event: Event) -> bool:
        """Whether an event tells of these requests."""
        return getattr(event, "request_id", None) in self.ids or getattr(event, "branch_id", None) in self.ids


@dataclass(slots=True, eq=False)
class Job:
    """A request from its submission until all its branches have joined the batch."""

    request: Ramify
    started: bool = False
    prefill: Prefill | None = None
    read: int = 0
    total: int = 0
    cancelled: set[str] = field(default_factory=set)
    sources: list[Waiting] = field(default_factory=list)
    ends: dict[int, tuple[int, ...]] = field(default_factory=dict)

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
        for _, branches in self.sources:
            yield from branches

    def paths(self) -> Iterator[list[int]]:
        """The paths that still have branches waiting."""
        for path, branches in self.sources:
            if any(branch.finish is None for branch in branches):
                yield path

    @property
    def waiting(self) -> int:
        """How many branches wait."""
        if not self.started:
            return sum(len(source.branches) for source in self.request.sources) - len(self.cancelled)
        return sum(branch.finish is None for branch in self.branches())

    @property
    def empty(self) -> bool:
        return self.waiting == 0

    def take(self, room: int) -> list[Waiting]:
        """Up to `room` branches, by source, in order. They are no longer waiting."""
        taken: list[Waiting] = []
        left: list[Waiting] = []
        for path, branches in self.sources:
            alive = [branch for branch in branches if branch.finish is None]
            now, later = alive[:room], alive[room:]
            room -= len(now)
            if now:
                taken.append((path, now))
            if later:
                left.append((path, later))
        self.sources = left
        return taken
