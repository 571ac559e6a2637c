"""What the app looks at all the time, beside the tree itself: speeds, memory, the details of the node under the cursor,
and the moment for a hint. Called at every drain; costs next to nothing where nothing has changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.protocol import Weighed
from n8loom_tui.tui.hints import CUTS, Hints, Moment
from n8loom_tui.tui.kv_watch import KvWatch, shared_tokens
from n8loom_tui.tui.node_facts import Likelihood, facts

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp

DETAILS_EVERY = 0.25
"""Seconds between two looks at a node that has not been left."""


class Watching:
    """On an app."""

    def __init__(self, app: LoomApp) -> None:
        self._app = app
        self.hints = Hints(app.keymap)
        self._likelihood = Likelihood()
        self._grew: frozenset[str] = frozenset()
        self._shared = 0
        self._told_of: Heddle | None = None
        self._due = 0.0
        self.take_up()

    def take_up(self) -> None:
        """Another document is open: what was said and typed was about the one before."""
        status = self._app.status
        status.said = status.hint = status.pending = ""
        self._kv = KvWatch()
        self._told_of = None

    def weighed(self, event: Weighed) -> None:
        """The engine told what it holds."""
        self._kv.take(event)
        self._due = 0.0

    def engine_gone(self) -> None:
        """Nothing will be answered any more."""
        self._kv.forget()

    def acted(self, action: str, changed: bool) -> None:
        """Something was asked for: a hint has been seen, and this may be the moment for another. `changed`: whether it
        is a step of the history."""
        self._app.status.hint = ""
        if changed and action in CUTS:
            self._give(Moment.CUT)

    def look(self, now: float) -> None:
        """Bring all of it up to date."""
        app, status = self._app, self._app.status
        document, current = app.document, app.view.current
        growing = document.growing
        if not growing:
            status.meter.reset()
        if current is not None and current.id in growing:
            status.branch_meter.look(current.id, len(current.tokens), now)
        if growing.keys() != self._grew:
            self._grew = frozenset(growing)
            self._shared = shared_tokens(growing.values())
        status.shared_bytes = self._shared * status.stats.kv_per_token
        moment = self.hints.moment(bool(growing), document.growth.times, len(document.nodes))
        if moment is not None:
            self._give(moment)
        if app.looks.now.details:
            self._show_details(current, now)

    def _give(self, moment: Moment) -> None:
        given = self.hints.give(moment, self._app.looks.now)
        if given is not None:
            self._app.status.hint, told = given
            self._app.looks.remember(hints_given=told)

    def _show_details(self, node: Heddle | None, now: float) -> None:
        app = self._app
        if app.status.model is not None and not app.status.failure:
            app.ask_engine(self._kv.question(node, app.status.stats.evictions, now))
        if node is self._told_of and now < self._due:
            return
        self._told_of, self._due = node, now + DETAILS_EVERY
        told = (
            ()
            if node is None
            else facts(node, self._likelihood, self._kv.weight, node.id in app.document.growing)
        )
        app.view.details.show(tuple(told))
