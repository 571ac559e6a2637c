"""Keys typed faster than the app answers: each is dealt with before the next one is given out.

Textual gives keys to whatever has the focus when they come. A key that opens a dialog does so a moment later, so
that what was typed right behind it would reach the screen below. Here a key is held back until the one before has gone
its way up to its screen, and until a screen that it opened is there and has the focus.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from textual import events
from textual.dom import DOMNode
from textual.screen import Screen

if TYPE_CHECKING:
    from textual.app import App

PATIENCE = 0.5
"""Seconds after which the next key is given out whatever became of the one before."""
ROUNDS = 2
"""A widget may answer a key with a message of its own, which goes the same way once more."""


class TypeAhead:
    """Gives out keys one after the other.

    Attributes:
        held: whether all that comes has to wait until `release`.
    """

    def __init__(self, app: App[int], give: Callable[[events.Event], Awaitable[None]]) -> None:
        """`give` hands an event to whatever has the focus."""
        self._app = app
        self._give = give
        self._waiting: deque[events.Event] = deque()
        self._given = 0
        self._busy = False
        self.held = False

    @property
    def waiting(self) -> bool:
        """Whether anything has to wait its turn, so that what comes now comes behind it."""
        return self.held or bool(self._waiting)

    @property
    def settled(self) -> bool:
        """Whether all that came has been dealt with."""
        return not (self.waiting or self._busy)

    async def take(self, event: events.Event) -> None:
        """Give an event out now, or when those before it have been dealt with."""
        self._waiting.append(event)
        if not self._busy:
            await self._next()

    def release(self, first: Callable[[], None]) -> None:
        """Do something, and behind it go on with what had to wait."""
        self.held, self._busy = False, True
        self._given += 1
        screen = self._app.screen
        started = self._app.focused or screen
        first()
        self._follow(started, screen)

    def drop(self) -> None:
        """Forget what had to wait."""
        self.held = False
        self._waiting.clear()

    async def _next(self) -> None:
        if self.held or not self._waiting:
            self._busy = False
            return
        self._busy = True
        self._given += 1
        event, screen = self._waiting.popleft(), self._app.screen
        started = self._app.focused or screen
        await self._give(event)
        self._follow(started, screen)

    def _follow(self, started: DOMNode, screen: Screen[object]) -> None:
        """Give out the next key once the one before has been dealt with."""
        _Climb(started, self._app, partial(self._dealt_with, self._given, screen)).go_on()
        self._app.set_timer(PATIENCE, partial(self._done, self._given))

    def _dealt_with(self, number: int, screen: Screen[object]) -> None:
        """The key has gone its way: the next one, once a screen that this one opened is there and has the focus."""
        opened = self._app.screen
        then = partial(self._app.call_later, self._done, number)
        if opened is screen or not opened.call_after_refresh(then):
            then()

    async def _done(self, number: int) -> None:
        if number == self._given and self._busy:
            self._given += 1  # a late call about the same key is none of ours
            await self._next()


class _Climb:
    """Waits until all that is queued from a node up to its screen has been worked off, `ROUNDS` times."""

    def __init__(self, start: DOMNode, app: DOMNode, done: Callable[[], None]) -> None:
        self._start = start
        self._app = app
        self._done = done
        self._at: DOMNode | None = start
        self._left = ROUNDS

    def go_on(self) -> None:
        """Wait for the next queue, or be done."""
        while self._left:
            at = self._at
            if at is None or at is self._app:
                self._left, self._at = self._left - 1, self._start
                continue
            self._at = at.parent
            # As `call_later`, which looks anew each time at what the callback takes: several times a key.
            if at.post_message(events.Callback(self.go_on)):
                return
        self._done()
