"""What nodes hold, while operations of the history cut it apart, put it together and exchange it."""

from __future__ import annotations

from collections.abc import Mapping

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.loom.span import Span

from .change import Change

FIRST_STEP = "first_step"
"""In the provenance of a branch that was cut apart or put together: at which step of the seed's draws the node begins.
Left out where it is 0; negative where something else stands before what was drawn."""


class Contents:
    """The token ids of nodes, by the models that they are of, and the texts of those.

    Attributes:
        fingerprints: by node id, the model whose token ids the node holds; where there is none, it is `model`.
        model: the fingerprint of the model in use.
    """

    def __init__(self, fingerprints: Mapping[str, str]) -> None:
        self.fingerprints: dict[str, str] = dict(fingerprints)
        self.model: str | None = None

    def vocabulary(self, node: Heddle) -> str | None:
        """The fingerprint of the model whose token ids a node holds; None if that is not known."""
        return self.fingerprints.get(node.id, self.model)

    def alike(self, node: Heddle, other: Heddle) -> bool:
        """Whether two nodes' tokens can stand in one span."""
        return (
            node.encoded == other.encoded
            and (node.encoded or bool(node.tokens and other.tokens))
            and self.vocabulary(node) == self.vocabulary(other)
        )

    def take_front(self, node: Heddle, head: Heddle, change: Change) -> None:
        """Take what `head` holds from a node's beginning."""
        count = len(head.tokens)
        if self.alike(node, head) and node.tokens[:count] == head.tokens:
            Span.of(node).after(count).put(node)
            _move_first_step(node, count)
        else:
            self._retext(node, node.text[len(head.text) :], change)

    def put_front(self, node: Heddle, head: Heddle, change: Change) -> None:
        """Put what `head` holds in front of what a node does."""
        if self.alike(node, head):
            Span.of(head).then(Span.of(node)).put(node)
            _move_first_step(node, -len(head.tokens))
        else:
            self._retext(node, head.text + node.text, change)

    def take_end(self, node: Heddle, tail: Heddle, change: Change) -> None:
        """Take what `tail` holds from a node's end."""
        left = len(node.tokens) - len(tail.tokens)
        if self.alike(node, tail) and left >= 0 and node.tokens[left:] == tail.tokens:
            Span.of(node).first(left).put(node)
        else:
            self._retext(node, node.text[: len(node.text) - len(tail.text)], change)

    def put_end(self, node: Heddle, tail: Heddle, change: Change) -> None:
        """Put what `tail` holds behind what a node does."""
        if self.alike(node, tail):
            Span.of(node).then(Span.of(tail)).put(node)
        else:
            self._retext(node, node.text + tail.text, change)

    def exchange(self, node: Heddle, other: Heddle) -> None:
        """Exchange what two nodes hold."""
        mine, theirs = Span.of(node), Span.of(other)
        node.encoded, other.encoded = other.encoded, node.encoded
        node.provenance, other.provenance = other.provenance, node.provenance
        theirs.put(node)
        mine.put(other)
        node.kind, other.kind = other.kind, node.kind
        node.terminal, other.terminal = other.terminal, node.terminal
        node.finish, other.finish = other.finish, node.finish
        if isinstance(node, Loom) and isinstance(other, Loom):
            node.user_prompt, other.user_prompt = other.user_prompt, node.user_prompt
            used = node.chat_template_used
            node.chat_template_used, other.chat_template_used = other.chat_template_used, used
        prints = self.fingerprints
        for name, print_ in ((node.id, prints.pop(other.id, None)), (other.id, prints.pop(node.id, None))):
            if print_ is not None:
                prints[name] = print_

    def _retext(self, node: Heddle, text: str, change: Change) -> None:
        """Where token ids of two vocabularies meet the text alone is put together; it will be encoded again."""
        node.set_span([], text, [])
        node.encoded = False
        self.fingerprints.pop(node.id, None)
        change.unencoded.append(node)


def _move_first_step(node: Heddle, by: int) -> None:
    """Keep a drawn node's seed meaningful: `by` tokens went from its beginning (or came, if negative)."""
    if "seed" not in node.provenance:
        return
    step = node.provenance.get(FIRST_STEP, 0) + by
    rest = {key: value for key, value in node.provenance.items() if key != FIRST_STEP}
    node.provenance = {**rest, FIRST_STEP: step} if step else rest
