"""What finds a node: by its marks, its text, its place."""

from collections.abc import Iterator

from n8loom_tui.tui.actions.action import Action, CountUse, Group


def find() -> Iterator[Action]:
    """What finds a node: by its marks, its text, its place."""
    group, repeat = Group.FIND, CountUse.REPEAT
    yield Action(
        "search",
        group,
        "Search",
        "Find a text in the trees as it is typed; capitals count only if one is typed.",
        footer="find",
        footer_rank=18,
    )
    yield Action(
        "next_hit",
        group,
        "Next hit",
        "Go to the next node that holds what was searched for; behind the last one, to the first.",
        repeat,
        leap=True,
    )
    yield Action(
        "previous_hit",
        group,
        "Previous hit",
        "Go to the node before this one that holds what was searched for.",
        repeat,
        leap=True,
    )
    yield Action(
        "fuzzy_jump",
        group,
        "Jump to a node",
        "Find a node by some letters of its text, by a tag, a note or a bookmark, and go there.",
    )
    yield Action(
        "jump_back",
        group,
        "Back to where I was",
        "Go back to where the last leap was made from: a search, a mark, an undo, the top or the bottom.",
        repeat,
    )
    yield Action("jump_forward", group, "Forward again", "Go forward again after going back.", repeat)
    yield Action(
        "set_letter",
        group,
        "Mark by a letter",
        "Mark this node by the letter or digit typed next; once more takes the mark away.",
    )
    yield Action(
        "go_letter",
        group,
        "Go to a letter",
        "Go to the node that is marked by the letter or digit typed next.",
    )
    yield Action(
        "next_bookmark",
        group,
        "Next bookmark",
        "Go to the next node with a bookmark; behind the last one, to the first.",
        repeat,
        leap=True,
    )
    yield Action(
        "previous_bookmark",
        group,
        "Previous bookmark",
        "Go to the node with a bookmark before this one; before the first one, to the last.",
        repeat,
        leap=True,
    )
    yield Action(
        "next_leaf", group, "Next leaf", "Go to the next node with nothing below it.", repeat, leap=True
    )
    yield Action(
        "previous_leaf",
        group,
        "Previous leaf",
        "Go to the node with nothing below it that comes before this one.",
        repeat,
        leap=True,
    )
    yield Action(
        "next_unread",
        group,
        "Next unread",
        "Go to the next node that nobody has stood on yet; behind the last one, to the first.",
        repeat,
        leap=True,
    )
    yield Action(
        "previous_unread",
        group,
        "Previous unread",
        "Go to the unread node before this one; before the first one, to the last.",
        repeat,
        leap=True,
    )
