"""Looms, files, help, and the way out."""

from collections.abc import Iterator

from n8loom_tui.tui.actions.action import Action, Group


def file() -> Iterator[Action]:
    """Looms, files, help, and the way out."""
    group = Group.FILE
    yield Action("sessions", group, "Sessions", "Find, open, rename, copy and throw away sessions.")
    yield Action(
        "save_as",
        group,
        "Name the session, or copy it",
        "All is stored as it happens. This gives the file a name, or makes a copy of one that has a name.",
    )
    yield Action(
        "export",
        group,
        "Export",
        "Write the loom, a part of it or a path in another program's format, or as text.",
    )
    yield Action("import", group, "Import", "Make a session of another program's file, and open it.")
    yield Action("new_loom", group, "New loom", "Write a prompt and start a new tree from it.")
    yield Action(
        "trash",
        group,
        "Trash",
        "Bring back what was deleted, cut off, or undone and left behind; or empty the trash.",
    )
    yield Action("copy_text", group, "Copy the text", "Copy the text from the root to this node.")
    yield Action("copy_node", group, "Copy this node's text", "Copy the text of this node alone.")
    yield Action(
        "palette",
        group,
        "Command palette",
        "Find an action by its name.",
        footer="palette",
        footer_rank=12,
        essential=True,
    )
    yield Action(
        "help",
        group,
        "Help",
        "Show all keys and what they do.",
        footer="help",
        footer_rank=0,
        essential=True,
    )
    yield Action(
        "quit",
        group,
        "Quit",
        "Leave. All of it is stored.",
        footer="quit",
        footer_rank=4,
        essential=True,
    )
