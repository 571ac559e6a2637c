"""What may be chosen, and what is said of what may not."""

from __future__ import annotations

from typing import Any

import pytest

from n8loom_tui.bench.settings import BenchSettings, Section, chosen


def test_what_is_not_chosen_stays_as_it_is() -> None:
    assert chosen() == BenchSettings()
    assert chosen(quick=True) == BenchSettings.quick()
    mine = chosen(quick=True, prefixes="64, 9", branches="2", seed=7)
    assert (mine.prefixes, mine.branches, mine.seed) == ((64, 9), (2,), 7)
    assert mine.rounds == BenchSettings.quick().rounds


def test_sections_come_in_their_order() -> None:
    assert chosen(sections=[]).sections == tuple(Section)
    assert chosen(sections=[Section.PREFILL, Section.DECODE]).sections == (Section.DECODE, Section.PREFILL)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"prefixes": "1e3"}, "no list of whole numbers"),
        ({"branches": ""}, "no list of whole numbers"),
        ({"branches": "0,1"}, "branches must be at least 1"),
        ({"branches": "4,4"}, "branches: each of them once"),
        ({"prefixes": "1"}, "at least 2 tokens"),
        ({"rounds": 0}, "rounds must be at least 1"),
        ({"steps": -1}, "steps must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_what_makes_no_sense_is_refused(choice: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        chosen(**choice)


def test_a_path_has_no_more_nodes_than_tokens() -> None:
    with pytest.raises(ValueError, match="no 11 nodes"):
        BenchSettings(depth_tokens=10, depths=(1, 11))
