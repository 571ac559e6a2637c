"""What shortens, parts, joins and takes away."""

from __future__ import annotations

from collections.abc import Callable

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.session.history_edits import UNREAD_TEXT
from n8loom_tui.tui import many
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError, counted
from n8loom_tui.tui.screens.ask import AskScreen


class Cut(Part):
    """What shortens, parts, joins and takes away."""

    def do_delete(self, _count: int | None) -> None:
        document, marked = self._app.document, self._marked()
        change = many.delete(document, marked) if marked else document.delete(self._node())
        self._app.show(change, "delete")

    def do_make_leaf(self, _count: int | None) -> None:
        document, marked = self._app.document, self._marked()
        change = many.make_leaves(document, marked) if marked else document.make_leaf(self._node())
        self._app.show(change, "make leaf")

    def _clip(self, nodes: list[Heddle], tokens: int) -> None:
        """Clip all that is marked, or else the one node."""
        document = self._app.document
        if len(self._app.marked):
            self._app.show(many.clip(document, nodes, tokens), "clip")
            return
        change = document.clip(nodes[0], tokens)
        change.focus = nodes[0]
        self._app.show_there(change, "clip")

    def do_trim(self, count: int | None) -> None:
        self._clip(self._marked() or [self._node()], -(count or 1))

    def do_clip(self, count: int | None) -> None:
        nodes = self._marked() or [self._node()]
        most = max(len(node.tokens) for node in nodes)
        first = nodes[0]
        alone = len(nodes) == 1 and (first.parent is None or first.is_turn or most < 2)
        if count is not None or alone:
            self._clip(nodes, count or 1)  # where nothing can be cut, that says why, and nothing is asked
            return
        if most == 0:
            raise EditError(UNREAD_TEXT)
        whose = (
            f"its {counted(most, 'token')}" if len(nodes) == 1 else f"each of {counted(len(nodes), 'node')}"
        )

        def clip(tokens: int) -> None:
            there = [node for node in nodes if node.id in self._app.document.nodes]
            if not there:
                raise EditError("What this was for is gone.")
            self._clip(there, tokens)

        self._ask_tokens("Clip", f"keep how many tokens of {whose}?", most, clip)

    def do_split(self, count: int | None) -> None:
        node = self._node()
        document = self._app.document
        document.refuse_growing(node, "Stop it before splitting it.")

        def split(tokens: int) -> None:
            self._see_there(node)
            self._app.show_there(document.split(node, tokens), "split")

        if count is not None or node.parent is None or len(node.tokens) < 2:
            split(count or 1)  # where nothing can be split, that says why, and nothing is asked
        else:
            hint = f"behind how many of its {counted(len(node.tokens), 'token')}?"
            self._ask_tokens("Split", hint, max(len(node.tokens) // 2, 1), split)

    def _ask_tokens(self, title: str, hint: str, proposed: int, then: Callable[[int], None]) -> None:
        """Ask for a number of tokens, and do something with it."""

        def check(text: str) -> str | None:
            whole = text.strip().isdecimal() and int(text) > 0
            return None if whole else "a whole number of tokens, at least 1"

        def answered(text: str | None) -> None:
            if text is not None:
                self._attempt(lambda: then(int(text)))

        self._app.push_screen(AskScreen(title, hint, str(proposed), check), answered)

    def do_merge(self, _count: int | None) -> None:
        self._app.show_there(self._app.document.merge(self._node()), "merge")
