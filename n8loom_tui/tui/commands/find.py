"""Leaps over rows: to the next bookmark, leaf or unread node of what the tree shows, and round behind the last one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError
from n8loom_tui.tui.walks import backward, onward

FEW = 1000
"""As long as no more nodes than this are meant they are put in order; of more, the next one is near."""


class Find(Part):
    """Leaps over rows."""

    def _walk(self, count: int, meant: Callable[[Heddle], bool], objection: str) -> None:
        """Go `count` such nodes on (back, if negative), looking at one node after the other."""
        node, tops = self._node(), self._tree.rows.roots
        steps = abs(count)
        walk = onward(node, tops) if count > 0 else backward(node, tops)
        found = list(islice(filter(meant, walk), steps))
        if not found and not meant(node):
            raise EditError(objection)
        if 0 < len(found) < steps:  # it went round, and goes on doing so
            ring = [*found, node] if meant(node) else found
            found = [ring[(steps - 1) % len(ring)]]
        if found:
            self._tree.go_to(found[-1])

    def _leap(self, count: int, known: Mapping[str, Heddle], objection: str) -> None:
        """Go `count` of these nodes on (back, if negative)."""
        node = self._node()
        if len(known) > FEW:
            self._walk(count, lambda other: other.id in known, objection)
            return
        rows = self._tree.rows
        found = sorted(
            (place, name) for name, other in known.items() if (place := rows.place(other)) is not None
        )
        here = rows.place(node)
        if not found or here is None:
            raise EditError(objection)
        before = sum(place < here for place, _ in found)
        at = before + count - (0 if count < 0 or node.id in known else 1)
        self._tree.go_to(known[found[at % len(found)][1]])

    def _leap_bookmark(self, count: int) -> None:
        label = self._app.keymap.label("bookmark")
        found = self._app.document.trees.bookmarks
        self._leap(count, found, f"There is no bookmark here yet; {label} sets one.")

    def do_next_bookmark(self, count: int | None) -> None:
        self._leap_bookmark(count or 1)

    def do_previous_bookmark(self, count: int | None) -> None:
        self._leap_bookmark(-(count or 1))

    def _leap_leaf(self, count: int) -> None:
        self._walk(count, lambda node: not node.children, "There is no other leaf here.")

    def do_next_leaf(self, count: int | None) -> None:
        self._leap_leaf(count or 1)

    def do_previous_leaf(self, count: int | None) -> None:
        self._leap_leaf(-(count or 1))

    def _leap_unread(self, count: int) -> None:
        found = self._app.document.trees.unread
        self._leap(count, found, "All nodes here have been read.")

    def do_next_unread(self, count: int | None) -> None:
        self._leap_unread(count or 1)

    def do_previous_unread(self, count: int | None) -> None:
        self._leap_unread(-(count or 1))
