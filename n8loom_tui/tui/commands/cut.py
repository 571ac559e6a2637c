"""What shortens, parts, joins and takes away; undo and redo."""

from __future__ import annotations

from collections.abc import Callable

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import Change, EditError
from n8loom_tui.tui.screens.ask import AskScreen


class Cut(Part):
    """What shortens, parts, joins and takes away; undo and redo."""

    def do_delete(self, _count: int | None) -> None:
        self._app.show(self._app.document.delete(self._node()), "delete")

    def do_make_leaf(self, _count: int | None) -> None:
        self._app.show(self._app.document.make_leaf(self._node()), "make leaf")

    def _clip(self, node: Heddle, tokens: int) -> None:
        change = self._app.document.clip(node, tokens)
        change.focus = node
        self._app.show_there(change, "clip")

    def do_trim(self, count: int | None) -> None:
        self._clip(self._node(), -(count or 1))

    def do_clip(self, count: int | None) -> None:
        node = self._node()
        if count is not None:
            self._clip(node, count)
            return
        self._ask_tokens(
            "Clip", "keep how many", node, len(node.tokens), lambda tokens: self._clip(node, tokens)
        )

    def do_split(self, count: int | None) -> None:
        node = self._node()
        document = self._app.document
        document.refuse_growing(node, "Stop it before splitting it.")

        def split(tokens: int) -> None:
            self._app.show_there(document.split(node, tokens), "split")

        if count is not None:
            split(count)
        else:
            self._ask_tokens("Split", "behind how many", node, max(len(node.tokens) // 2, 1), split)

    def _ask_tokens(
        self, title: str, question: str, node: Heddle, proposed: int, then: Callable[[int], None]
    ) -> None:
        """Ask for a number of a node's tokens, and do something with it."""

        def check(text: str) -> str | None:
            whole = text.strip().isdecimal() and int(text) > 0
            return None if whole else "a whole number of tokens, at least 1"

        def answered(text: str | None) -> None:
            if text is not None:
                self._attempt(lambda: chosen(int(text)))

        def chosen(tokens: int) -> None:
            self._see_there(node)
            then(tokens)

        hint = f"{question} of its {len(node.tokens)} tokens?"
        self._app.push_screen(AskScreen(title, hint, str(proposed), check), answered)

    def do_merge(self, _count: int | None) -> None:
        self._app.show_there(self._app.document.merge(self._node()), "merge")

    def do_undo(self, count: int | None) -> None:
        self._travel(self._app.document.undo, count or 1)

    def do_redo(self, count: int | None) -> None:
        self._travel(self._app.document.redo, count or 1)

    def _travel(self, step: Callable[[], Change], count: int) -> None:
        """Undo or redo, as far as there is anything."""
        for number in range(count):
            try:
                self._app.show_there(step(), "history")
            except EditError:
                if number == 0:
                    raise
                return
