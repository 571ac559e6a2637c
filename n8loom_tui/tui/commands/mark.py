"""What a person says about a node: bookmark, tags, note."""

from __future__ import annotations

from n8loom_tui.loom.marks import parse_tags
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.screens.editor import EditorScreen, Written
from n8loom_tui.tui.widgets.sanitize import visible


class Mark(Part):
    """What a person says about a node: bookmark, tags, note."""

    def do_bookmark(self, _count: int | None) -> None:
        node = self._node()
        self._app.show(self._app.document.bookmark([node], not node.marks.bookmark), "bookmark")

    def do_tag(self, _count: int | None) -> None:
        node = self._node()

        def check(text: str) -> str | None:
            try:
                parse_tags(text)
            except ValueError as error:
                return str(error)
            return None

        def answered(text: str | None) -> None:
            if text is not None:
                tags = parse_tags(text)
                self._change("tag", node, lambda: self._app.document.tag([node], tags))

        now = visible(" ".join(node.marks.tags), " ")
        self._app.push_screen(
            AskScreen("Tags", "words with blanks between; none takes them away", now, check), answered
        )

    def do_note(self, _count: int | None) -> None:
        node = self._node()

        def written(answer: Written | None) -> None:
            if answer is not None:
                self._change("note", node, lambda: self._app.document.note(node, answer.text))

        intro = "About this node; it is no part of the text."
        self._app.push_screen(EditorScreen("Note", intro=intro, text=node.marks.note), written)
