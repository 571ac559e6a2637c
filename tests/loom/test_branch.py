"""A branch draws by what stands before it."""

from __future__ import annotations

import pytest
from tiny import tiny_tokenizer

from n8loom_tui.loom.branch import Branch
from n8loom_tui.loom.draws import Choice
from n8loom_tui.loom.protocol import GivenToken, SamplingParams


@pytest.mark.parametrize("size", [0, 1, 3, 5, 100])
@pytest.mark.parametrize("penalty", [1.0, 1.2])
def test_the_penalty_looks_at_the_last_tokens_of_the_path_and_what_was_drawn(
    size: int, penalty: float
) -> None:
    params = SamplingParams(repetition_penalty=penalty, repetition_context_size=size, max_tokens=50)
    given = (GivenToken(70), GivenToken(71))
    path = [65, 66, 67, 70, 71]
    branch = Branch("b", "r", 7, list(path), params, tiny_tokenizer("plain"), frozenset(), 99, given)
    branch.begin()
    for step, token in enumerate(range(80, 90)):
        draw = branch.draw()
        assert (draw.seed, draw.step) == (7, step)
        wanted = path[-size:] if size and penalty != 1.0 else []
        assert list(draw.recent()) == wanted
        branch.take(Choice(token, -1.0))
        path.append(token)
