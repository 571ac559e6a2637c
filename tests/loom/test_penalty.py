"""The repetition penalty acts once on each token that was said, and moves it to its place among the others."""

from __future__ import annotations

import math
from array import array

import numpy as np
import pytest

from n8loom_tui.loom.distribution import Distributions
from n8loom_tui.loom.draws import Draw
from n8loom_tui.loom.penalty import Recent
from n8loom_tui.loom.protocol import SamplingParams
from n8loom_tui.loom.ranking import NOTHING, unpacked

pytestmark = pytest.mark.usefixtures("way")


def table_of(size: int) -> np.ndarray:
    """Rows of all kinds: plain, with many equal ones, below zero, with tokens that are ruled out."""
    table = (np.random.default_rng(size).standard_normal((4, size)) * 4).astype(np.float32)
    table[1] = np.round(table[1])
    table[2] -= 50
    table[3, ::3] = -math.inf
    return table


def draw(penalty: float, context: list[int] | array[int], size: int = 1000) -> Draw:
    return Draw(SamplingParams(repetition_penalty=penalty, repetition_context_size=size), 0, 0, context)


def penalised(row: np.ndarray, penalty: float, context: list[int]) -> np.ndarray:
    """A row of logits with the penalty, token by token."""
    row, by = row.copy(), np.float32(penalty)
    for token in set(context):
        if 0 <= token < row.size:
            row[token] = row[token] * by if row[token] < 0 else row[token] / by
    return row


def contexts(table: np.ndarray) -> list[list[int]]:
    """What rows have said: likely tokens, others, some twice, and what is none."""
    rng, size = np.random.default_rng(5), table.shape[1]
    nothing = [-1, -7, size, size + 3, (1 << 31) + 1, (1 << 32) + 2, (1 << 62)]
    likely = [np.argsort(-row)[: 20 * number].tolist() for number, row in enumerate(table)]
    return [[*some, *nothing, *some[:3], *rng.integers(0, size, 9).tolist()] for some in likely]


@pytest.mark.parametrize("size", [1, 30, 4097, 20001])
@pytest.mark.parametrize("rows", [[0, 1, 2, 3], [3, 1]])
def test_each_token_that_was_said_is_looked_up_once(size: int, rows: list[int]) -> None:
    table, said, penalties = table_of(size), contexts(table_of(size)), [1.3, 0.5, 2.0, 7.0]
    draws = [draw(penalties[row], array("q", said[row]) if row % 2 else said[row]) for row in rows]
    recent = Recent.of(table, np.array(rows), draws)
    wanted = [
        (number, token, table[row, token], penalised(table[row], penalties[row], said[row])[token])
        for number, row in enumerate(rows)
        for token in sorted({token for token in said[row] if 0 <= token < size})
    ]
    got = zip(recent.rows, recent.tokens, recent.before, recent.after, strict=True)
    assert list(got) == wanted
    for number in range(len(rows)):
        assert recent.of_row(number)[0].tolist() == [token for row, token, *_ in wanted if row == number]


def test_only_the_last_tokens_count_and_none_without_a_penalty() -> None:
    table = table_of(90)
    draws = [draw(1.5, [5, 6, 7, 8], 2), draw(1.5, [5], 0), draw(1.0, [5, 6]), draw(1.5, [])]
    recent = Recent.of(table, np.arange(4), draws)
    assert list(zip(recent.rows, recent.tokens, strict=True)) == [(0, 7), (0, 8)]
    assert Recent.of(table, np.arange(3), draws[1:]).tokens.size == 0


@pytest.mark.parametrize("size", [30, 4097, 20001])
@pytest.mark.parametrize("penalty", [0.5, 1.0001, 1.3, 100.0])
@pytest.mark.parametrize("count", [1, 20, 64, 300])
def test_tokens_are_moved_to_their_places(size: int, penalty: float, count: int) -> None:
    table = table_of(size)
    said = contexts(table)
    recent = Recent.of(table, np.arange(4), [draw(penalty, context) for context in said])
    keys = Distributions(table, count).keys
    missing = keys.shape[1] == count < size
    edges = unpacked(keys[:, -1])[0] if missing else np.full(4, -math.inf, np.float32)
    before = keys.copy()
    moved = recent.moved(keys, edges)
    np.testing.assert_array_equal(keys, before)
    for row, context, edge, found in zip(table, said, edges, moved, strict=True):
        wanted = penalised(row, penalty, context)
        order = np.lexsort((np.arange(size), -wanted))
        above = order[wanted[order] > edge]
        values, tokens = unpacked(found)
        assert tokens[: above.size].tolist() == above.tolist()
        np.testing.assert_array_equal(values[: above.size], wanted[above])
        rest = found[above.size :]
        assert (rest[np.searchsorted(rest, NOTHING) :] == NOTHING).all()
        assert (unpacked(rest)[0] <= edge).all()


def test_the_penalty_is_put_on_logits_of_the_row_that_said_the_token_alone() -> None:
    table = table_of(50)
    recent = Recent.of(table, np.arange(4), [draw(2.0, context) for context in ([3, 9], [4], [], [9])])
    rows, tokens = np.array([0, 0, 1, 1, 2, 3, 3]), np.array([3, 4, 4, 9, 3, 9, 49])
    logits = table[rows, tokens].astype(np.float64)
    recent.act(rows, tokens, logits)
    wanted = [
        float(penalised(table[row], 2.0, [[3, 9], [4], [], [9]][row])[token])
        for row, token in zip(rows.tolist(), tokens.tolist(), strict=True)
    ]
    assert logits.tolist() == wanted
