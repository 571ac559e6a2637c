"""Where the cursor can go."""

from collections.abc import Iterator

from n8loom_tui.tui.actions.action import Action, CountUse, Group


def move() -> Iterator[Action]:
    """Where the cursor can go."""
    group, repeat = Group.MOVE, CountUse.REPEAT
    yield Action("row_up", group, "Up one row", "Move the cursor to the row above.", repeat)
    yield Action("row_down", group, "Down one row", "Move the cursor to the row below.", repeat)
    yield Action(
        "parent",
        group,
        "Fold, or go to the parent",
        "Fold the node if it is unfolded and has children; otherwise go to its parent.",
        repeat,
    )
    yield Action(
        "child",
        group,
        "Unfold, or go to the child",
        "Unfold the node if it is folded; otherwise go to the child that was visited last.",
        repeat,
    )
    yield Action(
        "previous_sibling",
        group,
        "Previous sibling",
        "Go to the branch before this one under the same parent.",
        repeat,
    )
    yield Action(
        "next_sibling",
        group,
        "Next sibling",
        "Go to the branch after this one under the same parent.",
        repeat,
    )
    yield Action("top", group, "Top", "Go to the first row: the root of the loom.", leap=True)
    yield Action("bottom", group, "Bottom", "Go to the last row.", leap=True)
    yield Action("page_up", group, "Up one page", "Move up by a screenful.", repeat)
    yield Action("page_down", group, "Down one page", "Move down by a screenful.", repeat)
