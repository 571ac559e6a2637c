"""The history of a session: every change to its trees as a step that can be undone and done again, without limit.

Pure: it knows trees and operations, neither a file nor a screen. What has to be stored it notes in `trees.pending`,
so a change and its step reach the file together.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from n8loom_tui.loom.heddle import Heddle, Kind

from .change import Change
from .history_ops import (
    Cut,
    Hang,
    HistoryError,
    Mend,
    Operation,
    Order,
    Set,
    Split,
    Swap,
    Take,
    inverse,
    pack_operations,
    unpack_operations,
)
from .history_trees import Trees
from .record import StepRecord, StepState


class Step:
    """What is undone and done again as one.

    Attributes:
        id: larger than that of any step begun before.
        label: the operation's name, for people.
        at: when it began, in seconds since 1970.
        awaits: how many things are still to happen in it, as branches that wait for another one to end.
    """

    __slots__ = ("_operations", "_packed", "at", "awaits", "id", "label")

    def __init__(self, id: int, label: str, at: float, operations: list[Operation] | bytes) -> None:
        """`operations` as bytes are read when they are first needed."""
        self.id = id
        self.label = label
        self.at = at
        self.awaits = 0
        self._packed = operations if isinstance(operations, bytes) else None
        self._operations = [] if isinstance(operations, bytes) else operations

    @property
    def operations(self) -> list[Operation]:
        """What was done, in order.

        Raises:
            HistoryError: it cannot be read.
        """
        if self._packed is not None:
            self._operations = unpack_operations(self._packed)
            self._packed = None
        return self._operations

    @operations.setter
    def operations(self, operations: list[Operation]) -> None:
        self._operations, self._packed = operations, None

    @property
    def packed(self) -> bytes:
        """The operations as they are stored."""
        return pack_operations(self._operations) if self._packed is None else self._packed

    def record(self, state: StepState) -> StepRecord:
        """The step as it is stored, where it stands so."""
        return StepRecord(self.id, self.label, self.at, state, self.packed)

    @property
    def empty(self) -> bool:
        """Whether nothing has happened in it yet: it was begun for what is to come."""
        return self._packed is None and not self._operations


class History:
    """The steps that were done, and those that were undone and can be done again."""

    def __init__(
        self, trees: Trees, done: Iterable[Step] = (), undone: Iterable[Step] = (), last_id: int = 0
    ) -> None:
        """`done` and `undone` in the order in which they were done; `last_id`: the largest id ever given."""
        self.trees = trees
        self._done = list(done)
        self._undone = list(undone)[::-1]
        self._last_id = max([last_id, *(step.id for step in (*self._done, *self._undone))])
        self._open: Step | None = None

    @property
    def undoable(self) -> Sequence[Step]:
        """The steps that were done, the last one last."""
        return self._done

    @property
    def redoable(self) -> Sequence[Step]:
        """The steps that were undone, the one to be done again first last."""
        return self._undone

    # ------------------------------------------------------------------ doing

    def begin(self, label: str) -> Step:
        """Begin a step that operations will be added to. It is stored with its first one. What was undone and not done
        again is left behind: it stays in the file."""
        if self._open is not None:
            return self._open
        for step in self._undone:
            self.trees.pending.state(step.id, StepState.LEFT)
        self._undone.clear()
        self._last_id += 1
        step = Step(self._last_id, label, time.time(), [])
        self._done.append(step)
        return step

    def late(self, step: Step) -> Step:
        """The step that something belongs to which had to wait: the one that it was asked for in, or, if other things
        were done or undone since, one of its own."""
        if self._undone or not self._done or self._done[-1] is not step:
            return self.begin(step.label)
        return step

    def extend(self, step: Step, operations: Iterable[Operation], change: Change) -> None:
        """Carry out operations as a part of a step that was done.

        Raises:
            HistoryError: one of them can't be; nothing was changed.
        """
        added = list(operations)
        self._carry_out(added, change)
        step.operations.extend(added)
        self._store(step)

    def perform(self, label: str, operations: Iterable[Operation], change: Change) -> Step:
        """Carry out operations as a new step (or as a part of the one that `one_step` has open).

        Raises:
            HistoryError: one of them can't be; nothing was changed.
        """
        added = list(operations)
        self._carry_out(added, change)
        step = self.begin(label)
        step.operations.extend(added)
        self._store(step)
        return step

    @contextmanager
    def one_step(self, label: str) -> Iterator[Step]:
        """Make all that is performed meanwhile one step."""
        step = self._open = self.begin(label)
        try:
            yield step
        finally:
            self._open = None
            self.drop_if_empty(step)

    def drop_if_empty(self, step: Step) -> None:
        """Forget a step in which nothing happened, nor is to happen."""
        if not (step.operations or step.awaits or step is self._open) and step in self._done:
            self._done.remove(step)

    # ---------------------------------------------------------- undo and redo

    def undo(self, change: Change) -> Step | None:
        """Undo the last step. None: there is none.

        Raises:
            HistoryError: it can't be undone; nothing was changed.
        """
        if not self._done:
            return None
        step = self._done[-1]
        backwards = [inverse(operation) for operation in reversed(step.operations)]
        self._carry_out(backwards, change, undoing=True)
        self._undone.append(self._done.pop())
        self.trees.pending.state(step.id, StepState.UNDONE)
        return step

    def redo(self, change: Change) -> Step | None:
        """Do the step again that was undone last. None: there is none.

        Raises:
            HistoryError: it can't be done; nothing was changed.
        """
        if not self._undone:
            return None
        step = self._undone[-1]
        self._carry_out(step.operations, change)
        self._done.append(self._undone.pop())
        self.trees.pending.state(step.id, StepState.DONE)
        return step

    def _carry_out(self, operations: Sequence[Operation], change: Change, undoing: bool = False) -> None:
        made: list[Operation] = []
        focus = None
        try:
            for operation in operations:
                place = self._focus(operation, self.trees.apply(operation, change), undoing)
                # Where the first of them was done: that is the last one where they are undone.
                focus = place if undoing or focus is None else focus
                made.append(operation)
        except HistoryError:
            for operation in reversed(made):
                self.trees.apply(inverse(operation), change)
            raise
        change.focus = focus or change.focus

    @staticmethod
    def _focus(operation: Operation, place: Heddle | None, undoing: bool) -> Heddle | None:
        match operation:
            case Hang() if place is not None and not undoing and place.kind is Kind.GENERATED:
                return place.parent or place
            case Split() if place is not None and undoing:
                return place.children[0]
        return place

    def clear(self) -> None:
        """Forget all steps, as when the trash is emptied that they are about."""
        self._done = [step for step in self._done if step.awaits]
        for step in self._done:
            step.operations = []
        self._undone.clear()

    # ------------------------------------------------------------- forgetting

    def forget(self, node: Heddle, change: Change) -> None:
        """Take out a leaf as if it had never been: a branch that was stopped before it said anything."""
        self.trees.forget(node, change)
        gone = _Gone(node.id)
        for step in self._from_first_with(node.id):
            after = gone.leave_out(step.operations)
            if after == step.operations:
                continue
            step.operations = after
            self._store(step)
            if not after:
                self._remove(step)

    def _from_first_with(self, name: str) -> list[Step]:
        """The steps from the one that entered a node on, in the order in which they were done."""
        steps = [*self._done, *reversed(self._undone)]
        with suppress(HistoryError):
            for index in range(len(steps) - 1, -1, -1):
                if any(isinstance(made, Hang) and name in made.nodes for made in steps[index].operations):
                    return steps[index:]
        return []

    def _remove(self, step: Step) -> None:
        """Leave an empty step behind, unless something is still to happen in it: then it is stored anew."""
        self.trees.pending.state(step.id, StepState.LEFT)
        if step.awaits or step is self._open:
            return
        for steps in (self._done, self._undone):
            if step in steps:
                steps.remove(step)

    # ---------------------------------------------------------------- storing

    def _store(self, step: Step) -> None:
        state = StepState.UNDONE if step in self._undone else StepState.DONE
        self.trees.pending.step(step.record(state))

    def standing(self) -> list[tuple[Step, StepState]]:
        """All steps that are stored, but for those that were left behind, and where each stands."""
        done = [(step, StepState.DONE) for step in self._done if not step.empty]
        return done + [(step, StepState.UNDONE) for step in reversed(self._undone)]


class _Gone:
    """Follows a node that has never been through operations, and makes them what they would be without it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._parent: str | None = None
        self._place: int | None = None
        """Where it stood among its parent's children."""

    def leave_out(self, operations: Iterable[Operation]) -> list[Operation]:
        """The operations without the node."""
        return [left for operation in operations if (left := self._without(operation)) is not None]

    def _without(self, operation: Operation) -> Operation | None:
        match operation:
            case Hang(parent, index, nodes) if self._name in nodes:
                self._parent, self._place = parent, index + nodes.index(self._name)
                return self._fewer(operation)
            case Take(nodes=nodes) if self._name in nodes:
                self._place = None
                return self._fewer(operation)
            case Hang(parent, index, nodes) | Take(parent, index, nodes) if self._stands_below(parent):
                return self._moved(operation, index, len(nodes))
            case Order(parent, before, after) if self._name in after:
                self._place = after.index(self._name)
                return Order(parent, self._drop(before), self._drop(after))
            case Set(node=node) | Swap(node=node) | Cut(node=node) | Mend(node=node) if node == self._name:
                return None
        return operation

    def _stands_below(self, parent: str | None) -> bool:
        return self._place is not None and parent == self._parent

    def _drop(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name != self._name)

    def _fewer(self, operation: Hang | Take) -> Operation | None:
        left = self._drop(operation.nodes)
        return replace(operation, nodes=left) if left else None

    def _moved(self, operation: Hang | Take, index: int, count: int) -> Operation:
        """An operation among its siblings: what lies behind it stands one place further in front."""
        assert self._place is not None
        if index > self._place:
            return replace(operation, index=index - 1)
        self._place += count if isinstance(operation, Hang) else -count
        return operation
