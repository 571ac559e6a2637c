"""What has changed in the trees and is not handed to the session's writer yet.

Only ids and nodes are noted; the snapshot is taken when it is asked for, so what changed ten times is stored once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from n8loom_tui.loom.heddle import Heddle

from .drafts import Draft, Place
from .record import Changes, ModelRef, NodeRecord, StepRecord, StepState, to_json


class Pending:
    """Notes of what is to be stored. `changes` empties it."""

    def __init__(self) -> None:
        self._records: dict[str, Heddle] = {}
        self._beside: dict[str, str] = {}
        self._parents: dict[str | None, Heddle | None] = {}
        self._deleted: dict[str, None] = {}
        self._marks: dict[str, Heddle] = {}
        self._steps: dict[int, StepRecord] = {}
        self._states: dict[int, StepState] = {}
        self._drafts: dict[Place, Draft | None] = {}
        self._meta: dict[str, Any] = {}
        self._purged: list[str] | None = None

    def __bool__(self) -> bool:
        notes = (self._records, self._parents, self._deleted, self._marks, self._steps, self._states)
        return self._purged is not None or any((*notes, self._drafts, self._meta))

    def content(self, node: Heddle) -> None:
        """A node is new, or its text, tokens or provenance are others."""
        self._records[node.id] = node

    def aside(self, node: Heddle, owner: Heddle) -> None:
        """A new node of the trash keeps what was `owner`'s."""
        self._records[node.id] = node
        self._beside[node.id] = owner.id
        self._deleted[node.id] = None

    def children(self, parent: Heddle | None, came: Iterable[Heddle] = ()) -> None:
        """The children of a node (None: the roots) are others, or in another order. `came`: those that came in."""
        self._parents[parent.id if parent is not None else None] = parent
        for node in came:
            self._deleted.pop(node.id, None)

    def deleted(self, nodes: Iterable[Heddle]) -> None:
        """Nodes went into the trash, with all below them."""
        self._deleted.update((node.id, None) for node in nodes)

    def marks(self, node: Heddle) -> None:
        """A node's marks are others."""
        self._marks[node.id] = node

    def step(self, step: StepRecord) -> None:
        """A step of the history is new, or its operations are others."""
        self._steps[step.id] = step
        self._states.pop(step.id, None)

    def state(self, step: int, state: StepState) -> None:
        """A step was done, undone, or left behind."""
        if step in self._steps:
            self._steps[step] = replace(self._steps[step], state=state)
        else:
            self._states[step] = state

    def draft(self, place: Place, draft: Draft | None) -> None:
        """Words that are not entered are others, or (None) there are none any more."""
        self._drafts[place] = draft

    def meta(self, key: str, value: Any) -> None:
        """A value of the whole session is another one."""
        self._meta[key] = value

    def purge(self, nodes: list[str]) -> None:
        """The trash, with these nodes in it, and the history are to go for good."""
        for notes in (self._records, self._parents, self._deleted, self._marks, self._beside):
            for name in nodes:
                notes.pop(name, None)
        self._steps.clear()
        self._states.clear()
        self._purged = nodes

    def changes(
        self,
        label: str,
        roots: Sequence[Heddle],
        models: Callable[[Iterable[Heddle]], Mapping[str, ModelRef]],
    ) -> Changes:
        """All of it as one transaction. `models` tells which model the token ids of nodes belong to."""
        known = models(self._records.values())
        made = Changes(
            label=label,
            records=tuple(self._record(node, known.get(node.id)) for node in self._records.values()),
            orders={
                key: tuple(child.id for child in (roots if parent is None else parent.children))
                for key, parent in self._parents.items()
            },
            deleted=tuple(self._deleted),
            marks={key: node.marks for key, node in self._marks.items()},
            steps=tuple(self._steps.values()),
            states=dict(self._states),
            purged=None if self._purged is None else tuple(self._purged),
            drafts=dict(self._drafts),
            meta={key: to_json(value) for key, value in self._meta.items()},
        )
        self.__init__()  # type: ignore[misc]
        return made

    def _record(self, node: Heddle, model: ModelRef | None) -> NodeRecord:
        record = NodeRecord.of(node, model)
        owner = self._beside.get(node.id)
        # What stands aside has no parent of its own; a root's other text stays a root's.
        return replace(record, parent=owner) if owner is not None and record.framing is None else record
