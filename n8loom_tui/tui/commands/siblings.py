"""Siblings below a node: the same ones away, the others in order."""

from __future__ import annotations

from n8loom_tui.session.history_sets import age, improbability
from n8loom_tui.tui import many
from n8loom_tui.tui.commands.part import Part


class Siblings(Part):
    """What is done to the siblings below the node under the cursor, as one step."""

    def do_remove_duplicates(self, _count: int | None) -> None:
        self._app.show(many.remove_duplicates(self._app.document, self._node()), "remove duplicates")

    def do_sort_by_probability(self, _count: int | None) -> None:
        change = many.sort_below(self._app.document, self._node(), improbability, "probability")
        self._app.show(change, "sort")

    def do_sort_by_age(self, _count: int | None) -> None:
        change = many.sort_below(self._app.document, self._node(), age, "age")
        self._app.show(change, "sort")
