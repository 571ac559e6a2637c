"""What is known of tokens survives being packed, cut and joined, whatever its shape."""

from __future__ import annotations

import math
import random

import pytest

from n8loom_tui.loom.odds import Odds
from n8loom_tui.loom.protocol import Alternative

Row = tuple[float, tuple[Alternative, ...], float]
UNKNOWN: Row = (math.nan, (), math.nan)


def rows(count: int, seed: int = 0, vocabulary: int = 50_000) -> list[Row]:
    """Tokens of which more or less is known."""
    draw = random.Random(seed)
    made: list[Row] = []
    for _ in range(count):
        others = [
            Alternative(draw.randrange(vocabulary), -draw.expovariate(0.2))
            for _ in range(draw.choice([0, 2, 8, 9]))
        ]
        known = (-draw.expovariate(0.5), tuple(sorted(others, key=lambda a: -a.logprob)), draw.uniform(0, 9))
        made.append(draw.choice([known, known, UNKNOWN]))
    return made


def odds_of(known: list[Row]) -> Odds:
    odds = Odds()
    for row in known:
        odds.append(*row)
    return odds


def assert_same(odds: Odds, known: list[Row]) -> None:
    """To the precision that the odds are kept in."""
    assert len(odds) == len(known)
    for index, (logprob, others, entropy) in enumerate(known):
        got = odds.at(index)
        assert got[0] == pytest.approx(logprob, rel=1e-6, nan_ok=True)
        assert [a.token for a in got[1]] == [a.token for a in others]
        assert [a.logprob for a in got[1]] == pytest.approx([a.logprob for a in others], abs=6e-4)
        assert got[2] == pytest.approx(entropy, rel=1e-6, nan_ok=True)
    assert odds.logprobs == pytest.approx([row[0] for row in known], rel=1e-6, nan_ok=True)
    assert odds.entropies == pytest.approx([row[2] for row in known], rel=1e-6, nan_ok=True)
    assert [len(others) for others in odds.alternatives] == [len(row[1]) for row in known]


@pytest.mark.parametrize("count", [0, 1, 40])
@pytest.mark.parametrize("vocabulary", [300, 65_536, 260_000])
def test_odds_are_the_same_after_packing(count: int, vocabulary: int) -> None:
    known = rows(count, 1, vocabulary)
    odds = odds_of(known)
    assert_same(odds, known)
    data = odds.pack()
    assert_same(odds, known)
    assert_same(Odds.unpack(data), known)
    assert Odds.unpack(data).pack() == data


def test_they_are_small() -> None:
    """40 bytes a token, with eight alternatives out of 49,152."""
    others = tuple(Alternative(49_151 - i, -i / 3) for i in range(8))
    odds = Odds.of([-1.0] * 100, [others] * 100, [2.0] * 100)
    assert len(odds.pack()) == 2 + 100 * 40


def test_they_grow_on_after_packing() -> None:
    known = rows(12, 2)
    odds = odds_of(known[:5])
    for row in known[5:]:
        odds.pack()
        odds.append(*row)
    assert_same(odds, known)


def test_parts_and_what_they_are_joined_to() -> None:
    known = rows(20, 3)
    odds = odds_of(known)
    for start, stop in ((0, 20), (0, 7), (7, 20), (5, 5), (0, 0)):
        assert_same(odds.part(start, stop), known[start:stop])
    parts: list[tuple[Odds | None, int]] = [(odds.part(0, 7), 7), (None, 2), (odds.part(7, 20), 13)]
    joined = Odds.joined(parts)
    assert joined is not None
    assert_same(joined, [*known[:7], UNKNOWN, UNKNOWN, *known[7:]])
    assert Odds.joined([(None, 3), (None, 4)]) is None


def test_it_can_be_told_that_nothing_is_known() -> None:
    assert Odds().blank
    assert odds_of([UNKNOWN, UNKNOWN]).blank
    odds = odds_of([UNKNOWN, (math.nan, (Alternative(1, -1.0),), math.nan), UNKNOWN])
    assert not odds.blank
    assert odds.part(0, 1).blank
    assert not odds_of([(-1.0, (), math.nan)]).blank
    assert not odds_of([(math.nan, (), 1.0)]).blank


def test_very_improbable_alternatives_are_as_improbable_as_can_be_told() -> None:
    odds = Odds.of([-100.0], [(Alternative(1, -500.0), Alternative(2, -math.inf))])
    assert odds.logprobs == [-100.0]
    assert [round(a.logprob) for a in odds.alternatives[0]] == [-64, -64]


@pytest.mark.parametrize(
    "data", [b"", b"\x08", b"\x08\x03", b"\xff\x02", b"\x01\x02" + b"x" * 11, b"\x00\x02xxx"]
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not the odds"):
        Odds.unpack(data)


def test_bytes_of_the_right_length_are_never_more_than_wrong() -> None:
    draw = random.Random(4)
    for _ in range(200):
        odds = Odds.unpack(b"\x03\x04" + draw.randbytes(26 * 5))
        assert all(math.isnan(value) or value <= 0 for value in odds.logprobs)
        assert all(math.isnan(value) or 0 <= value < math.inf for value in odds.entropies)
        assert all(a.logprob <= 0 for others in odds.alternatives for a in others)
        assert Odds.unpack(odds.part(1, 3).pack()).alternatives == odds.alternatives[1:3]
