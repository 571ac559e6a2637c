"""What makes the tree grow, and what stops it."""

from n8loom_tui.tui.actions.action import Action, CountUse, Group

WEAVE = (
    Action(
        "ramify",
        Group.WEAVE,
        "Ramify",
        "Grow n branches from this node at once, side by side. A count says how many.",
        CountUse.AMOUNT,
        footer="ramify",
        footer_rank=1,
    ),
    Action(
        "continue_one",
        Group.WEAVE,
        "Continue",
        "Grow one branch from this node.",
        footer="continue",
        footer_rank=2,
    ),
    Action(
        "ramify_leaves",
        Group.WEAVE,
        "Ramify all leaves below",
        "Grow branches from every leaf below this node, in one batch. A count says how many for each leaf.",
        CountUse.AMOUNT,
        footer="leaves",
        footer_rank=10,
    ),
    Action(
        "adaptive",
        Group.WEAVE,
        "Adaptive weave",
        "Grow until the model is torn, or a text, sentence or paragraph is done; branch there, and so on.",
    ),
    Action(
        "cutoff_tree",
        Group.WEAVE,
        "Cut-off tree",
        "Expand every token that is at least as probable as you say, some tokens deep.",
    ),
    Action(
        "repeat_growth",
        Group.WEAVE,
        "The same growth again",
        "Grow from this node what was grown last, with the same settings.",
    ),
    Action(
        "stop",
        Group.WEAVE,
        "Stop",
        "Stop what grows below this node and keep its text; twice: stop everything.",
        footer="stop",
        footer_rank=3,
        essential=True,
    ),
)
