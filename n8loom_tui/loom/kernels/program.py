"""Programs of compiled code: what each of several threads does in a pass, step by step, without the interpreter."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from .native import Code
from .native.interface import ABORTED, STATE
from .passes import Whole
from .team import side_by_side
from .weights import Step
from .workspace import address

MOST_KEPT = 24
"""How many programs are kept."""
MOST = 16
"""How many whole numbers a step takes at most."""
PAGE = 64
"""How many counters are made at a time."""
LINE = 8
"""How many whole numbers a line of the caches has: counters are not to be in each other's way."""


class Program:
    """The steps of all threads. They wait for each other at barriers."""

    def __init__(self, known: Code, threads: int) -> None:
        self._code, self.threads = known, threads
        self._state = np.zeros(STATE, dtype=np.int64)
        self._counters: list[Whole] = []
        self._counted = 0
        self._written: list[list[Step]] = [[] for _ in range(threads)]
        self._given: list[Whole] = []
        self._steps: list[Whole] = []

    def add(self, thread: int, step: Step | str, *given: int) -> int:
        """One more step of a thread; or a function by its name, with what it takes. Returns its number."""
        self._written[thread].append(step if not isinstance(step, str) else (self._code.steps[step], given))
        return len(self._written[thread]) - 1

    def meet(self) -> None:
        """All threads wait until all have come this far."""
        if self.threads == 1:
            return
        for thread in range(self.threads):
            self.add(thread, "barrier", address(self._state), self.threads)

    def counter(self) -> int:
        """The address of a whole number that threads count with: zero whenever the program begins."""
        page, place = divmod(self._counted, PAGE)
        if page == len(self._counters):
            self._counters.append(np.zeros((PAGE, LINE), dtype=np.int64))
        self._counted += 1
        return address(self._counters[page][place:])

    def finish(self) -> None:
        """Nothing is added any more."""
        for written in self._written:
            given = np.zeros((len(written), MOST), dtype=np.int64)
            for into, (_, arguments) in zip(given, written, strict=True):
                into[: len(arguments)] = arguments
            steps = np.empty((len(written), 2), dtype=np.int64)
            steps[:, 0] = [function for function, _ in written]
            steps[:, 1] = address(given) + np.arange(len(written)) * given[:1].nbytes
            self._given.append(given)
            self._steps.append(steps)
        self._written.clear()

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (*self._given, *self._steps, *self._counters))

    def change(self, thread: int, steps: Sequence[int], first: int, arguments: Whole) -> None:
        """What some of a thread's steps take, `[steps, arguments]`, from their argument number `first` on."""
        self._given[thread][steps, first : first + arguments.shape[1]] = arguments

    def run(self) -> None:
        """Do the steps, each thread its own. Only within `shared_out` if there are several."""
        for counted in (self._state, *self._counters):
            counted[:] = 0
        side_by_side([_Part(self._code, steps, self._state) for steps in self._steps])


class Written(Protocol):
    """What comes with a program."""

    program: Program


W = TypeVar("W", bound=Written)


class Programs:
    """The programs that were in use of late. One that computes in buffers that were given up is written anew."""

    def __init__(self, moves: Callable[[], int]) -> None:
        """`moves`: counts buffers that were given up."""
        self._moves, self._then = moves, moves()
        self._known: OrderedDict[Hashable, Any] = OrderedDict()

    @property
    def nbytes(self) -> int:
        return sum(written.program.nbytes for written in self._known.values())

    def get(self, key: Hashable, write: Callable[[], W]) -> W:
        """What was written for a key, or is now."""
        if self._moves() != self._then:
            self._known.clear()
        if key not in self._known:
            written = write()
            while self._moves() != self._then:
                self._known.clear()
                self._then = self._moves()
                written = write()
            self._known[key] = written
            while len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        found: W = self._known[key]
        return found


class _Part:
    """What one thread does."""

    def __init__(self, known: Code, steps: Whole, state: Whole) -> None:
        self._code, self._steps, self._state = known, steps, state

    def __call__(self) -> None:
        self._code.run(address(self._steps), len(self._steps))

    def abort(self) -> None:
        """Nobody waits any more: one of the threads will not come."""
        self._state[ABORTED] = 1
