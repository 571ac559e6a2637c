"""What makes the tree grow, and what stops it."""

from collections.abc import Iterator

from n8loom_tui.tui.actions.action import Action, CountUse, Group


def weave() -> Iterator[Action]:
    """What makes the tree grow, and what stops it."""
    group, amount = Group.WEAVE, CountUse.AMOUNT
    yield Action(
        "ramify",
        group,
        "Ramify",
        "Grow n branches from this node at once, side by side. A count says how many.",
        amount,
        footer="ramify",
        footer_rank=1,
    )
    yield Action(
        "continue_one",
        group,
        "Continue",
        "Grow one branch from this node.",
        footer="continue",
        footer_rank=2,
    )
    yield Action(
        "ramify_leaves",
        group,
        "Ramify all leaves below",
        "Grow branches from every leaf below this node, in one batch. A count says how many for each leaf.",
        amount,
        footer="leaves",
        footer_rank=10,
    )
    yield Action(
        "stop",
        group,
        "Stop",
        "Stop what grows below this node and keep its text; twice: stop everything.",
        footer="stop",
        footer_rank=3,
        essential=True,
    )
