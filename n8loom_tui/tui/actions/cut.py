"""What shortens, parts, joins, takes away, sorts; undo and redo."""

from collections.abc import Iterator

from n8loom_tui.tui.actions.action import Action, CountUse, Group


def cut() -> Iterator[Action]:
    """What shortens, parts, joins, takes away, sorts; undo and redo."""
    amount = CountUse.AMOUNT
    yield Action(
        "clip",
        Group.CUT,
        "Clip: keep the first tokens",
        "Keep the first N tokens of this node and drop all after them. Asks for N without a count.",
        amount,
        footer="clip",
        footer_rank=17,
    )
    yield Action(
        "trim",
        Group.CUT,
        "Trim: drop the last tokens",
        "Drop the last N tokens of this node and all below it. Without a count, one token.",
        amount,
        footer="trim",
        footer_rank=7,
    )
    yield Action(
        "split",
        Group.CUT,
        "Split behind the first tokens",
        "Part this node behind its first N tokens; the rest keeps what is below. Asks for N without a count.",
        amount,
        footer="split",
        footer_rank=15,
    )
    yield Action(
        "merge",
        Group.CUT,
        "Merge with the parent",
        "Put this node and its parent together, if it is the only child.",
    )
    yield Action(
        "delete",
        Group.CUT,
        "Delete",
        "Delete this node and all that is below it.",
        footer="delete",
        footer_rank=6,
    )
    yield Action(
        "make_leaf",
        Group.CUT,
        "Make it a leaf",
        "Delete all that is below this node and keep the node.",
    )
    yield Action(
        "undo",
        Group.CUT,
        "Undo",
        "Take back the last change, generation included; it works without limit, and after a restart.",
        CountUse.REPEAT,
        footer="undo",
        footer_rank=9,
        leap=True,
    )
    yield Action(
        "redo",
        Group.CUT,
        "Redo",
        "Do again what was undone last.",
        CountUse.REPEAT,
        footer="redo",
        footer_rank=14,
        leap=True,
    )
    yield Action(
        "remove_duplicates",
        Group.CUT,
        "Remove duplicate siblings",
        "Below this node, delete what says the same as a sibling; nothing that has children or marks goes.",
    )
    yield Action(
        "sort_by_probability",
        Group.CUT,
        "Sort siblings by probability",
        "Below this node, put the siblings first whose tokens are the most probable ones.",
    )
    yield Action(
        "sort_by_age",
        Group.CUT,
        "Sort siblings by age",
        "Below this node, put the oldest siblings first.",
    )
