"""Text that a person writes: children, edits."""

from __future__ import annotations

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui import external_editor
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.screens.editor import Choice, EditorScreen, Written

EDIT_ADVICE = "Stop it before editing it."


class Write(Part):
    """Text that a person writes: children, edits."""

    def do_add_text(self, _count: int | None) -> None:
        node = self._node()
        document = self._app.document
        document.refuse_growing(node, "Wait for it to end, or stop it, before writing behind it.")

        def written(answer: Written | None) -> None:
            if answer is not None and answer.text:
                self._change("write", node, lambda: document.add_text(node, answer.text))

        self._app.push_screen(EditorScreen("Write what comes next"), written)

    def do_chat_turn(self, _count: int | None) -> None:
        node = self._node()
        document = self._app.document
        document.refuse_growing(node, "Wait for it to end, or stop it, before answering it.")
        document.need_template()

        def written(answer: Written | None) -> None:
            if answer is not None and answer.text:
                self._change("chat turn", node, lambda: document.chat_turn(node, answer.text))

        intro = f"It stands in the model's chat template; {self._app.keymap.label('ramify')} then answers it."
        self._app.push_screen(EditorScreen("Your next message", intro=intro), written)

    def do_edit(self, _count: int | None) -> None:
        node = self._node()
        self._app.document.refuse_growing(node, EDIT_ADVICE)
        choice = None if node.children else Choice("as a new sibling", "in its place", False)
        intro = (
            "What is below goes on from the old text: the new one becomes a sibling." if node.children else ""
        )

        def written(answer: Written | None) -> None:
            if answer is not None:
                self._edit(node, answer.text, sibling=answer.chosen)

        text = node.source_text()
        self._app.push_screen(EditorScreen("Edit", intro=intro, text=text, choice=choice), written)

    def do_edit_external(self, _count: int | None) -> None:
        node = self._node()
        self._app.document.refuse_growing(node, EDIT_ADVICE)
        self._edit(node, external_editor.edit(node.source_text(), self._app), sibling=False)

    def _edit(self, node: Heddle, text: str, *, sibling: bool) -> None:
        """Enter an edited text: beside the old one, if that was chosen or something goes on from it."""
        if text == node.source_text():
            return
        document = self._app.document
        self._change("edit", node, lambda: document.edit(node, text, sibling=sibling or bool(node.children)))
