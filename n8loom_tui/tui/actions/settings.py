"""The values that the next branches grow by."""

from n8loom_tui.tui.actions.action import Action, CountUse, Group

SETTINGS = (
    Action(
        "settings",
        Group.SETTINGS,
        "Settings",
        "All sampling values, presets, and how the app looks.",
    ),
    Action(
        "choose_preset",
        Group.SETTINGS,
        "Choose a preset",
        "Choose sampling values by their name. A count takes that one of the list at once.",
        CountUse.AMOUNT,
    ),
    Action(
        "change_keys",
        Group.SETTINGS,
        "Change keys",
        "Every action with its keys; press others for any of them. They are stored in a file of yours.",
    ),
    Action(
        "set_n",
        Group.SETTINGS,
        "Set n: branches",
        "How many branches one ramify grows. A count sets it at once.",
        CountUse.AMOUNT,
    ),
    Action(
        "set_temperature",
        Group.SETTINGS,
        "Set the temperature",
        "How freely tokens are drawn: 0 always takes the likeliest one.",
    ),
    Action(
        "set_max_tokens",
        Group.SETTINGS,
        "Set max tokens",
        "How many tokens a branch may grow at once. A count sets it at once.",
        CountUse.AMOUNT,
    ),
    Action(
        "set_min_p",
        Group.SETTINGS,
        "Set min-p",
        "Tokens less likely than this share of the likeliest one are never drawn.",
    ),
)
