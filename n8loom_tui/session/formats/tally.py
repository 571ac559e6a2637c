"""What could not be carried over, counted and named: nothing is left out in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from n8loom_tui.session.errors import one_line

MOST_NAMES = 30
"""Names in a line."""
MOST_KINDS = 1000
"""Names that are counted each."""
OTHERS = "others"


class Tally:
    """Counts by name. `left_out`: things there is no place for. `mended`: what was not in order, and what was made
    of it."""

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        self.mended: Counter[str] = Counter()

    def unknown(self, found: Mapping[str, object], known: frozenset[str]) -> None:
        """Count the keys of an object that nobody reads, unless there is nothing in them."""
        if found.keys() <= known:
            return
        for key in found:
            if key not in known and not _says_nothing(found[key]):
                name = key if key in self.left_out or len(self.left_out) < MOST_KINDS else OTHERS
                self.left_out[name] += 1

    def lines(self, place: str) -> list[str]:
        """A line for each thing mended, and one for all that was left out because `place` has no room for it."""
        lines = [one_line(f"{what}: {count:,}.") for what, count in self.mended.items() if count]
        if self.left_out:
            names = self.left_out.most_common()
            lines.append(f"Left out, since {place} has no place for it: {_listed(names)}.")
        return lines


def _says_nothing(value: object) -> bool:
    return value is None or value is False or value in ("", [], {})


def _listed(names: Iterable[tuple[str, int]]) -> str:
    entries = [f"{one_line(name, 60)} ({count:,})" for name, count in names]
    more = len(entries) - MOST_NAMES
    return ", ".join(entries[:MOST_NAMES]) + (f" and {more:,} more kinds" if more > 0 else "")
