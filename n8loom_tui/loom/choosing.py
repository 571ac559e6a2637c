"""The next tokens of all branches of a step."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from .branch import Branch
from .distribution import BrokenLogits
from .draws import Choice
from .kernels.team import shared_out
from .rows import Logits
from .sampling import choose


def choices(branches: Sequence[Branch], table: Logits, *, apart: bool) -> list[Choice | BrokenLogits]:
    """Each branch's next token, or why there is none.

    Args:
        table: the branches' logits, `[branches, vocabulary]`. They are not changed.
        apart: whether the threads that compute a step go through the logits together. MLX has threads of its own,
            which may still be awake.
    """
    draws = [branch.draw() for branch in branches]
    with shared_out() if apart else nullcontext():
        return choose(table, draws)
