"""What a person says about a node."""

from collections.abc import Iterator

from n8loom_tui.tui.actions.action import Action, Group


def mark() -> Iterator[Action]:
    """What a person says about a node."""
    group = Group.MARK
    yield Action(
        "bookmark",
        group,
        "Bookmark",
        "Set a bookmark on this node, or take it away.",
        footer="bookmark",
        footer_rank=16,
    )
    yield Action("tag", group, "Tag", "Give this node tags, or take them away.")
    yield Action("note", group, "Note", "Write a note about this node; it is no part of the text.")
