"""The app on a terminal of its own: `Terminal(path)` starts `python -m support.in_terminal SESSION` there, on a backend
without a model that streams for ever; the exit, the screen's bytes and the session file tell what became of it."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

PATIENCE = 60.0


class Terminal:
    """A program on a pseudo-terminal that is its controlling one, as in a terminal's window."""

    def __init__(self, session: Path | None, *arguments: str) -> None:
        """`session` None: none is named."""
        self.said = b""
        folders = [str(Path(__file__).parents[1]), *sys.path]
        self.pid, self._handle = pty.fork()
        if self.pid == 0:
            os.environ |= {"PYTHONPATH": os.pathsep.join(folders), "TERM": "xterm-256color", "LINES": "30"}
            os.execv(
                sys.executable, [sys.executable, "-m", "support.in_terminal", str(session or ""), *arguments]
            )

    def until(self, words: bytes, behind: int = 0) -> None:
        """Read what it draws until these words came, `behind` so many bytes."""
        end = time.monotonic() + PATIENCE
        while self.said.find(words, behind) < 0:
            assert time.monotonic() < end, self.said[-2000:]
            self._read(1.0)

    def _read(self, timeout: float) -> bool:
        if not select.select([self._handle], [], [], timeout)[0]:
            return True
        try:
            chunk = os.read(self._handle, 1 << 16)
        except OSError:  # as Linux says that nobody holds the other end any more
            chunk = b""
        self.said += chunk
        return bool(chunk)

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._handle, keys)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def close(self) -> None:
        """Close the window."""
        os.close(self._handle)
        self._handle = -1

    def ended(self) -> int:
        """Wait for the end. Returns the exit code (minus the signal that ended it)."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self._handle >= 0:
                self._read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self._handle >= 0 and self._read(0.05):
                    if not select.select([self._handle], [], [], 0)[0]:
                        break
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError(f"it did not end: {self.said[-2000:]!r}")

    @property
    def restored(self) -> bool:
        """Whether the terminal is as it was: the main screen, with a cursor, and no mouse."""
        return (
            self.said.rfind(b"\x1b[?1049l") > self.said.rfind(b"\x1b[?1049h") and b"\x1b[?1000l" in self.said
        )


def main() -> None:
    """The program. A second argument `break` makes drawing the tree fail once a branch has said something; with `late`
    a session that is there is large, and read only when a signal has asked for the end; with `again` it is opened as it
    is; `cut` makes drawing fail when a text field holds the word."""
    from support.killable import Streaming

    from n8loom_tui import cli
    from n8loom_tui.tui import launch
    from n8loom_tui.tui.widgets.tree import LoomTree

    backend = Streaming()
    backend.free()
    launch.ModelBackend = lambda *_args, **_more: backend  # type: ignore[assignment,misc]
    if sys.argv[2:] == ["break"]:
        draw = LoomTree.render_line

        def broken(tree: LoomTree, y: int) -> object:
            if any(node.text.count("flood") > 3 for node in tree.app.document.nodes.values()):  # type: ignore[attr-defined]
                raise RuntimeError("a widget [/b] broke\x1b[31m")
            return draw(tree, y)

        LoomTree.render_line = broken  # type: ignore[assignment,method-assign]
    if sys.argv[2:] == ["cut"]:
        cut_short()
    late = sys.argv[2:] == ["late"]
    if late:
        read_late()
    prompt = [] if late or sys.argv[2:] == ["again"] else ["--prompt", "Once"]
    session = ["--session", sys.argv[1]] if sys.argv[1] else []
    sys.argv[1:] = [*session, *prompt, "--max-tokens", "4000", "-n", "3"]
    cli.main()


def cut_short() -> None:
    """Have the screen break when a text field is drawn that holds the word `cut`."""
    from n8loom_tui.tui.widgets.field import AreaField

    draw = AreaField.render_line

    def broken(area: AreaField, y: int) -> object:
        if "cut" in area.text:
            raise RuntimeError("a field broke")
        return draw(area, y)

    AreaField.render_line = broken  # type: ignore[assignment,method-assign]


def read_late() -> None:
    """Have all sessions count as large, and the rest of them be read once a signal has come."""
    from n8loom_tui.session import glimpse
    from n8loom_tui.tui.backend import ModelInfo
    from n8loom_tui.tui.glimpsed import Glimpsed, Whole

    whole = Glimpsed.whole

    def read(saving: Glimpsed, model: ModelInfo | None) -> Whole | None:
        while signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
            time.sleep(0.01)
        return whole(saving, model)

    glimpse.LARGE = 1  # type: ignore[misc]
    Glimpsed.whole = read  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
