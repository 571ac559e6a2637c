"""The next tokens of all branches of a step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from .branch import Branch
from .distribution import BrokenLogits
from .draws import Choice, Draw
from .kernels.team import rows_apart, shared_out, side_by_side
from .rows import Logits
from .sampling import choose

WORK = 8
"""How many multiplications choosing among the tokens of a row takes for each of them, about."""


def choices(branches: Sequence[Branch], table: Logits, *, apart: bool) -> list[Choice | BrokenLogits]:
    """Each branch's next token, or why there is none.

    Args:
        table: the branches' logits, `[branches, vocabulary]`. They are not changed.
        apart: whether the threads that compute a step share the branches out. MLX has threads of its own, which
            may still be awake.
    """
    draws = [Draw(branch.params, branch.seed, len(branch.sampled), branch.context()) for branch in branches]
    if not apart:
        return choose(table, draws)
    with shared_out():
        shares = rows_apart(len(draws), table.size * WORK)
        parts = side_by_side([partial(choose, table[low:high], draws[low:high]) for low, high in shares])
    return [choice for part in parts for choice in part]
