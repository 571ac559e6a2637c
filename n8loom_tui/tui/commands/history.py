"""Undo and redo, as many steps at once as are wanted. Many go in stretches, each shown and stored as one change, and
what is pressed meanwhile waits: so it comes to the same as if all of it had been done at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from n8loom_tui.tui.catch_up import CatchUp
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import Change, EditError
from n8loom_tui.tui.slices import SLICE, Spread

AT_ONCE = 9
"""Steps that are done in one go however long they take: what one digit asks for."""
STRETCH = 100
"""Steps of one stretch at most: each may bring or take rows."""


class Undoing(Part):
    """Undo and redo."""

    def do_undo(self, count: int | None) -> None:
        self._travel(self._app.document.undo, count or 1)

    def do_redo(self, count: int | None) -> None:
        self._travel(self._app.document.redo, count or 1)

    def _travel(self, step: Callable[..., Change], count: int) -> None:
        """Undo or redo, as far as there is anything: the first stretch now, the others behind it."""
        if count > AT_ONCE:
            step = partial(step, ask=False)
        stretches = self._stretches(step, count)
        if next(stretches, self) is not self:
            self._app.commands.begin_work()
            self._app.view.run_worker(Spread(self._to_the_end(stretches)), group="history")

    def _to_the_end(self, stretches: Iterator[None]) -> Iterator[None]:
        commands = self._app.commands
        yield from stretches
        self._app.refresh_bars()
        commands.work_over()

    def _stretches(self, step: Callable[[], Change], count: int) -> Iterator[None]:
        """The whole way. It ends where somebody halts it, or the history is no longer as it was left."""
        app, document = self._app, self._app.document
        left, focus, unread = count, None, False
        while left:
            change, left = self._stretch(step, left, first=left == count)
            app.show(change, "history")
            focus, unread = change.focus or focus, unread or bool(change.unencoded)
            if left:
                stands = self._stands()
                yield
                if app.document is not document:
                    return
                if app.commands.halted or self._stands() != stands:
                    break
        app.view.go_to(focus)
        if unread:
            app.catch_up = CatchUp(document, app.view.current)

    def _stretch(self, step: Callable[[], Change], left: int, first: bool) -> tuple[Change, int]:
        """What some steps did together, and how many are left to do.

        Raises:
            EditError: not even the first of all can be done.
        """
        change, whole, until = Change(), left, time.perf_counter() + SLICE
        while left and whole - left < STRETCH:
            if whole - left >= AT_ONCE and time.perf_counter() > until:
                break
            try:
                change.join(step())
            except EditError:
                if first and left == whole:
                    raise
                return change, 0
            left -= 1
        return change, left

    def _stands(self) -> tuple[int, int]:
        """How far the history is done."""
        history = self._app.document.history
        return len(history.undoable), len(history.redoable)
