"""A text that grows at its end is wrapped as if it had been there from the beginning."""

import random

import pytest

from n8loom_tui.tui.widgets.flow import Flow
from n8loom_tui.tui.widgets.sanitize import visible

PIECES = ["a", " ", "   ", "word", " and", "\n", "\n\n", "忘却", "e", "\u0301", "’", "\x1b", "👨"]
PIECES += ["x" * 25, " " * 30]


def lines_of(spans: list[str], width: int) -> list[tuple[int, str]]:
    flow = Flow(width)
    flow.extend(spans)
    return [(line.offset, line.text) for line in flow.lines]


@pytest.mark.parametrize("seed", range(30))
def test_growth_and_truncation_equal_wrapping_the_whole(seed: int) -> None:
    rng = random.Random(seed)
    width = rng.choice((2, 5, 11, 40))
    flow, spans = Flow(width), [""]
    flow.extend([""])
    for _ in range(200):
        before = list(flow.lines)
        piece = visible("".join(rng.choices(PIECES, k=rng.randrange(1, 6))))
        match rng.random():
            case chance if chance < 0.7:
                first = flow.grow(piece)
                spans[-1] += piece
            case chance if chance < 0.9:
                first = flow.extend([piece, ""])
                spans += [piece, ""]
            case _:
                keep = rng.randrange(len(spans))
                first = min(flow.truncate(keep), flow.extend([piece]))
                spans = [*spans[:keep], piece]
        assert [(line.offset, line.text) for line in flow.lines] == lines_of(spans, width)
        assert flow.lines[:first] == before[:first]
        assert "".join(line.slice for line in flow.lines) == "".join(spans)
        assert flow.length == sum(map(len, spans))


def test_a_line_is_cut_where_a_span_begins() -> None:
    flow = Flow(20)
    flow.extend(["the king", "", " of Uruk\nand", " his wall"])
    assert flow.pieces(0) == [(0, "the king"), (2, " of Uruk")]
    assert flow.pieces(1) == [(2, "and"), (3, " his wall")]
    assert flow.line_at(flow.starts[3]) == 1
    assert [flow.span_at(offset) for offset in (0, 8, 20)] == [0, 2, 3]
