"""Where one has been: the places that leaps were made from, to go back to and forward again. Knows no widget."""

from __future__ import annotations

from collections.abc import Container

MOST = 200
"""Places that are remembered."""


class Jumps:
    """Ids of nodes, as they were left, the latest last. A node that is gone is passed over; it may come back."""

    def __init__(self) -> None:
        self._places: list[str] = []
        self._at = 0
        """Where one stands in them; at their end unless one went back."""

    def leave(self, name: str) -> None:
        """A leap was made from this node. What lay ahead is forgotten."""
        del self._places[self._at :]
        self._push(name)

    def _push(self, name: str) -> None:
        if name in self._places[-1:]:
            self._places.pop()
        self._places.append(name)
        del self._places[:-MOST]
        self._at = len(self._places)

    def back(self, here: str, alive: Container[str]) -> str | None:
        """Where one was before, if anywhere. `here` is where one is: `forward` leads there again."""
        place = self._next(-1, here, alive)
        if place is None:
            return None
        if self._at == len(self._places):
            self._push(here)
        self._at = place
        return self._places[place]

    def forward(self, here: str, alive: Container[str]) -> str | None:
        """Where one was before one went back, if one did."""
        place = self._next(1, here, alive)
        if place is None:
            return None
        self._at = place
        return self._places[place]

    def _next(self, step: int, here: str, alive: Container[str]) -> int | None:
        place = self._at + step
        while 0 <= place < len(self._places):
            if self._places[place] != here and self._places[place] in alive:
                return place
            place += step
        return None
