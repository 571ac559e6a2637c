"""The values that the next branches grow by."""

from collections.abc import Iterator

from n8loom_tui.tui.actions.action import Action, CountUse, Group


def settings() -> Iterator[Action]:
    """The values that the next branches grow by."""
    group, amount = Group.SETTINGS, CountUse.AMOUNT
    yield Action(
        "settings",
        group,
        "Settings",
        "All sampling values, presets, and how the app looks.",
    )
    yield Action(
        "choose_preset",
        group,
        "Choose a preset",
        "Choose sampling values by their name. A count takes that one of the list at once.",
        amount,
    )
    yield Action(
        "change_keys",
        group,
        "Change keys",
        "Every action with its keys; press others for any of them. They are stored in a file of yours.",
    )
    yield Action(
        "set_n",
        group,
        "Set n: branches",
        "How many branches one ramify grows. A count sets it at once.",
        amount,
    )
    yield Action(
        "set_temperature",
        group,
        "Set the temperature",
        "How freely tokens are drawn: 0 always takes the likeliest one.",
    )
    yield Action(
        "set_max_tokens",
        group,
        "Set max tokens",
        "How many tokens a branch may grow at once. A count sets it at once.",
        amount,
    )
    yield Action(
        "set_min_p",
        group,
        "Set min-p",
        "Tokens less likely than this share of the likeliest one are never drawn.",
    )
