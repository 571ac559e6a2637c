"""Text of one's own."""

from collections.abc import Iterator

from n8loom_tui.tui.actions.action import Action, Group


def write() -> Iterator[Action]:
    """Text of one's own."""
    group = Group.WRITE
    yield Action(
        "add_text",
        group,
        "Write a text child",
        "Write text of your own as a new child of this node.",
        footer="write",
        footer_rank=5,
    )
    yield Action(
        "chat_turn",
        group,
        "Write a chat turn",
        "Write your next message, in the model's chat template, as a new child; ramify answers it.",
    )
    yield Action(
        "edit",
        group,
        "Edit the text",
        "Change the node's text: in its place if nothing is below it, or as a new sibling.",
        footer="edit",
        footer_rank=13,
    )
    yield Action(
        "edit_external",
        group,
        "Edit the text in $EDITOR",
        "Change the node's text in your own editor, as for long texts.",
    )
    yield Action(
        "resume_writing",
        group,
        "Go on writing",
        "Go to what was written and not entered: the latest, then what was written before it.",
        leap=True,
    )
