"""Where the cursor can go."""

from n8loom_tui.tui.actions.action import Action, CountUse, Group

MOVE = (
    Action("row_up", Group.MOVE, "Up one row", "Move the cursor to the row above.", CountUse.REPEAT),
    Action("row_down", Group.MOVE, "Down one row", "Move the cursor to the row below.", CountUse.REPEAT),
    Action(
        "parent",
        Group.MOVE,
        "Fold, or go to the parent",
        "Fold the node if it is unfolded and has children; otherwise go to its parent.",
        CountUse.REPEAT,
    ),
    Action(
        "child",
        Group.MOVE,
        "Unfold, or go to the child",
        "Unfold the node if it is folded; otherwise go to the child that was visited last.",
        CountUse.REPEAT,
    ),
    Action(
        "previous_sibling",
        Group.MOVE,
        "Previous sibling",
        "Go to the branch before this one under the same parent.",
        CountUse.REPEAT,
    ),
    Action(
        "next_sibling",
        Group.MOVE,
        "Next sibling",
        "Go to the branch after this one under the same parent.",
        CountUse.REPEAT,
    ),
    Action("top", Group.MOVE, "Top", "Go to the first row: the root of the loom.", leap=True),
    Action("bottom", Group.MOVE, "Bottom", "Go to the last row.", leap=True),
    Action("page_up", Group.MOVE, "Up one page", "Move up by a screenful.", CountUse.REPEAT),
    Action("page_down", Group.MOVE, "Down one page", "Move down by a screenful.", CountUse.REPEAT),
)
