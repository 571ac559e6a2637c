"""Which texts of the trees wait for the model's tokenizer: asking the engine for their token ids, and entering them.

A text may be edited while its token ids are on their way. So each request carries an id for the text, not for the node,
and an answer about a text that is no longer there is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator

from n8loom_tui.loom.heddle import Heddle, Loom, new_id
from n8loom_tui.loom.protocol import Encode, Encoded, Framing, Segment
from n8loom_tui.session.change import Change
from n8loom_tui.session.history_trees import Trees

UNKNOWN = ""
"""In place of a fingerprint: token ids of no model that is known."""
MOST_READY = 100_000
"""Nodes."""


class Encoding:
    """The texts on their way."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees
        self._vocabulary: int | None = None
        self._asked: dict[str, tuple[str, str]] = {}
        self._ready: dict[str, tuple[list[int], Segment]] = {}
        """By node, the segment that was made of its tokens: a path may have 10,000."""

    @property
    def vocabulary(self) -> int | None:
        """How many token ids the model in use knows, once it is there."""
        return self._vocabulary

    @vocabulary.setter
    def vocabulary(self, size: int | None) -> None:
        self._vocabulary = size
        self._ready.clear()

    def path(self, node: Heddle) -> tuple[Segment, ...]:
        """The path down to a node, as a request to the engine holds it."""
        return tuple(
            found if (found := self._found(above)) is not None else self._segment(above)
            for above in node.path()
        )

    def readying(self, node: Heddle) -> Iterator[None]:
        """Make ready what `path` gives, bit by bit: the tokens of a session that was just opened are still packed."""
        for above in node.path():
            if above.encoded and self._found(above) is None:
                self._segment(above)
            yield

    def _found(self, node: Heddle) -> Segment | None:
        """What was made of a node's tokens, if they are the same still: a list of them is only ever added to."""
        found = self._ready.get(node.id) if node.encoded else None
        if found is None or found[0] is not node.tokens or len(found[0]) != len(found[1].tokens or ()):
            return None
        return found[1]

    def _segment(self, node: Heddle) -> Segment:
        if node.encoded and self._is_known(node):
            if len(self._ready) >= MOST_READY:
                self._ready.clear()
            made = node.segment()
            self._ready[node.id] = node.tokens, made
            return made
        name = new_id()
        self._asked[name] = node.id, node.source_text()
        return Segment(name, None, node.source_text(), node.framing(), node.system)

    def _is_known(self, node: Heddle) -> bool:
        """Whether the model knows all of a node's token ids. A file may claim any; what the model never said is another
        vocabulary's, and its text is encoded anew."""
        tokens, size = node.tokens, self.vocabulary
        if size is None or not tokens or 0 <= min(tokens) <= max(tokens) < size:
            return True
        node.encoded = False
        self._trees.fingerprints[node.id] = UNKNOWN
        return False

    def request(self, node: Heddle) -> Encode:
        """A request for the token ids of a node's text."""
        return Encode(new_id(), self.path(node))

    def wanted(self) -> list[Heddle]:
        """Nodes of the trees whose text no tokenizer has read yet."""
        return [node for node in self._trees.nodes.values() if not node.encoded and not node.tokens]

    def ask_for(self, change: Change) -> None:
        """Have what came into the trees without token ids encoded."""
        trees = self._trees
        for node in {node.id: node for node in change.unencoded}.values():
            if node.id in trees.nodes and not node.encoded and not node.tokens:
                change.requests.append(self.request(node))
        change.unencoded.clear()

    def take(self, event: Encoded, change: Change) -> None:
        """Enter token ids that came."""
        name, text = self._asked.get(event.node_id, ("", ""))
        node = self._trees.nodes.get(name)
        if node is None or node.encoded or node.source_text() != text:
            return
        foreign = bool(node.tokens)
        node.set_span(list(event.tokens), event.text, list(event.ends))
        self._trees.fingerprints.pop(node.id, None)
        if isinstance(node, Loom):
            node.chat_template_used = event.framing is Framing.CHAT
        if not foreign:
            # The file keeps the ids of the model that made them: with that model it goes on exactly.
            self._trees.pending.content(node)
        change.touch(node)
