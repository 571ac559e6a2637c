"""A loom as any format could tell it: nodes with all that some format knows of them. Read into and written from.

Every reader makes one, every writer takes one; `plant.py` turns it into heddles, `gather.py` makes it of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from n8loom_tui.loom.heddle import Kind


@dataclass(slots=True)
class Pieces:
    """A node's text in tokens, as lists that run side by side; `texts` joined are the node's text.

    Attributes:
        texts: what each token added to the text.
        logprobs: each token's log probability; None where it is not known. Empty if none is.
        alternatives: by token, what else could have stood there: texts and log probabilities in turn, the best first.
            Empty if there are none.
        tokens: the token ids, in the vocabulary of the node's `fingerprint`. Empty if they are not known.
        others: as `alternatives`, with token ids for texts.
        entropies: the entropies of the tokens' places, in nats; None where not known. Empty if none is.
    """

    texts: list[str] = field(default_factory=list)
    logprobs: list[float | None] = field(default_factory=list)
    alternatives: list[list[str | float]] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    others: list[list[int | float]] = field(default_factory=list)
    entropies: list[float | None] = field(default_factory=list)


@dataclass(slots=True)
class Node:
    """A node. What a format does not tell stays as it is here.

    Attributes:
        id: the name that the node had; "" for a new one.
        text: what it adds to its path.
        kind: who wrote it; None goes without saying: a root is a prompt, any other node was written.
        prompt, chat: of a root, what the person wrote, and whether it stands in a chat template (then `text` may be
            that of the template around it).
        created: seconds since 1970.
        model, fingerprint, params, seed: what generated it, and how.
        title: a heading that another program gave it.
        more: whatever else is known of where it comes from, of JSON's types.
        pieces: its text in tokens, if that is known; a call, for there are many.
        has_tokens, has_logprobs, has_odds: whether a session knows its token ids, their probabilities, and what its
            model else could have said.
    """

    id: str = ""
    text: str = ""
    children: list[Node] = field(default_factory=list)
    kind: Kind | None = None
    prompt: str | None = None
    chat: bool = False
    finish: str | None = None
    terminal: bool = False
    created: float | None = None
    model: str = ""
    fingerprint: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    bookmark: bool = False
    tags: tuple[str, ...] = ()
    note: str = ""
    unread: bool = False
    folded: bool = False
    letters: tuple[str, ...] = ()
    title: str = ""
    more: dict[str, Any] = field(default_factory=dict)
    pieces: Callable[[], Pieces] | None = None
    has_tokens: bool = False
    has_logprobs: bool = False
    has_odds: bool = False

    def walk(self) -> Iterator[Node]:
        """This node and all below it, each before its children, in order. Any depth."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def add_note(self, text: str) -> None:
        """Put a text behind the note that is there."""
        if text:
            self.note = f"{self.note}\n\n{text}" if self.note else text


@dataclass(slots=True)
class Outline:
    """Trees, and the node that the person stood on."""

    roots: list[Node] = field(default_factory=list)
    current: Node | None = None

    def walk(self) -> Iterator[Node]:
        """All nodes of all trees, in order."""
        for root in self.roots:
            yield from root.walk()
