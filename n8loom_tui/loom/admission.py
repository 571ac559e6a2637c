"""Which waiting branches join those that decode, and what the budget for fragments says to that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from .branch import Branch
from .budget import Budget
from .intake import Intake
from .jobs import Pick, Queue, Waiting
from .pins import Pin
from .reading import Reader
from .rows import Joining, Rows

ALONE = 4
"""For how many requests it is tried whether they fit by themselves, where the first does not."""


class Admission:
    """Lets the waiting branches of one engine join its rows, and keeps the paths that these go on from in the store."""

    def __init__(self, reader: Reader, queue: Queue, intake: Intake, budget: Budget) -> None:
        self._reader, self._queue, self._intake, self._budget = reader, queue, intake, budget
        self._pins: dict[str, Pin] = {}
        """What keeps the path of a running branch in the store, by the branch's id."""

    @property
    def pinned(self) -> int:
        """For how many branches paths are kept in the store."""
        return len(self._pins)

    def picks(self, rows: Rows[Branch], most: int) -> list[Pick]:
        """Up to so many branches that join next: their paths are covered, and there is memory for them."""
        if most <= 0 or not len(self._queue):
            return []
        running = Counter(row.owner.request_id for row in rows.rows)
        return self._fitting(rows, self._alike(rows, self._queue.picks(most, running, self._intake.covers)))

    def _alike(self, rows: Rows[Branch], picks: list[Pick]) -> list[Pick]:
        """Of picks those that may be in one batch with each other and with the running rows.

        A path of one token has no state before it yet, and a model may treat that unlike a state of zeros.
        """
        if not self._reader.layout.state or not picks:
            return picks
        fresh = not picks[0].source.before
        if fresh and len(rows):
            return []
        return [pick for pick in picks if (not pick.source.before) == fresh]

    def _fitting(self, rows: Rows[Branch], picks: list[Pick]) -> list[Pick]:
        """As many picks as there is memory for, with what they go on from. If none, a few by themselves.

        One row fits always, or nothing could ever run.
        """
        least = 0 if len(rows) else 1
        fits = picks
        while len(fits) > least and self.needed(rows, fits) > self._reader.store.budget:
            fits = fits[: max(least, len(fits) * 3 // 4 - 1)]
        firsts = {pick.job.id: pick for pick in reversed(picks)}  # of each request
        if picks and not fits:
            alone = list(firsts.values())[::-1][:ALONE]
            fits = next(
                ([pick] for pick in alone if self.needed(rows, [pick]) <= self._reader.store.budget), []
            )
        for put_off in firsts.keys() - {pick.job.id for pick in fits}:
            firsts[put_off].job.put_off += 1
        return fits

    def needed(self, rows: Rows[Branch], picks: list[Pick]) -> int:
        """How many bytes are in use at most if these join."""
        return self._budget.needed(rows, _joining(picks), self._reader.store)

    def join(self, rows: Rows[Branch], picks: list[Pick]) -> None:
        """Add the rows of picks.

        Raises:
            ValueError: a path is not held any more. The rows are as they were.
        """
        store = self._reader.store
        joining = _joining(picks)
        pins = {id(one): store.pin(one.path[:-1]) for one in joining}
        now = rows.footprint([replace(one, reach=0) for one in joining], store)
        store.make_room(max(0, now - rows.nbytes))
        rows.join(joining, store)
        for one in joining:
            self._pins.update((branch.id, pins[id(one)]) for branch in one.owners)
        self._budget.allow(rows, store)

    def let_go(self, branches: Iterable[Branch] | None = None) -> None:
        """Let the store drop what these branches, or all, have gone on from."""
        if branches is None:
            self._pins.clear()
        else:
            for branch in branches:
                self._pins.pop(branch.id, None)


def _joining(picks: list[Pick]) -> list[Joining[Branch]]:
    """Picks by source. Each row's reach is counted as the longest of its source."""
    sources: dict[Waiting, list[Branch]] = {}
    for pick in picks:
        sources.setdefault(pick.source, []).append(pick.branch)
    return [
        Joining(source.path, branches, max(branch.reach for branch in branches))
        for source, branches in sources.items()
    ]
