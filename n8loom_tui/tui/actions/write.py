"""Text of one's own."""

from n8loom_tui.tui.actions.action import Action, Group

WRITE = (
    Action(
        "add_text",
        Group.WRITE,
        "Write a text child",
        "Write text of your own as a new child of this node.",
        footer="write",
        footer_rank=5,
    ),
    Action(
        "chat_turn",
        Group.WRITE,
        "Write a chat turn",
        "Write your next message, in the model's chat template, as a new child; ramify answers it.",
    ),
    Action(
        "edit",
        Group.WRITE,
        "Edit the text",
        "Change the node's text: in its place if nothing is below it, or as a new sibling.",
        footer="edit",
        footer_rank=13,
    ),
    Action(
        "edit_external",
        Group.WRITE,
        "Edit the text in $EDITOR",
        "Change the node's text in your own editor, as for long texts.",
    ),
    Action(
        "resume_writing",
        Group.WRITE,
        "Go on writing",
        "Go to what was written and not entered: the latest, then what was written before it.",
        leap=True,
    ),
)
