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
        "adaptive",
        group,
        "Adaptive weave",
        "Grow until the model is torn, or a text, sentence or paragraph is done; branch there, and so on.",
    )
    yield Action(
        "cutoff_tree",
        group,
        "Cut-off tree",
        "Expand every token that is at least as probable as you say, some tokens deep.",
    )
    yield Action(
        "repeat_growth",
        group,
        "The same growth again",
        "Grow from this node what was grown last, with the same settings.",
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
