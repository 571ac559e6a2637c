"""A person's own editor for a text: `$VISUAL`, `$EDITOR`, or `vi`.

The app gives the terminal away and waits; what the engine tells meanwhile is taken and stored as always. What is saved
in the editor is kept in the session at once, as words that are not entered: whatever ends the app or the editor, they
are there afterwards.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from n8loom_tui.session.drafts import Draft, Place
from n8loom_tui.session.errors import one_line
from n8loom_tui.tui import outside
from n8loom_tui.tui.document import EditError

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp

LOOK_EVERY = 1 / 20
"""Seconds between two looks at what the engine told, and at what was saved, while the editor is open."""
GRACE = 2.0
"""Seconds that the editor gets to end, and to put away what is not saved, when the app has to."""


def command() -> list[str]:
    """The editor to call.

    Raises:
        EditError: `$VISUAL` or `$EDITOR` cannot be read.
    """
    wanted = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        words = shlex.split(wanted)
    except ValueError as error:
        raise EditError(f"$EDITOR is not a command ({error}): {one_line(wanted, 60)}") from None
    return words or ["vi"]


class OutsideEdit:
    """A text on its way through the editor."""

    def __init__(self, app: LoomApp, place: Place, text: str) -> None:
        """`text`: what stands at the place if nothing was written there that is not entered."""
        self._app = app
        self._saving = app.saving
        self._place = place
        self._text = text
        self._held = self._saving.drafts.at(place)
        self._before = text if self._held is None else self._held.text
        self._folder = (self._held.folder if self._held else "") or outside.new_folder()
        self._file = outside.file_in(self._folder)
        self._seen = (0, 0, 0)

    def run(self) -> str | None:
        """Have it edited. Returns what is to be entered; None where nothing was saved, or the app has to end.

        Raises:
            EditError: there is no such editor, or it failed. What it had saved is kept.
        """
        called = command()
        name = one_line(called[0], 60)
        try:
            outside.begin(self._folder, self._before)
            begun = self._seen = _stamp(self._file)
        except OSError as error:
            raise EditError(f"{self._file} can't be made ({error.strerror}).") from None
        self._keep(self._before)
        try:
            code, told = _run([*called, str(self._file)], self._app, self._look)
        except EditError:
            self._leave_as_it_was()
            raise
        text = self._left()
        if code == 0 and not told and _stamp(self._file, begun) != begun:
            self._keep(text)
            return text
        if code == 0 and not told:
            self._leave_as_it_was()
            return None
        if text != self._text or outside.holds_more(self._folder):
            self._keep(text)
            kept = f" What it had saved is kept: {self._app.drafting.key} goes on with it."
        else:
            self._leave_as_it_was()
            kept = ""
        if told:
            os.kill(os.getpid(), told)
            return None
        raise EditError(f"The editor {name} ended with an error ({code}); nothing was changed.{kept}")

    def _look(self) -> None:
        """Keep what was saved since the last look."""
        now = _stamp(self._file, self._seen)
        if now != self._seen:
            self._seen = now
            with contextlib.suppress(OSError, UnicodeDecodeError):
                self._keep(outside.read(self._file, self._before))

    def _left(self) -> str:
        try:
            return outside.read(self._file, self._before)
        except (OSError, UnicodeDecodeError) as error:
            why = one_line(str(error), 60)
            raise EditError(f"What the editor left in {self._file} can't be read ({why}).") from None

    def _keep(self, text: str) -> None:
        self._saving.drafts.keep(self._place, Draft(text, folder=self._folder))
        self._saving.save("draft")

    def _leave_as_it_was(self) -> None:
        """Have the place hold what it held before, and take away the folder that was made for this."""
        if self._held is None:
            self._saving.drafts.forget(self._place)
        elif self._held.folder != self._folder:
            self._saving.drafts.keep(self._place, self._held)
            outside.remove(self._folder)
        self._saving.save("draft")


def _stamp(file: Path, otherwise: tuple[int, int, int] = (0, 0, 0)) -> tuple[int, int, int]:
    """Another one whenever a file was written anew. `otherwise`, where it is not there: it may be on its way."""
    try:
        found = file.stat()
    except OSError:
        return otherwise
    return found.st_ino, found.st_mtime_ns, found.st_size


def _run(called: list[str], app: LoomApp, look: Callable[[], None]) -> tuple[int, int]:
    """Give the terminal to an editor until it ends, and `look` now and then meanwhile. Returns its exit code, and the
    signal that asked for the app's end, if one did: then the editor is asked to end, too.

    Raises:
        EditError: it can't be started, or there is no terminal.
    """
    told: list[int] = []
    latest = float("inf")
    try:
        with app.suspend(), _noting_signals(told), subprocess.Popen(called) as process:
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_EVERY)
                    break
                app.drain()
                look()
                if told and latest == float("inf"):
                    process.terminate()
                    latest = time.monotonic() + GRACE
                elif time.monotonic() > latest:
                    process.kill()
    except SuspendNotSupported:
        raise EditError("This terminal cannot be given to another program; edit the text here.") from None
    except OSError as error:
        name = one_line(called[0], 60)
        raise EditError(
            f"The editor {name} can't be started ({error.strerror}); set $EDITOR to another one."
        ) from None
    return process.returncode, told[0] if told else 0


@contextlib.contextmanager
def _noting_signals(told: list[int]) -> Iterator[None]:
    """Note the signals that ask for the app's end. Ctrl+c is left to the editor: the terminal sends it to both."""
    noting = {
        number: lambda number, _frame: told.append(number) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    noting[signal.SIGINT] = lambda _number, _frame: None
    before = {number: signal.signal(number, handler) for number, handler in noting.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
