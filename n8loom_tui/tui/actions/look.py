"""What is shown and how."""

from n8loom_tui.tui.actions.action import Action, CountUse, Group

LOOK = (
    Action(
        "toggle_fold",
        Group.LOOK,
        "Fold or unfold",
        "Hide or show what is below this node.",
        footer="fold",
        footer_rank=8,
    ),
    Action("fold", Group.LOOK, "Fold", "Hide what is below this node."),
    Action("unfold", Group.LOOK, "Unfold", "Show what is below this node."),
    Action(
        "fold_all_but_path",
        Group.LOOK,
        "Fold all but the path",
        "Fold every branch that does not lead to this node.",
    ),
    Action("unfold_all", Group.LOOK, "Unfold all", "Unfold every node of the loom."),
    Action("fold_all", Group.LOOK, "Fold all", "Fold every node of the loom."),
    Action(
        "hoist",
        Group.LOOK,
        "Hoist",
        "Show only this node and what is below it in the tree; the reader still shows its whole path.",
    ),
    Action("unhoist", Group.LOOK, "Hoist back", "Go back to what the tree showed before the last hoist."),
    Action(
        "next_pane",
        Group.LOOK,
        "Next pane",
        "Go to the next pane; on a narrow screen, show it.",
        footer="panes",
        footer_rank=11,
    ),
    Action(
        "details",
        Group.LOOK,
        "Details of the node",
        "Show or hide where this node comes from: model, sampling, seed, probability, memory.",
    ),
    Action(
        "hide_reader",
        Group.LOOK,
        "Hide or show the other pane",
        "Show one pane at a time, the one in use, or both again.",
    ),
    Action(
        "wider_tree",
        Group.LOOK,
        "Wider tree",
        "Move the border between tree and reader to the right.",
        CountUse.REPEAT,
    ),
    Action(
        "narrower_tree",
        Group.LOOK,
        "Narrower tree",
        "Move the border between tree and reader to the left.",
        CountUse.REPEAT,
    ),
    Action(
        "compare",
        Group.LOOK,
        "Compare",
        "Remember this node; on another one, show what differs between the two. With two marked: those.",
    ),
    Action(
        "map",
        Group.LOOK,
        "Map",
        "Show the whole tree as a picture, and move in it.",
        footer="map",
        footer_rank=19,
    ),
)
