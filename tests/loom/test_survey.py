"""Which nodes have lost their fragments: only those whose fragments were there."""

from __future__ import annotations

from n8loom_tui.loom.radix import common_length
from n8loom_tui.loom.survey import Spot, Survey, survey


class Store:
    """Holds some paths, and remembers others."""

    def __init__(self, held: list[list[int]], known: list[list[int]]) -> None:
        self.held, self.known = held, [*held, *known]

    @staticmethod
    def _longest(paths: list[list[int]], path: list[int]) -> int:
        return max((common_length(path, other, 0) for other in paths), default=0)

    def match_length(self, path: list[int]) -> int:  # type: ignore[override]
        return self._longest(self.held, path)

    def known_length(self, path: list[int]) -> int:  # type: ignore[override]
        return self._longest(self.known, path)


def evicted(store: Store, *spots: Spot) -> set[str]:
    return set(survey(store, Survey("s", spots)).evicted)  # type: ignore[arg-type]


ROOT = Spot("root", -1, (), (1, 2))
CHILD = Spot("child", 0, (), (3, 4))
OTHER = Spot("other", 0, (9,), (5,))


def test_what_is_held_and_what_was_never_read_is_not_evicted() -> None:
    assert evicted(Store([[1, 2, 3, 4]], []), ROOT, CHILD, OTHER) == set()
    assert evicted(Store([], []), ROOT, CHILD, OTHER) == set()


def test_what_was_there_in_part_at_least_is_evicted() -> None:
    assert evicted(Store([[1, 2]], [[1, 2, 3]]), ROOT, CHILD, OTHER) == {"child"}
    assert evicted(Store([[1, 2, 3]], [[1, 2, 3, 4]]), ROOT, CHILD) == {"child"}
    assert evicted(Store([], [[1, 2, 3, 4], [1, 2, 9, 5]]), ROOT, CHILD, OTHER) == {"root", "child", "other"}
    assert evicted(Store([], [[1, 2, 9]]), ROOT, OTHER) == {"root"}, "only what stands between them was read"
