"""A person's own editor for a text: `$VISUAL`, `$EDITOR`, or `vi`.

The app gives the terminal away and waits; what the engine tells meanwhile is taken and stored as always.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from n8loom_tui.session.errors import one_line
from n8loom_tui.tui.document import EditError

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp

LOOK_EVERY = 1 / 20
"""Seconds between two looks at what the engine told, while the editor is open."""


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


def edit(text: str, app: LoomApp) -> str:
    """Have a text edited. Returns it as it was left; as it was, if the editor gave up.

    Raises:
        EditError: there is no such editor, or it failed.
    """
    called = command()
    with tempfile.TemporaryDirectory(prefix="n8loom-") as folder:
        file = Path(folder) / "text.txt"
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        _run([*called, str(file)], app)
        try:
            edited = file.read_bytes().decode("utf-8", "surrogatepass")
        except (OSError, UnicodeDecodeError) as error:
            raise EditError(f"What the editor left can't be read ({one_line(str(error))}).") from None
    # Editors end the last line of a file; the text need not end so.
    if edited.endswith("\n") and not text.endswith("\n"):
        edited = edited[:-1]
    return edited


def _run(called: list[str], app: LoomApp) -> None:
    name = one_line(called[0], 60)
    try:
        with app.suspend(), _deaf_to_interrupts(), subprocess.Popen(called) as process:
            while True:
                try:
                    process.wait(LOOK_EVERY)
                    break
                except subprocess.TimeoutExpired:
                    app.drain()
    except SuspendNotSupported:
        raise EditError("This terminal cannot be given to another program; edit the text here.") from None
    except OSError as error:
        raise EditError(
            f"The editor {name} can't be started ({error.strerror}); set $EDITOR to another one."
        ) from None
    if process.returncode:
        raise EditError(f"The editor {name} ended with an error ({process.returncode}); nothing was changed.")


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Leave ctrl+c to the editor: the terminal sends it to both."""
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
