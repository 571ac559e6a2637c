"""The ends that somebody else brings: the terminal is closed, the machine shuts down, `kill`. All is stored, the
terminal is restored where there still is one, and the program ends in any case.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
BEHIND_A_SIGNAL = 128
"""What a shell adds to a signal's number for the exit code of a program that it ended."""
GRACE = 8.0
"""Seconds that the program gets to end behind a signal. A terminal that is gone may never answer."""
MOST = 4.0
"""How many of them what was typed before it may take, such as words that wait for a large session to be read."""
LOOK = 0.02
"""Seconds after which it is looked up whether that is dealt with."""


def end_when_told(end: Callable[[int], None], settled: Callable[[], bool]) -> None:
    """Have the first of the signals that ask for the program's end call `end(exit code)` on the running loop, once
    all is `settled` that was typed before.

    Does nothing on a thread that gets no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()

    def told(number: int) -> None:
        code = BEHIND_A_SIGNAL + number
        watchdog = threading.Timer(GRACE, os._exit, (code,))
        watchdog.daemon = True
        watchdog.start()
        for other in SIGNALS:
            with contextlib.suppress(ValueError):
                loop.remove_signal_handler(other)
        for other in SIGNALS:
            signal.signal(other, signal.SIG_IGN)  # one is enough: a shell and a terminal may both send theirs
        end_settled(code, loop.time() + MOST)

    def end_settled(code: int, latest: float) -> None:
        if settled() or loop.time() >= latest:
            end(code)
        else:
            loop.call_later(LOOK, end_settled, code, latest)

    for number in SIGNALS:
        loop.add_signal_handler(number, told, number)
