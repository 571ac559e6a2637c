"""What grows, and what stops."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError, counted

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp

TWICE = 1.0
"""Seconds within which a second stop means all."""
MANY = 200
"""Growing from more nodes than this at once is asked for twice."""
SEARCH_ENDED = "The search has ended. Once more takes all marks away."


class Weave(Part):
    """What grows, and what stops."""

    def __init__(self, app: LoomApp) -> None:
        super().__init__(app)
        self._stopped_at = 0.0
        self._asked = 0
        """How many branches it was asked about, if it was not answered yet."""

    def _grow(self, nodes: list[Heddle], n: int) -> None:
        app = self._app
        if app.status.failure:
            raise EditError(app.status.failure)
        self._see_meant(nodes, n)
        change = app.document.ramify(nodes, n, app.settings.params)
        for node in nodes:
            if self._tree.is_folded(node):
                self._tree.unfold(node)
        app.show(change, "ramify")
        if len(nodes) > 1:
            app.status.said = f"{n} from each of {counted(len(nodes), 'node')}"
        if not change.requests:
            app.tell("This starts as soon as the node has ended, or the model is loaded.")

    def _see_meant(self, nodes: list[Heddle], n: int) -> None:
        """Have much growth asked for twice: marks and leaves may be more than one sees.

        Raises:
            EditError: this is the first time.
        """
        total = n * len(nodes)
        sure = self._asked == total and self._app.commands.insisted
        self._asked = total if len(nodes) > MANY and not sure else 0
        if self._asked:
            said = f"This grows {total:,} branches; press again to do it."
            self._app.status.said = said
            raise EditError(said)

    def _repeatable(self, grow: Callable[[], None]) -> None:
        """Grow something at the cursor, and keep how, to grow it again elsewhere."""
        grow()
        self._app.commands.again = grow

    def do_ramify(self, count: int | None) -> None:
        n = self._branches(count)
        self._repeatable(lambda: self._grow(self._marked() or [self._node()], n))

    def do_continue_one(self, _count: int | None) -> None:
        self._repeatable(lambda: self._grow(self._marked() or [self._node()], 1))

    def do_ramify_leaves(self, count: int | None) -> None:
        n = self._branches(count)
        self._repeatable(lambda: self._grow(self._app.marked.leaves(self._node()), n))

    def do_stop(self, _count: int | None) -> None:
        app = self._app
        now = time.monotonic()
        below = app.document.growth.below(self._node()) if app.view.current is not None else frozenset()
        everything = now - self._stopped_at < TWICE
        self._stopped_at = now
        if not (everything or below) and (app.document.growing or app.document.waiting):
            app.tell("Nothing grows here. Once more stops everything.")
        elif not (app.document.growing or app.document.waiting):
            if app.finder.query is not None:
                app.view.forget_search()
            elif len(app.marked):
                self._unmark()
        if everything:
            app.document.growth.forget_waiting()
        if everything and app.document.growing:
            app.stop_branches(None)
        elif below:
            app.stop_branches(below)

    def _unmark(self) -> None:
        """Take all marks away, unless somebody has just left a search: then once more is meant to end no more."""
        view = self._app.view
        if view.search_ended:
            view.search_ended = False
            self._app.tell(SEARCH_ENDED)
        else:
            self._app.unmark_all()
