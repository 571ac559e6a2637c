"""Text that a person writes: children, edits."""

from __future__ import annotations

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.session.drafts import Draft, Editor, Place
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError
from n8loom_tui.tui.drafting import ACTIONS
from n8loom_tui.tui.external_editor import OutsideEdit
from n8loom_tui.tui.screens.editor import Choice, EditorScreen, Written

EDIT_ADVICE = "Stop it before editing it."


class Write(Part):
    """Text that a person writes: children, edits."""

    def do_add_text(self, _count: int | None) -> None:
        node = self._node()
        document = self._app.document
        document.refuse_growing(node, "Wait for it to end, or stop it, before writing behind it.")

        def enter(written: Written) -> bool:
            return not written.text or self._change(
                "write", node, lambda: document.add_text(node, written.text)
            )

        self._app.drafting.ask(Place(Editor.CHILD, node.id), EditorScreen("Write what comes next"), enter)

    def do_chat_turn(self, _count: int | None) -> None:
        node = self._node()
        document = self._app.document
        document.refuse_growing(node, "Wait for it to end, or stop it, before answering it.")
        document.need_template()

        def enter(written: Written) -> bool:
            return not written.text or self._change(
                "chat turn", node, lambda: document.chat_turn(node, written.text)
            )

        intro = f"It stands in the model's chat template; {self._app.keymap.label('ramify')} then answers it."
        screen = EditorScreen("Your next message", intro=intro)
        self._app.drafting.ask(Place(Editor.TURN, node.id), screen, enter)

    def do_edit(self, _count: int | None) -> None:
        node = self._node()
        self._app.document.refuse_growing(node, EDIT_ADVICE)
        choice = None if node.children else Choice("as a new sibling", "in its place", False)
        intro = (
            "What is below goes on from the old text: the new one becomes a sibling." if node.children else ""
        )

        def enter(written: Written) -> bool:
            return self._edit(node, written.text, sibling=written.chosen)

        screen = EditorScreen("Edit", intro=intro, text=node.source_text(), choice=choice)
        self._app.drafting.ask(Place(Editor.TEXT, node.id), screen, enter)

    def do_edit_external(self, _count: int | None) -> None:
        app, node = self._app, self._node()
        app.document.refuse_growing(node, EDIT_ADVICE)
        place, drafts = Place(Editor.TEXT, node.id), app.saving.drafts
        text = OutsideEdit(app, place, node.source_text()).run()
        if text is None:
            return
        drafts.forget(place)
        if not self._edit(node, text, sibling=False):
            drafts.keep(place, Draft(text))
        app.saving.save("draft")

    def do_resume_writing(self, _count: int | None) -> None:
        app = self._app
        place = app.drafting.next_place()
        if place is None:
            raise EditError("Nothing was written that is not entered.")
        node = app.document.nodes.get(place.node)
        if place.node and node is None:
            app.drafting.ask_for_lost(place)
            return
        app.view.go_to(node)
        draft = app.saving.drafts.at(place)
        outside = draft is not None and draft.folder
        app.commands.perform("edit_external" if outside else ACTIONS[place.editor], None)

    def _edit(self, node: Heddle, text: str, *, sibling: bool) -> bool:
        """Enter an edited text: beside the old one, if that was chosen or something goes on from it."""
        if text == node.source_text():
            return True
        document = self._app.document
        beside = sibling or bool(node.children)
        return self._change("edit", node, lambda: document.edit(node, text, sibling=beside))
