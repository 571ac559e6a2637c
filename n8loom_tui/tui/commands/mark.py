"""What a person says about a node: bookmark, tags, note."""

from __future__ import annotations

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.marks import parse_tags
from n8loom_tui.session.drafts import Editor, Place
from n8loom_tui.tui import many
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import counted
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.screens.editor import EditorScreen, Written
from n8loom_tui.tui.widgets.sanitize import visible


class Mark(Part):
    """What a person says about a node: bookmark, tags, note."""

    def do_bookmark(self, _count: int | None) -> None:
        document, marked = self._app.document, self._marked()
        if marked:
            change = many.bookmark(document, marked)
        else:
            node = self._node()
            change = document.bookmark([node], not node.marks.bookmark)
        self._app.show(change, "bookmark")

    def do_tag(self, _count: int | None) -> None:
        if marked := self._marked():
            self._tag_all(marked)
            return
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

    def _tag_all(self, nodes: list[Heddle]) -> None:
        """Ask for tags that all marked nodes are to have besides theirs, or to lose."""

        def parsed(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
            words = text.replace(",", " ").split()
            fewer = parse_tags(" ".join(word[1:] for word in words if word.startswith("-")))
            return parse_tags(" ".join(word for word in words if not word.startswith("-"))), fewer

        def check(text: str) -> str | None:
            try:
                more, fewer = parsed(text)
            except ValueError as error:
                return str(error)
            return None if more or fewer else "a word, or -word to take one away"

        def answered(text: str | None) -> None:
            if text is not None:
                self._attempt(lambda: tag(*parsed(text)))

        def tag(more: tuple[str, ...], fewer: tuple[str, ...]) -> None:
            document = self._app.document
            there = [node for node in nodes if node.id in document.nodes]
            self._app.show(many.retag(document, there, more, fewer), "tag")

        hint = f"{counted(len(nodes), 'node')}: words are put to their tags, -word takes one away"
        self._app.push_screen(AskScreen("Tags of the marked nodes", hint, "", check), answered)

    def do_note(self, _count: int | None) -> None:
        node = self._node()

        def enter(written: Written) -> bool:
            return self._change("note", node, lambda: self._app.document.note(node, written.text))

        screen = EditorScreen(
            "Note", intro="About this node; it is no part of the text.", text=node.marks.note
        )
        self._app.drafting.ask(Place(Editor.NOTE, node.id), screen, enter)
