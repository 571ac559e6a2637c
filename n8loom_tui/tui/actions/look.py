"""What is shown and how."""

from collections.abc import Iterator

from n8loom_tui.tui.actions.action import Action, CountUse, Group


def look() -> Iterator[Action]:
    """What is shown and how."""
    group = Group.LOOK
    yield Action(
        "toggle_fold",
        group,
        "Fold or unfold",
        "Hide or show what is below this node.",
        footer="fold",
        footer_rank=8,
    )
    yield Action("fold", group, "Fold", "Hide what is below this node.")
    yield Action("unfold", group, "Unfold", "Show what is below this node.")
    yield Action(
        "fold_all_but_path",
        group,
        "Fold all but the path",
        "Fold every branch that does not lead to this node.",
    )
    yield Action("unfold_all", group, "Unfold all", "Unfold every node of the loom.")
    yield Action("fold_all", group, "Fold all", "Fold every node of the loom.")
    yield Action(
        "hoist",
        group,
        "Hoist",
        "Show only this node and what is below it in the tree; the reader still shows its whole path.",
    )
    yield Action("unhoist", group, "Hoist back", "Go back to what the tree showed before the last hoist.")
    yield Action(
        "next_pane",
        group,
        "Next pane",
        "Go to the next pane; on a narrow screen, show it.",
        footer="panes",
        footer_rank=11,
    )
    yield Action(
        "details",
        group,
        "Details of the node",
        "Show or hide where this node comes from: model, sampling, seed, probability, memory.",
    )
    yield Action(
        "hide_reader",
        group,
        "Hide or show the other pane",
        "Show one pane at a time, the one in use, or both again.",
    )
    yield Action(
        "wider_tree",
        group,
        "Wider tree",
        "Move the border between tree and reader to the right.",
        CountUse.REPEAT,
    )
    yield Action(
        "narrower_tree",
        group,
        "Narrower tree",
        "Move the border between tree and reader to the left.",
        CountUse.REPEAT,
    )
    yield Action(
        "compare",
        group,
        "Compare",
        "Remember this node; on another one, show what differs between the two. With two marked: those.",
    )
    yield Action(
        "map",
        group,
        "Map",
        "Show the whole tree as a picture, and move in it.",
        footer="map",
        footer_rank=19,
    )
