"""Looms, files, help, and the way out."""

from n8loom_tui.tui.actions.action import Action, Group

FILE = (
    Action("sessions", Group.FILE, "Sessions", "Find, open, rename, copy and throw away sessions."),
    Action(
        "save_as",
        Group.FILE,
        "Name the session, or copy it",
        "All is stored as it happens. This gives the file a name, or makes a copy of one that has a name.",
    ),
    Action(
        "export",
        Group.FILE,
        "Export",
        "Write the loom, a part of it or a path in another program's format, or as text.",
    ),
    Action("import", Group.FILE, "Import", "Make a session of another program's file, and open it."),
    Action("new_loom", Group.FILE, "New loom", "Write a prompt and start a new tree from it."),
    Action(
        "trash",
        Group.FILE,
        "Trash",
        "Bring back what was deleted, cut off, or undone and left behind; or empty the trash.",
    ),
    Action("copy_text", Group.FILE, "Copy the text", "Copy the text from the root to this node."),
    Action("copy_node", Group.FILE, "Copy this node's text", "Copy the text of this node alone."),
    Action(
        "palette",
        Group.FILE,
        "Command palette",
        "Find an action by its name.",
        footer="palette",
        footer_rank=12,
        essential=True,
    ),
    Action(
        "help",
        Group.FILE,
        "Help",
        "Show all keys and what they do.",
        footer="help",
        footer_rank=0,
        essential=True,
    ),
    Action(
        "quit",
        Group.FILE,
        "Quit",
        "Leave. All of it is stored.",
        footer="quit",
        footer_rank=4,
        essential=True,
    ),
)
