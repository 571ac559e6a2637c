"""Conditions that make no sense are refused."""

from __future__ import annotations

import pytest

from n8loom_tui.loom.until import (
    EntropyAbove,
    Fork,
    TextSaid,
    TopProbabilityBelow,
)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EntropyAbove(-1), "nats must lie between 0 and 100, not -1"),
        (lambda: EntropyAbove(1, after=-1), "after must be a whole number of at least 0, not -1"),
        (lambda: TopProbabilityBelow(1.5), "p must lie between 0 and 1, not 1.5"),
        (lambda: TextSaid(""), "text must be a text that is not empty, not ''"),
        (lambda: Fork(0.001), "p must lie between 0.0078125 and 1, not 0.001"),
    ],
)
def test_conditions_out_of_range_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
