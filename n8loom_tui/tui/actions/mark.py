"""What a person says about a node, and which nodes an action is for."""

from collections.abc import Iterator

from n8loom_tui.tui.actions.action import Action, CountUse, Group


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
    yield Action(
        "mark",
        group,
        "Mark",
        "Mark this node, or unmark it, and go down a row. What is done then is done to all marked nodes at once.",
        CountUse.REPEAT,
        footer="mark",
        footer_rank=22,
    )
    yield Action("mark_leaves", group, "Mark all leaves below", "Mark every leaf below this node.")
    yield Action("mark_children", group, "Mark all children", "Mark the children of this node.")
    yield Action("mark_bookmarked", group, "Mark all bookmarked", "Mark every node that has a bookmark.")
    yield Action(
        "mark_hits",
        group,
        "Mark all hits",
        "Mark every node that the search found; without a search, asks for a text.",
    )
    yield Action("unmark_all", group, "Unmark all", "Take all marks away; so does stop, when nothing grows.")
