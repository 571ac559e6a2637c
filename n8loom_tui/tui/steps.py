"""Edits as steps of the history: carried out, undone, and done again. Branches that an edit takes out of the trees are
ended before.
"""

from __future__ import annotations

from n8loom_tui.session.change import Change
from n8loom_tui.session.history import History, Step
from n8loom_tui.session.history_edits import EditError
from n8loom_tui.session.history_ops import HistoryError, Operation, inverse
from n8loom_tui.tui.encoding import Encoding
from n8loom_tui.tui.growth import Growth

BROKEN = "This can't be {}: {}. The trees are as they were."


class Steps:
    """Of a document. Each of these asks for what the texts that came into the trees need of the tokenizer."""

    def __init__(self, history: History, growth: Growth, encoding: Encoding) -> None:
        self._history = history
        self._growth = growth
        self._encoding = encoding

    def perform(self, label: str, operations: list[Operation]) -> Change:
        """Carry out an edit, as a step of its own (or as a part of the one that is open). Without operations: nothing.

        Raises:
            EditError: it can't be done; nothing was changed.
        """
        change = Change()
        if not operations:
            return change
        self._growth.end_taken(operations, change, keep_empty=True)
        try:
            self._history.perform(label, operations, change)
        except HistoryError as error:
            raise EditError(BROKEN.format("done", error)) from None
        self._encoding.ask_for(change)
        return change

    def undo(self, *, ask: bool) -> Change:
        """Undo the last step; what it grew and still grows is stopped first. Without `ask` nothing is asked of the
        tokenizer: what waits for it is among the change's.

        Raises:
            EditError: there is nothing to undo, or it can't be.
        """
        change = Change()
        if not self._history.undoable:
            raise EditError("There is nothing to undo.")
        step = self._history.undoable[-1]
        change.said = f"undone: {step.label}"
        waited = self._growth.forget_waiting(step)
        if waited and not self._is_last(step):
            change.said += ", which waited"
            return change
        try:
            backwards = [inverse(operation) for operation in step.operations]
            self._growth.end_taken(backwards, change, keep_empty=False)
            if self._is_last(step):
                self._history.undo(change)
        except HistoryError as error:
            raise EditError(BROKEN.format("undone", error)) from None
        if ask:
            self._encoding.ask_for(change)
        return change

    def _is_last(self, step: Step) -> bool:
        return bool(self._history.undoable) and self._history.undoable[-1] is step

    def redo(self, *, ask: bool) -> Change:
        """Do the step again that was undone last. `ask` as for `undo`.

        Raises:
            EditError: there is none, or it can't be done.
        """
        change = Change()
        if not self._history.redoable:
            raise EditError("There is nothing to redo.")
        step = self._history.redoable[-1]
        change.said = f"done again: {step.label}"
        try:
            self._growth.end_taken(step.operations, change, keep_empty=True)
            self._history.redo(change)
        except HistoryError as error:
            raise EditError(BROKEN.format("done again", error)) from None
        if ask:
            self._encoding.ask_for(change)
        return change
