"""Requests served to their ends on the thread that asks for them, several at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .protocol import Event, Ramify, Request, RequestFailed, RequestFinished, Stop

if TYPE_CHECKING:
    from .engine import Engine

Follow = Callable[[Event], Iterable[Request]]
"""Answers an event with further requests."""


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


class Runs:
    """The open runs of one engine. Each steps it for all of them, and is told of its own requests."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._inboxes: list[Inbox] = []

    def __len__(self) -> int:
        return len(self._inboxes)

    def run(self, request: Request, follow: Follow | None) -> Generator[list[Event], None, None]:
        """See `Engine.run`."""
        engine, inbox = self._engine, Inbox()
        inbox.expect(request)
        self._inboxes.append(inbox)
        engine.submit(request)
        try:
            while inbox.events or engine.busy:
                if not inbox.events:
                    self._deliver(engine.step(), inbox)
                    continue
                events, inbox.events = inbox.events, []
                for further in (
                    itertools.chain.from_iterable(map(follow, events)) if follow is not None else ()
                ):
                    inbox.expect(further)
                    engine.submit(further)
                yield events
                for event in events:
                    match event:
                        case RequestFinished(request_id=done):
                            inbox.unfinished.discard(done)
                        case RequestFailed(request_id=failed, message=message) if failed in inbox.ids:
                            raise RuntimeError(message) from engine.last_error
                if not inbox.unfinished:
                    return
        finally:
            engine.submit(Stop(frozenset(inbox.ids)))
            self._inboxes.remove(inbox)
            engine.forget(inbox.wants)

    def _deliver(self, events: list[Event], runner: Inbox) -> None:
        """Hand events to the runs that they belong to; what nobody wants goes to the one that stepped."""
        for event in events:
            next((box for box in self._inboxes if box.wants(event)), runner).events.append(event)
