"""What an operation did to the trees, for whoever shows them and for the engine. No user interface in here."""

from __future__ import annotations

from dataclasses import dataclass, field

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.protocol import Request

MANY = 32
"""More nodes than this, coming or going side by side, are told as one rearranged parent."""


@dataclass(slots=True)
class Change:
    """What happened, gathered over the operations of a step.

    Attributes:
        removed: nodes taken out, each with the parent it was taken from.
        added: nodes entered, by parent. Some may be gone again by the end of the step.
        rearranged: nodes below which anything may have come, gone or changed places (None: among the roots).
        changed: nodes whose own text or marks are others.
        finished: branches that no longer grow.
        focus: the node where it happened.
        unencoded: nodes in the trees whose text waits for a tokenizer since.
        stop: branches that the engine is to stop.
        requests: what the engine is to do.
        said: one line about it for people; often empty.
    """

    removed: list[tuple[Heddle | None, Heddle]] = field(default_factory=list)
    added: list[tuple[Heddle | None, list[Heddle]]] = field(default_factory=list)
    rearranged: dict[str | None, Heddle | None] = field(default_factory=dict)
    changed: dict[str, Heddle] = field(default_factory=dict)
    finished: list[Heddle] = field(default_factory=list)
    focus: Heddle | None = None
    unencoded: list[Heddle] = field(default_factory=list)
    stop: set[str] = field(default_factory=set)
    requests: list[Request] = field(default_factory=list)
    said: str = ""

    def join(self, later: Change) -> Change:
        """Take in what happened after this. Returns itself."""
        self.removed += later.removed
        self.added += later.added
        self.rearranged |= later.rearranged
        self.changed |= later.changed
        self.finished += later.finished
        self.focus = later.focus or self.focus
        self.unencoded += later.unencoded
        self.stop |= later.stop
        self.requests += later.requests
        self.said = later.said or self.said
        return self

    def touch(self, node: Heddle) -> None:
        """Note that a node's own row and text changed."""
        self.changed[node.id] = node

    def hung(self, parent: Heddle | None, nodes: list[Heddle]) -> None:
        """Note that nodes were entered below a parent (None: among the roots)."""
        if len(nodes) > MANY:
            self.rearrange(parent)
        else:
            self.added.append((parent, nodes))

    def taken(self, parent: Heddle | None, nodes: list[Heddle]) -> None:
        """Note that nodes were taken from a parent (None: from among the roots)."""
        if len(nodes) > MANY:
            self.rearrange(parent)
        else:
            self.removed += [(parent, node) for node in nodes]

    def rearrange(self, parent: Heddle | None) -> None:
        """Note that the children of a node (None: the roots) are to be looked at anew."""
        self.rearranged[parent.id if parent is not None else None] = parent
