"""The terminal: what comes from it, read on a thread of its own (keys, the mouse, and pastes), and what goes there.

A terminal that was asked for it (xterm's *bracketed paste mode*) puts marks around what is pasted. All between them is
text, whatever it holds: Textual by itself takes an escape sequence in it apart and gives its characters out as keys, so
that a text from anywhere could press `d` or `q`.
"""

from __future__ import annotations

import codecs
import os
import select
import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import IO, Any, Final

from textual import events
from textual._xterm_parser import XTermParser
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

BEGIN: Final = "\x1b[200~"
END: Final = "\x1b[201~"
PATIENCE: Final = 5.0
"""Seconds of silence after which a paste is over though nothing said so. Longer than a connection stumbles, for what
comes behind it are keys again; and an end that got lost takes the keyboard for no longer than this."""
LOOK: Final = 0.1
"""Seconds after which it is looked up whether a key or a paste is over, or the program."""
PORTION: Final = 1 << 16
"""Bytes that are read at once."""


class InputParser(XTermParser):
    """Makes messages of a terminal's characters, wherever these are cut into portions."""

    def __init__(self, debug: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(debug)
        self._clock = clock
        self._last = ""
        """The last characters outside a paste: they may begin `BEGIN`."""
        self._paste: list[str] | None = None
        """What has come of a paste."""
        self._tail = ""
        """The last characters of it: they may begin `END`."""
        self._heard = 0.0

    def feed(self, data: str) -> Iterator[Message]:
        """What these characters say. None of them: it is the end."""
        if not data:
            yield from super().feed(data)
        while data:
            data = yield from (self._outside(data) if self._paste is None else self._inside(data))

    def tick(self) -> Iterator[Message]:
        """What has become clear by time alone."""
        yield from super().tick()
        if self._paste is not None and self._clock() - self._heard > PATIENCE:
            yield from self._over()

    def _outside(self, data: str) -> Generator[Message, None, str]:
        """Take keys, up to where a paste begins. Returns what is left."""
        seen = self._last + data
        at = seen.find(BEGIN)
        stop = len(data) if at < 0 else at + len(BEGIN) - len(self._last)
        yield from super().feed(data[:stop])
        self._last = seen[1 - len(BEGIN) :] if at < 0 else ""
        if at >= 0:
            self._paste, self._tail, self._heard = [], "", self._clock()
        return data[stop:]

    def _inside(self, data: str) -> Generator[Message, None, str]:
        """Take what is pasted, up to where that ends. Returns what is left."""
        assert self._paste is not None
        self._heard = self._clock()
        seen = self._tail + data
        at = seen.find(END)
        if at < 0:
            self._paste.append(data)
            self._tail = seen[1 - len(END) :]
            return ""
        stop = at + len(END) - len(self._tail)
        self._paste.append(data[:stop])
        yield from self._over(len(END))
        return data[stop:]

    def _over(self, mark: int = 0) -> Iterator[Message]:
        """A paste is over. Its last `mark` characters say that."""
        text, self._paste = "".join(self._paste or ()), None
        if text := text[: len(text) - mark].replace("\0", ""):
            yield events.Paste(text)
        # Textual's own parser has seen the beginning, and nothing since: to it, it was an empty one.
        yield from (told for told in super().feed(END) if not isinstance(told, events.Paste))


class Output:
    """The terminal's other direction. What a terminal that is gone refuses is dropped: were that an error, it would end
    the thread that writes, and whoever has it write would wait for ever."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._gone = False

    def fileno(self) -> int:
        """The file's descriptor."""
        return self._file.fileno()

    def write(self, text: str) -> None:
        """Write a text."""
        self._attempt(lambda: self._file.write(text))

    def flush(self) -> None:
        """Have all of it written."""
        self._attempt(self._file.flush)

    def _attempt(self, what: Callable[[], object]) -> None:
        if not self._gone:
            try:
                what()
            except OSError:
                self._gone = True


class TerminalDriver(LinuxDriver):
    """Textual's driver, but for how it reads, and for what becomes of it when the terminal goes. Bytes that are no
    UTF-8 are told as U+FFFD."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        if self._file is not None:
            output: Any = Output(self._file)
            self._file = output

    def run_input_thread(self) -> None:
        """Read what comes until the program ends."""
        parser = InputParser(self._debug)
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        while not self.exit_event.is_set():
            if select.select([self.fileno], [], [], LOOK)[0]:
                try:
                    portion = os.read(self.fileno, PORTION)
                except OSError:  # it is gone: an end as when the system says so, which may not have come yet
                    os.kill(os.getpid(), signal.SIGHUP)
                    return
                if not portion:  # nobody is there any more
                    self.exit_event.wait(LOOK)
                if text := decode(portion):
                    self._tell(parser.feed(text))
            self._tell(parser.tick())

    def _sigcont_application(self, *_: Any) -> None:
        """The process goes on. Where it was stopped unasked (SIGSTOP) its threads are there still: begun a second time,
        two of them would read the keys, and the program would never end."""
        if not self._auto_restart or self._must_signal_resume:
            super()._sigcont_application()
        else:
            self._loop.call_soon_threadsafe(self._begin_anew)

    def _begin_anew(self) -> None:
        """Put the terminal into the mode it was in, and have all drawn again: a shell may have been there meanwhile."""
        if self._key_thread is not None and self._key_thread.is_alive():  # else it is ending
            self.disable_input()
            self.close()
            self.start_application_mode()  # type: ignore[no-untyped-call]

    def _tell(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.process_message(message)


def terminal_driver(usual: type[Driver]) -> type[Driver]:
    """The driver for the app, where Textual would take `usual`: another one is somebody's wish."""
    return TerminalDriver if usual is LinuxDriver else usual
