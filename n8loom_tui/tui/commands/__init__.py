"""What each action does. One part for each group of the registry, or for one feature; a mode puts its own first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from n8loom_tui.tui.actions import ACTIONS
from n8loom_tui.tui.commands.adaptive import Adaptive
from n8loom_tui.tui.commands.cut import Cut
from n8loom_tui.tui.commands.file import File
from n8loom_tui.tui.commands.files import Files
from n8loom_tui.tui.commands.find import Find
from n8loom_tui.tui.commands.history import Undoing
from n8loom_tui.tui.commands.hoist import Hoist
from n8loom_tui.tui.commands.leaps import Leaps
from n8loom_tui.tui.commands.look import Look
from n8loom_tui.tui.commands.mark import Mark
from n8loom_tui.tui.commands.move import Move
from n8loom_tui.tui.commands.part import Command, Part
from n8loom_tui.tui.commands.picture import Picture
from n8loom_tui.tui.commands.search import Search
from n8loom_tui.tui.commands.sets import Sets
from n8loom_tui.tui.commands.settings import Set
from n8loom_tui.tui.commands.siblings import Siblings
from n8loom_tui.tui.commands.tokens import Tokens
from n8loom_tui.tui.commands.views import Views
from n8loom_tui.tui.commands.weave import Weave
from n8loom_tui.tui.commands.write import Write

if TYPE_CHECKING:
    from textual.message import Message

    from n8loom_tui.tui.app import LoomApp

PARTS: tuple[type[Part], ...] = (
    Move,
    Weave,
    Adaptive,
    Write,
    Cut,
    Undoing,
    Siblings,
    Mark,
    Sets,
    Look,
    Tokens,
    Views,
    Hoist,
    Find,
    Search,
    Leaps,
    Picture,
    Set,
    File,
    Files,
)


class Commands:
    """The actions, on an app.

    Attributes:
        mode: while one is on (such as the token cursor) what it does comes before what the parts do; the keys
            stay those of the keymap.
        again: grows at the cursor what was grown last, in the same way; None: nothing was.
        insisted: whether what is done now was also the last thing that was asked for.
        working: whether something goes on for a while, so that what is asked for waits.
        halted: whether the work under way is to end where it is.
    """

    def __init__(self, app: LoomApp) -> None:
        self._app = app
        self._does: dict[str, Command] = {}
        for part in PARTS:
            self._does.update(part(app).commands())
        self.mode: Part | None = None
        self.again: Callable[[], None] | None = None
        self.insisted = False
        self.halted = False
        self._last = ""
        self.working = False
        self._waiting: deque[tuple[str, int | None]] = deque()

    def perform(self, action: str, count: int | None) -> None:
        """Do an action.

        Raises:
            EditError: it can't be done here; the message says why.
        """
        if self.working:
            self._put_off(action, count)
            return
        self.insisted, self._last = action == self._last, action
        view, before = self._app.view, self._app.view.current
        if action != "stop":
            view.search_ended = False
        if self.mode is not None:
            self.mode.settle()  # what it stands on may have gone, or the text be another one; it may end by this
        own = self.mode.commands() if self.mode is not None else {}
        own.get(action, self._does[action])(count)
        if ACTIONS[action].leap and before is not None and view.current is not before:
            view.jumps.leave(before.id)

    def begin_work(self) -> None:
        """Something goes on for a while: what is asked for waits until it is over. Stopping halts it."""
        self.working, self.halted = True, False

    def work_over(self) -> None:
        """Do what was asked for meanwhile."""
        self.working = False
        while self._waiting and not self.working and self._app.commands is self:
            self._app.perform(*self._waiting.popleft())

    def _put_off(self, action: str, count: int | None) -> None:
        if action == "stop":
            self._waiting.clear()
            self.halted = True
        else:
            self._waiting.append((action, count))

    def clicked(self, message: Message) -> None:
        """Something that a mode may be about was clicked."""
        if self.mode is not None:
            self.mode.clicked(message)
