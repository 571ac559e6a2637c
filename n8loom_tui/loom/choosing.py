"""The next tokens of all branches of a step."""

from __future__ import annotations

from collections.abc import Sequence

from .branch import Branch
from .kernels.team import Lane, in_lanes, lanes_for, shared_out
from .rows import Logits
from .sampling import BrokenLogits, Choice, choose


def choices(branches: Sequence[Branch], table: Logits, *, apart: bool) -> list[Choice | BrokenLogits]:
    """Each branch's next token, or why there is none.

    Args:
        table: the branches' logits, `[branches, vocabulary]`. They are not changed.
        apart: whether the threads that compute a step share the branches out. MLX has threads of its own, which
            may still be awake.
    """
    found: list[Choice | BrokenLogits | None] = [None] * len(branches)

    def work(lane: Lane) -> None:
        for index in range(lane.low, lane.high):
            branch = branches[index]
            try:
                found[index] = choose(
                    table[index], branch.params, branch.seed, len(branch.sampled), branch.context()
                )
            except BrokenLogits as error:
                found[index] = error

    if apart:
        with shared_out():
            in_lanes(lanes_for(len(branches)), work)
    else:
        work(Lane(0, 1, 0, len(branches)))
    return [choice for choice in found if choice is not None]
