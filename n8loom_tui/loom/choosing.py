"""The next tokens of all branches of a step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from .branch import Branch
from .kernels.team import rows_apart, shared_out, side_by_side
from .rows import Logits
from .sampling import BrokenLogits, Choice, choose

WORK = 8
"""How many multiplications choosing among the tokens of a row takes for each of them, about."""


def choices(branches: Sequence[Branch], table: Logits, *, apart: bool) -> list[Choice | BrokenLogits]:
    """Each branch's next token, or why there is none.

    Args:
        table: the branches' logits, `[branches, vocabulary]`. They are not changed.
        apart: whether the threads that compute a step share the branches out. MLX has threads of its own, which
            may still be awake.
    """
    found: list[Choice | BrokenLogits | None] = [None] * len(branches)

    def work(low: int, high: int) -> None:
        for index in range(low, high):
            branch = branches[index]
            try:
                found[index] = choose(
                    table[index], branch.params, branch.seed, len(branch.sampled), branch.context()
                )
            except BrokenLogits as error:
                found[index] = error

    if apart:
        with shared_out():
            shares = rows_apart(len(branches), table.size * WORK)
            side_by_side([partial(work, *share) for share in shares])
    else:
        work(0, len(branches))
    return [choice for choice in found if choice is not None]
