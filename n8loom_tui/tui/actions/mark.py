"""What a person says about a node, and which nodes an action is for."""

from n8loom_tui.tui.actions.action import Action, CountUse, Group

MARK = (
    Action(
        "bookmark",
        Group.MARK,
        "Bookmark",
        "Set a bookmark on this node, or take it away.",
        footer="bookmark",
        footer_rank=16,
    ),
    Action("tag", Group.MARK, "Tag", "Give this node tags, or take them away."),
    Action("note", Group.MARK, "Note", "Write a note about this node; it is no part of the text."),
    Action(
        "mark",
        Group.MARK,
        "Mark",
        "Mark this node, or unmark it, and go down a row. What is done then is done to all marked nodes at once.",
        CountUse.REPEAT,
        footer="mark",
        footer_rank=22,
    ),
    Action("mark_leaves", Group.MARK, "Mark all leaves below", "Mark every leaf below this node."),
    Action("mark_children", Group.MARK, "Mark all children", "Mark the children of this node."),
    Action("mark_bookmarked", Group.MARK, "Mark all bookmarked", "Mark every node that has a bookmark."),
    Action(
        "mark_hits",
        Group.MARK,
        "Mark all hits",
        "Mark every node that the search found; without a search, asks for a text.",
    ),
    Action("unmark_all", Group.MARK, "Unmark all", "Take all marks away; so does stop, when nothing grows."),
)
