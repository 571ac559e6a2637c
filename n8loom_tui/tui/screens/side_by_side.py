"""All children of a node side by side, streaming together; one of them is chosen and gone to."""

from __future__ import annotations

from textual import events, on
from textual.app import ComposeResult

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.document import Change, Document, counted
from n8loom_tui.tui.keymap import Keymap
from n8loom_tui.tui.screens.keyed import KeyedScreen
from n8loom_tui.tui.widgets.bars import Bar, KeyBar
from n8loom_tui.tui.widgets.columns import ChildColumns
from n8loom_tui.tui.widgets.shown import one_line, shown_text
from n8loom_tui.tui.widgets.signs import UNICODE, Signs

WORDS = (
    (("parent", "child"), "another"),
    (("row_up", "row_down"), "scroll"),
    (("continue_one",), "go there"),
    (("ramify",), "more"),
    (("stop",), "back"),
)


class SideBySide(KeyedScreen[Heddle | None]):
    """Returns the child to go to, or None."""

    def __init__(self, document: Document, node: Heddle, keymap: Keymap, signs: Signs = UNICODE) -> None:
        super().__init__(keymap)
        self._document = document
        self._node = node
        self.head = Bar(id="side-title")
        self.columns = ChildColumns(signs=signs, id="side-columns")
        self.key_bar = KeyBar(id="side-keys")

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.columns
        yield self.key_bar

    def on_mount(self) -> None:
        self._fill()
        self.columns.focus()
        words = [("".join(map(self.keymap.label, actions)), word) for actions, word in WORDS]
        self.key_bar.show([("1-9", "choose"), *((key, word) for key, word in words if key)])

    def _fill(self) -> None:
        self.columns.show(self._node.children, self._document.growing)
        text = one_line(shown_text(self._node), " ⏎ ", 200)
        self.head.show(text, counted(len(self._node.children), "continuation"))

    def show_change(self, change: Change) -> None:
        """Show what has come in the trees meanwhile."""
        if self._node.id not in self._document.nodes:
            self.dismiss(None)
        elif change.added or change.removed or change.rearranged:
            self._fill()
        else:
            for node in (*change.changed.values(), *change.finished):
                self.columns.node_changed(node)

    def on_key(self, event: events.Key) -> None:
        """A digit chooses at once; all else goes by the keymap."""
        if event.key in tuple("123456789"):
            event.stop()
            event.prevent_default()
            if int(event.key) <= len(self.columns.nodes):
                self.columns.choose(int(event.key) - 1)
            return
        super().on_key(event)

    # ------------------------------------------------------------------ actions

    def do_parent(self, count: int | None) -> None:
        self.columns.choose(self.columns.chosen - (count or 1))

    def do_child(self, count: int | None) -> None:
        self.columns.choose(self.columns.chosen + (count or 1))

    do_previous_sibling = do_parent
    do_next_sibling = do_child

    def do_row_up(self, count: int | None) -> None:
        self.columns.scroll_chosen(-(count or 1))

    def do_row_down(self, count: int | None) -> None:
        self.columns.scroll_chosen(count or 1)

    def do_page_up(self, _count: int | None) -> None:
        self.columns.scroll_chosen(-self.columns.size.height // 2)

    def do_page_down(self, _count: int | None) -> None:
        self.columns.scroll_chosen(self.columns.size.height // 2)

    def do_top(self, _count: int | None) -> None:
        self.columns.choose(0)

    def do_bottom(self, _count: int | None) -> None:
        self.columns.choose(len(self.columns.nodes) - 1)

    def do_continue_one(self, _count: int | None) -> None:
        self.dismiss(self.columns.current)

    def do_ramify(self, _count: int | None) -> None:
        self.app.perform("ramify")  # type: ignore[attr-defined]

    @on(ChildColumns.Chosen)
    def _double_clicked(self, message: ChildColumns.Chosen) -> None:
        self.dismiss(message.node)
