"""Reading the rest of a large session behind what is shown of it already.

The cursor can walk about in what is shown. All else that a person does meanwhile waits, in its order, and is done once
everything is there: that takes one to two seconds for a hundred thousand nodes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from textual import events

from n8loom_tui.session.errors import SessionError
from n8loom_tui.tui.backend import ModelInfo
from n8loom_tui.tui.glimpsed import Glimpsed, Whole
from n8loom_tui.tui.saving import Saving
from n8loom_tui.tui.typeahead import TypeAhead

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp

WAITS = "The session is being opened; what you do waits a moment."
GONE = "The node that you stood on is no longer there; what you did meanwhile was left undone."
STEPS = {"row_up": -1, "row_down": 1}


class Filling:
    """On an app."""

    def __init__(self, app: LoomApp, typed: TypeAhead) -> None:
        self._app = app
        self._typed = typed
        self._waits: tuple[str, int | None] | None = None
        self._read: deque[tuple[Glimpsed, Whole | Exception | None]] = deque()

    @property
    def active(self) -> bool:
        """Whether not all of the session that is open is there yet."""
        return isinstance(self._app.saving, Glimpsed)

    def begin(self) -> None:
        """Read the rest of the session that is open."""
        saving = self._app.saving
        assert isinstance(saving, Glimpsed)
        reading = saving, self._app.status.model
        threading.Thread(target=self._run, args=reading, name="filling", daemon=True).start()

    def _run(self, saving: Glimpsed, model: ModelInfo | None) -> None:
        whole: Whole | Exception | None
        try:
            whole = saving.whole(model)
        except Exception as error:  # noqa: BLE001 - the app's thread is to learn of it, whatever it was
            whole = error
        if saving.left and isinstance(whole, Whole):
            whole.saving.close()
        else:
            self._read.append((saving, whole))

    # -------------------------------------------------------------- meanwhile

    def puts_off(self, action: str, count: int | None) -> bool:
        """Whether an action, and whatever is done behind it, has to wait until everything is there."""
        if not self.active or action == "quit" or self._stays_near(action, count):
            return False
        self._waits = action, count
        self._hold()
        return True

    def _stays_near(self, action: str, count: int | None) -> bool:
        """Whether the cursor only goes where all is there."""
        view, saving = self._app.view, self._app.saving
        step = STEPS.get(action)
        if step is None or view.reading or not isinstance(saving, Glimpsed):
            return False
        rows = view.tree_view.rows
        there = rows.node_at(rows.cursor_index + step * (count or 1))
        return there is not None and there.id in saving.near

    def hold_mouse(self, event: events.Event) -> bool:
        """Whether this is something done with the mouse, which has to wait its turn among the keys."""
        mouse = isinstance(event, events.MouseEvent) and not isinstance(event, events.MouseMove)
        if mouse and self.active:
            self._hold()
        return mouse and self._typed.waiting

    def _hold(self) -> None:
        self._typed.held = True
        self._app.status.said = WAITS
        self._app.refresh_bars()

    # ----------------------------------------------------------- all is there

    def look(self) -> None:
        """Show what was read, if all of it is. Called often."""
        while self._read:
            self._take(*self._read.popleft())

    def _take(self, glimpsed: Glimpsed, whole: Whole | Exception | None) -> None:
        if glimpsed is not self._app.saving:
            if isinstance(whole, Whole):
                threading.Thread(target=whole.saving.close, name="leaving", daemon=True).start()
            return
        match whole:
            case Whole():
                self._show(glimpsed, whole)
            case SessionError():
                self._give_up(glimpsed, whole)
            case Exception():
                raise whole

    def _show(self, glimpsed: Glimpsed, whole: Whole) -> None:
        app, tree = self._app, self._app.view.tree_view
        here, line, pending = tree.cursor_node, tree.cursor_line, app.status.pending
        rows, document = whole.shape.rows, whole.saving.document
        seen = [node.id for node in glimpsed.document.nodes.values() if not node.marks.unread]
        rows.visited.restore(tree.rows.visited.told(glimpsed.document.nodes))
        if here is not None and here.id in document.nodes:
            rows.move_to(document.nodes[here.id])
        app.take_up(whole.saving, ready_for=whole.model)
        app.status.pending = pending
        app.view.use_document(document)
        app.whereabouts.take_up(time.monotonic(), whole.shape, line)
        for name in seen:
            if name in document.trees.unread:
                app.view.show_change(document.read(document.trees.unread[name]))
        app.whereabouts.moved = here is not None and here.id != whole.saving.current_id
        app.catch_up = whole.catch_up
        app.opened()
        if self._typed.held and here is not None and here.id not in document.nodes:
            self._forget_what_waited()
            app.tell(GONE, "warning")
        elif self._typed.held:
            self._typed.release(self._do_what_waited)

    def _do_what_waited(self) -> None:
        waits, self._waits = self._waits, None
        if waits is not None:
            self._app.perform(*waits)

    def _forget_what_waited(self) -> None:
        self._waits = None
        self._typed.drop()

    def _give_up(self, glimpsed: Glimpsed, error: SessionError) -> None:
        """Nothing can be read any more, though a part could: what was done meanwhile was meant for it."""
        app = self._app
        glimpsed.close()
        self._forget_what_waited()
        app.tell(str(error), "error")
        app.take_up(Saving())
        app.view.use_document(app.document)
        app.whereabouts.take_up(time.monotonic())
        app.opened()
