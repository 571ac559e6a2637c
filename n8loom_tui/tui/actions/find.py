"""What finds a node: by its marks, its text, its place."""

from n8loom_tui.tui.actions.action import Action, CountUse, Group

FIND = (
    Action(
        "search",
        Group.FIND,
        "Search",
        "Find a text in the trees as it is typed; capitals count only if one is typed.",
        footer="find",
        footer_rank=18,
    ),
    Action(
        "next_hit",
        Group.FIND,
        "Next hit",
        "Go to the next node that holds what was searched for; behind the last one, to the first.",
        CountUse.REPEAT,
        leap=True,
    ),
    Action(
        "previous_hit",
        Group.FIND,
        "Previous hit",
        "Go to the node before this one that holds what was searched for.",
        CountUse.REPEAT,
        leap=True,
    ),
    Action(
        "fuzzy_jump",
        Group.FIND,
        "Jump to a node",
        "Find a node by some letters of its text, by a tag, a note or a bookmark, and go there.",
    ),
    Action(
        "jump_back",
        Group.FIND,
        "Back to where I was",
        "Go back to where the last leap was made from: a search, a mark, an undo, the top or the bottom.",
        CountUse.REPEAT,
    ),
    Action(
        "jump_forward", Group.FIND, "Forward again", "Go forward again after going back.", CountUse.REPEAT
    ),
    Action(
        "set_letter",
        Group.FIND,
        "Mark by a letter",
        "Mark this node by the letter or digit typed next; once more takes the mark away.",
    ),
    Action(
        "go_letter",
        Group.FIND,
        "Go to a letter",
        "Go to the node that is marked by the letter or digit typed next.",
    ),
    Action(
        "next_bookmark",
        Group.FIND,
        "Next bookmark",
        "Go to the next node with a bookmark; behind the last one, to the first.",
        CountUse.REPEAT,
        leap=True,
    ),
    Action(
        "previous_bookmark",
        Group.FIND,
        "Previous bookmark",
        "Go to the node with a bookmark before this one; before the first one, to the last.",
        CountUse.REPEAT,
        leap=True,
    ),
    Action(
        "next_leaf",
        Group.FIND,
        "Next leaf",
        "Go to the next node with nothing below it.",
        CountUse.REPEAT,
        leap=True,
    ),
    Action(
        "previous_leaf",
        Group.FIND,
        "Previous leaf",
        "Go to the node with nothing below it that comes before this one.",
        CountUse.REPEAT,
        leap=True,
    ),
    Action(
        "next_unread",
        Group.FIND,
        "Next unread",
        "Go to the next node that nobody has stood on yet; behind the last one, to the first.",
        CountUse.REPEAT,
        leap=True,
    ),
    Action(
        "previous_unread",
        Group.FIND,
        "Previous unread",
        "Go to the unread node before this one; before the first one, to the last.",
        CountUse.REPEAT,
        leap=True,
    ),
)
