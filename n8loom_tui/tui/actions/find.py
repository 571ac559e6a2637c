"""What finds a node: by its marks, its text, its place."""

from collections.abc import Iterator

from n8loom_tui.tui.actions.action import Action, CountUse, Group


def find() -> Iterator[Action]:
    """What finds a node: by its marks, its text, its place."""
    group, repeat = Group.FIND, CountUse.REPEAT
    yield Action(
        "next_bookmark",
        group,
        "Next bookmark",
        "Go to the next node with a bookmark; behind the last one, to the first.",
        repeat,
    )
    yield Action(
        "previous_bookmark",
        group,
        "Previous bookmark",
        "Go to the node with a bookmark before this one; before the first one, to the last.",
        repeat,
    )
    yield Action("next_leaf", group, "Next leaf", "Go to the next node with nothing below it.", repeat)
    yield Action(
        "previous_leaf",
        group,
        "Previous leaf",
        "Go to the node with nothing below it that comes before this one.",
        repeat,
    )
    yield Action(
        "next_unread",
        group,
        "Next unread",
        "Go to the next node that nobody has stood on yet; behind the last one, to the first.",
        repeat,
    )
    yield Action(
        "previous_unread",
        group,
        "Previous unread",
        "Go to the unread node before this one; before the first one, to the last.",
        repeat,
    )
