"""All of a session's trees, trash and history as changes: for another file, or for an export of what no file has.

Recording goes node by node, so that it can be done in slices while the trees go on changing. What changes meanwhile is
handed over as ever, as absolute values: entered behind the whole it makes good whatever that saw only half of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.marks import NO_MARKS, Marks

from .drafts import Drafted
from .history import History
from .history_trees import Trees
from .record import Changes, ModelRef, NodeRecord, StepRecord, snapshot

Models = Callable[[Iterable[Heddle]], Mapping[str, ModelRef]]


class Whole:
    """What is in the trees when it is made. `models` tells which model the token ids of nodes belong to."""

    def __init__(self, trees: Trees, history: History, models: Models) -> None:
        self._trees = trees
        self._models = models
        self._roots = list(trees.roots)
        self._trash = list(trees.trash)
        self._nodes = [
            *trees.nodes.values(),
            *(node for top in trees.trash.values() for node in top.walk()),
        ]
        self._steps = history.standing()
        self._records: list[NodeRecord] = []
        self._orders: dict[str | None, tuple[str, ...]] = {}
        self._marks: dict[str, Marks] = {}
        self._packed: list[StepRecord] = []
        self._at = time.time()

    def recording(self) -> Iterator[None]:
        """Record one thing after the other."""
        for node in self._nodes:
            self._record(node)
            yield
        for step, state in self._steps:
            self._packed.append(step.record(state))
            yield

    def _record(self, node: Heddle) -> None:
        record = NodeRecord.of(node, self._models([node]).get(node.id))
        if record.framing is None and node.id not in self._trees.nodes and record.parent is None:
            # In the trash: where it hung, or what it is a part of.
            record = replace(record, parent=self._trees.where.get(node.id))
        self._records.append(record)
        if node.children:
            self._orders[node.id] = tuple(child.id for child in node.children)
        if node.marks is not NO_MARKS:
            self._marks[node.id] = node.marks

    def changes(
        self, current: str | None, folded: Iterable[str], meta: Mapping[str, Any], drafts: Drafted
    ) -> Changes:
        """What was recorded, once all is. `current`, `folded` and `meta` as for `snapshot`, `drafts` as `Changes`
        has them."""
        made = snapshot(
            "everything", roots=self._roots, deleted=self._trash, current=current, folded=folded, meta=meta
        )
        return replace(
            made,
            records=tuple(self._records),
            orders={**made.orders, **self._orders},
            marks=self._marks,
            steps=tuple(self._packed),
            drafts=drafts,
            at=self._at,  # what changes meanwhile comes behind it
        )
