"""What is done with single tokens, and how the text is read."""

from n8loom_tui.tui.actions.action import Action, Group

TOKENS = (
    Action(
        "token_cursor",
        Group.LOOK,
        "Token cursor",
        "Move by token through the text, see what else could stand there, and branch, split or clip at it.",
        footer="tokens",
        footer_rank=21,
    ),
    Action(
        "colour_tokens",
        Group.LOOK,
        "Colour the tokens",
        "Colour the text by how probable each token was, then by entropy, then not at all.",
    ),
    Action(
        "children_side_by_side",
        Group.LOOK,
        "Children side by side",
        "Show all children of this node in columns, streaming together; choose one and go there.",
    ),
    Action(
        "multiverse",
        Group.LOOK,
        "Multiverse: what could come next",
        "Show the probabilities of what could come next as nested blocks, walk in them, and take a way.",
    ),
    Action(
        "markdown",
        Group.LOOK,
        "Read as Markdown",
        "Show the text rendered as Markdown, or plain again; what still grows is plain.",
    ),
)
