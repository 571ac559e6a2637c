"""Room for what rows add, made ahead of need."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .columns import ROOM_STEP, Columns


class Room:
    """Makes the stores larger ahead of need, a few at every step, so that no step waits for all of them."""

    AHEAD = 12
    """How many columns before the last one the stores begin to grow, at least."""
    PART = 4
    """They begin at that part of the columns in use before the last one: what is large grows in more steps."""
    MARGIN = 4
    """How many columns before the last one they have all grown."""

    def __init__(self, stores: Sequence[Columns], let_go: Callable[[], None]) -> None:
        """`let_go` is called before stores may become larger: whoever holds on to their memory lets go of it, so that
        one store at a time is there twice, as is counted beforehand."""
        self._stores, self._let_go = stores, let_go
        self.clear()

    def clear(self) -> None:
        """The stores are empty."""
        self._rows = self._width = 0
        self._grown = self._share = len(self._stores)

    def planned(self, running: int, more: int, width: int) -> int:
        """How many tokens there would be room for with `more` rows, none of which gets wider than `width`."""
        rows, columns = self._rows_for(running, more), -(-width // ROOM_STEP) * ROOM_STEP
        return rows * max(columns, self._width)

    def _rows_for(self, running: int, more: int) -> int:
        return self._rows if running + more <= self._rows else running + more + running // 2

    def admit(self, running: int, more: int) -> None:
        """Have room for `more` rows beside those that run, and for some that may follow."""
        self._let_go()
        self._rows = self._rows_for(running, more)
        for store in self._stores:
            store.reserve(self._rows, self._width)

    def tend(self, width: int, reach: int) -> None:
        """Called at every step, with the columns in use, and how many there may be at most."""
        if self._grown >= len(self._stores):
            ahead = max(self.AHEAD, width // self.PART)
            if min(width + ahead, reach) <= self._width:
                return
            wanted = min(max(width + ahead + 1, 2 * width), reach)
            self._share = -(-len(self._stores) // (ahead - self.MARGIN))
            self._width = -(-wanted // ROOM_STEP) * ROOM_STEP
            self._grown = 0
        self._let_go()
        for store in self._stores[self._grown : self._grown + self._share]:
            store.reserve(self._rows, self._width)
        self._grown += self._share
