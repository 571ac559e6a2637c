"""What the tree's owner hands to the session: plain snapshots of nodes, and changes made of them.

Taken in the tree's thread, so it is cheap: lists are copied, nothing is packed. What is taken never changes
again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.loom.marks import NO_MARKS, Marks

from .drafts import Drafted

CURRENT = "current"
"""The meta key of the id of the node that the person stands on."""
LETTERS = "letters"
"""The meta key of the letter marks: by letter, the id of the node that it marks."""
SETTINGS = "settings"
"""The meta key of the sampling values in force."""
PRESETS = "presets"
"""The meta key of the session's own presets: by name, their values."""
ANSWERS = "answers"
"""The meta key of what was last answered in dialogs: by dialog, texts by field."""
HOISTED = "hoisted"
"""The meta key of the ids of the nodes that are hoisted, the innermost last."""
VISITED = "visited"
"""The meta key of the children visited last: by a node's id, that of its child."""
SHARED = ("model", "fingerprint", "params")
"""The keys of a provenance that are the same for all branches of a request."""

_ENCODER = json.JSONEncoder(default=str, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class ModelRef:
    """The model whose token ids a node holds. Empty strings where something is not known."""

    name: str
    fingerprint: str = ""
    vocabulary: str = ""


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node at one moment. `parent` counts only when the node is new: later on `Changes.orders` place it.

    `framing` is 'chat' or 'raw' for a loom (a root with a prompt) and None for any other node; `user_prompt`
    is a loom's alone. The provenance is JSON in two parts: `origin`, which many nodes share (None if there is
    no such part), and what is the node's own. `model` None leaves what is stored. `odds` is what is known of the
    tokens, packed.
    """

    id: str
    parent: str | None
    kind: str
    text: str
    tokens: tuple[int, ...]
    ends: tuple[int, ...]
    encoded: bool
    framing: str | None
    user_prompt: str | None
    terminal: bool
    finish: str | None
    created: float
    origin: str | None
    provenance: str
    model: ModelRef | None = None
    odds: bytes | None = None

    @classmethod
    def of(cls, node: Heddle, model: ModelRef | None = None) -> NodeRecord:
        """A snapshot of a node."""
        loom = node if isinstance(node, Loom) else None
        shared = {key: node.provenance[key] for key in SHARED if key in node.provenance}
        own = {key: value for key, value in node.provenance.items() if key not in shared}
        return cls(
            id=node.id,
            parent=node.parent.id if node.parent is not None else None,
            kind=str(node.kind),
            text=node.text,
            tokens=tuple(node.tokens),
            ends=tuple(node.ends),
            encoded=node.encoded or bool(node.tokens),
            framing=None if loom is None else "chat" if loom.chat_template_used else "raw",
            user_prompt=None if loom is None else loom.user_prompt,
            terminal=node.terminal,
            finish=None if node.finish is None else str(node.finish),
            created=float(node.created),
            origin=to_json(shared, otherwise="{}") if shared else None,
            provenance=to_json(own, otherwise="{}"),
            model=model,
            odds=node.packed_odds,
        )


class StepState(IntEnum):
    """Where a step of the history stands. The numbers are stored."""

    DONE = 0
    UNDONE = 1
    """It can be done again."""
    LEFT = 2
    """It was undone, and something else was done then. It is kept, and nothing leads to it."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step of the history: `operations` as `history_ops.pack_operations` gives them, `at` in seconds since 1970."""

    id: int
    label: str
    at: float
    state: StepState
    operations: bytes


@dataclass(frozen=True, slots=True)
class Changes:
    """One operation on a session: it is stored whole or not at all.

    Attributes:
        label: the operation's name, as 'ramify' or 'clip'.
        records: nodes that are new or whose content changed.
        orders: the children of a node (of None: the roots), all of them in their order. A node named here
            hangs there, and is out of the trash if it was in it.
        deleted: nodes that go into the trash, with all below them.
        folded: all folded nodes; None leaves them.
        marks: by node id, marks that are others.
        steps: steps of the history that are new, or whose operations are others.
        states: by step, where a step stands now.
        purged: ids of all nodes in the trash, which is emptied before anything else, and the history with it; None
            leaves both.
        drafts: words that were written and not entered; None where they were entered or thrown away.
        meta: values of the whole session, as JSON.
        at: when, in seconds since 1970.
    """

    label: str
    records: tuple[NodeRecord, ...] = ()
    orders: Mapping[str | None, tuple[str, ...]] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()
    folded: frozenset[str] | None = None
    marks: Mapping[str, Marks] = field(default_factory=dict)
    steps: tuple[StepRecord, ...] = ()
    states: Mapping[int, StepState] = field(default_factory=dict)
    purged: tuple[str, ...] | None = None
    drafts: Drafted = field(default_factory=dict)
    meta: Mapping[str, str] = field(default_factory=dict)
    at: float = field(default_factory=time.time)


def snapshot(
    label: str,
    nodes: Iterable[Heddle] = (),
    *,
    roots: Iterable[Heddle] | None = None,
    deleted: Iterable[str] = (),
    models: Mapping[str, ModelRef] | None = None,
    current: str | None = None,
    folded: Iterable[str] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> Changes:
    """An operation's changes: these nodes as they are now, each at its place among its siblings.

    Args:
        nodes: what is new or changed. For a node that moved or came back, itself or any sibling of it.
        roots: all roots in their order, when one came or went.
        deleted: ids of what was taken out (the topmost nodes; what hangs below goes along).
        models: by node id, the model that a node's token ids belong to, where it is known.
        current: the id of the node that the person stands on.
        folded: ids of all folded nodes.
        meta: further values, of JSON's types.
    """
    known = models or {}
    records = []
    orders: dict[str | None, tuple[str, ...]] = {}
    if roots is not None:
        orders[None] = tuple(root.id for root in roots)
    for node in nodes:
        records.append(NodeRecord.of(node, known.get(node.id)))
        parent = node.parent
        if parent is not None and parent.id not in orders:
            orders[parent.id] = tuple(child.id for child in parent.children)
    values = {key: to_json(value) for key, value in (meta or {}).items()}
    if current is not None:
        values[CURRENT] = to_json(current)
    return Changes(
        label=label,
        records=tuple(records),
        orders=orders,
        deleted=tuple(deleted),
        folded=None if folded is None else frozenset(folded),
        meta=values,
    )


def everything(
    roots: Sequence[Heddle],
    *,
    models: Mapping[str, ModelRef] | None = None,
    current: str | None = None,
    folded: Iterable[str] = (),
    meta: Mapping[str, Any] | None = None,
) -> Changes:
    """The whole of these trees, of which there is neither trash nor history (`whole.py` has these too)."""
    nodes = [node for root in roots for node in root.walk()]
    made = snapshot(
        "everything",
        nodes,
        roots=roots,
        models=models,
        current=current,
        folded=folded,
        meta=meta,
    )
    return replace(made, marks={node.id: node.marks for node in nodes if node.marks is not NO_MARKS})


def to_json(value: Any, *, otherwise: str = "null") -> str:
    """A value as JSON: what JSON cannot hold becomes text, or all of it `otherwise` where that is no help."""
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError):
        return otherwise
