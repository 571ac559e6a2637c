"""How a heddle's text stands in a model's framing: what is encoded for it, and what a chat template puts around it.
Plain Python; the templates themselves are applied in `text`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from .kinds import MESSAGE, SYSTEM, Kind
from .protocol import Framing, Segment

if TYPE_CHECKING:
    from .heddle import Heddle


class Framed:
    """The part of `Heddle` that knows of framings."""

    __slots__ = ()

    @property
    def _itself(self) -> Heddle:
        return cast("Heddle", self)

    def segment(self) -> Segment:
        """This node as a part of a request to the engine."""
        if self._itself.encoded:
            return Segment(self._itself.id, tuple(self._itself.tokens))
        return Segment(self._itself.id, None, self.source_text(), self.framing(), self.system)

    @property
    def is_turn(self) -> bool:
        """Whether this is a user's message in the model's chat template, as a whole."""
        return self._itself.kind is Kind.TURN and isinstance(self._itself.provenance.get(MESSAGE), str)

    @property
    def opens_conversation(self) -> bool:
        """Whether this is a user's message in the chat template."""
        return self.is_turn

    @property
    def in_conversation(self) -> bool:
        """Whether what stands here goes on from a user's message in the chat template."""
        return any(node.opens_conversation for node in self._itself.ancestors())

    @property
    def system(self) -> str:
        """The system's message in a root's chat template; empty: what the template puts there by itself."""
        found = self._itself.provenance.get(SYSTEM) if self._itself.parent is None else None
        return found if isinstance(found, str) else ""

    def source_text(self) -> str:
        """What is encoded to get this node's tokens."""
        return str(self._itself.provenance[MESSAGE]) if self.is_turn else self._itself.text

    def framing(self) -> Framing:
        """How this node's text is to be encoded."""
        if self._itself.parent is None:
            return Framing.RAW
        if not self.is_turn:
            return Framing.CONTINUATION
        return Framing.TURN if self._itself.parent.in_conversation else Framing.OPENING

    def display_text(self) -> str:
        """The node's text in the form for people."""
        return f"\n\nPrompt: {self.source_text()}\n\nResponse:\n\n" if self.is_turn else self._itself.text
