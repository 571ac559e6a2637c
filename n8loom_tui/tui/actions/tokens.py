"""What is done with single tokens, and how the text is read."""

from collections.abc import Iterator

from n8loom_tui.tui.actions.action import Action, Group


def tokens() -> Iterator[Action]:
    """What is done with single tokens, and how the text is read."""
    group = Group.LOOK
    yield Action(
        "token_cursor",
        group,
        "Token cursor",
        "Move by token through the text, see what else could stand there, and branch, split or clip at it.",
        footer="tokens",
        footer_rank=21,
    )
    yield Action(
        "colour_tokens",
        group,
        "Colour the tokens",
        "Colour the text by how probable each token was, then by entropy, then not at all.",
    )
    yield Action(
        "children_side_by_side",
        group,
        "Children side by side",
        "Show all children of this node in columns, streaming together; choose one and go there.",
    )
    yield Action(
        "multiverse",
        group,
        "Multiverse: what could come next",
        "Show the probabilities of what could come next as nested blocks, walk in them, and take a way.",
    )
    yield Action(
        "markdown",
        group,
        "Read as Markdown",
        "Show the text rendered as Markdown, or plain again; what still grows is plain.",
    )
