"""The screen that a person weaves on: tree, reader, children, and the bars around them."""

from __future__ import annotations

from textual import events, on
from textual.app import ComposeResult
from textual.screen import Screen

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui import clipboard
from n8loom_tui.tui.document import Change, Document
from n8loom_tui.tui.keymap import Keymap
from n8loom_tui.tui.preferences import NARROWEST, WIDEST, Preferences
from n8loom_tui.tui.screens.keyed import Keyed
from n8loom_tui.tui.screens.searching import Searching
from n8loom_tui.tui.widgets.alternatives import Alternatives
from n8loom_tui.tui.widgets.bars import Bar, KeyBar
from n8loom_tui.tui.widgets.children import ChildrenPreview
from n8loom_tui.tui.widgets.details import Details
from n8loom_tui.tui.widgets.divider import Divider
from n8loom_tui.tui.widgets.legend import Legend
from n8loom_tui.tui.widgets.markdown_view import MOST, MarkdownView
from n8loom_tui.tui.widgets.panes import Panes, Stack
from n8loom_tui.tui.widgets.reader import Reader
from n8loom_tui.tui.widgets.sanitize import visible
from n8loom_tui.tui.widgets.shown import path_text
from n8loom_tui.tui.widgets.signs import UNICODE, Signs
from n8loom_tui.tui.widgets.token_map import ColourBy
from n8loom_tui.tui.widgets.tree import LoomTree

COPY_KEYS = ("ctrl+c", "super+c")
NARROW = 90
"""Below this many columns one pane is shown at a time."""
ROOMY = 110
"""From this many columns on the details have a column of their own; below they lie over the reader."""
LOW = 18
"""Below this many rows the children are not previewed."""
MANY = 500
"""From this many places on where nodes came or went all rows are made anew."""


class LoomScreen(Searching, Keyed, Screen[None], inherit_bindings=False):
    """Shows a document. Keys go through the keymap's router to the app's actions."""

    def __init__(self, document: Document, keymap: Keymap) -> None:
        super().__init__()
        self._document = document
        self.route_by(keymap)
        self.prepare_search(document)
        self.tree_view = LoomTree(id="tree")
        self.tree_view.extra = self._row_signs
        self.reader = Reader(id="reader")
        self.page = MarkdownView(id="page")
        self.preview = ChildrenPreview(_first_key(keymap), id="children")
        self.details = Details(id="details")
        self.divider = Divider(id="divider")
        self.alternatives = Alternatives(id="alternatives")
        self.legend = Legend(id="legend")
        self.title_bar = Bar(id="title")
        self.state_bar = Bar(id="state", right_gap="  ")
        self.key_bar = KeyBar(id="keys")
        self.shape = 0
        """Another number whenever nodes came, went, or changed places."""
        self.compared: str | None = None
        """The id of the node that another is to be compared with."""
        self.reading = False
        """Whether the reader is the pane in use (on a narrow screen: the one that is shown)."""
        self._looks = Preferences()
        self.markdown = False
        """Whether finished texts are to be read as Markdown."""
        self._flipped = False
        """Whether the token cursor brought the reader into use."""

    def use_keymap(self, keymap: Keymap) -> None:
        """Take keys by another keymap."""
        self.route_by(keymap)
        self.preview.placeholder = _first_key(keymap)
        self.preview.refresh()

    def compose(self) -> ComposeResult:
        yield self.title_bar
        with Panes(id="panes"):
            yield self.tree_view
            yield self.divider
            with Stack(id="right"):
                yield self.reader
                yield self.page
                yield self.legend
                yield self.alternatives
                yield self.preview
            yield self.details
        yield self.state_bar
        yield self.search_line
        yield self.key_bar

    def on_mount(self) -> None:
        self.tree_view.focus()
        self._arrange(self.app.size.width)

    def use_document(self, document: Document) -> None:
        """Show another document from now on, one that says what is shown already, and more. Its shape is told to
        the tree."""
        self._document = document
        self.search_in(document)

    # ------------------------------------------------------------------- view

    def _row_signs(self, node: Heddle) -> str:
        """What stands in front of a row's marks: letters, hits, what is compared."""
        signs, name = self.tree_view.signs, node.id
        found = [signs.letter + letter for letter, of in self._document.letters.items() if of == name]
        if name in self.finder.ids:
            found.append(signs.hit)
        if name == self.compared:
            found.append(signs.compared)
        return visible("".join(found), " ")

    def show_change(self, change: Change, goes_to: Heddle | None = None) -> None:
        """Bring the widgets up to date with what an operation did. `goes_to`: where the cursor is put next; the path
        down to where it is now, perhaps of thousands of nodes, is not shown for that moment."""
        tree, document = self.tree_view, self._document
        if change.added or change.removed or change.rearranged or change.changed:
            self.finder.trees_changed(change)
        if change.removed or change.added or change.rearranged:
            self.shape += 1
            with tree.changing():
                self._show_rows(change)
        for branch in document.growing if change.added or change.rearranged else ():
            tree.set_streaming(branch, True)
        for node in change.finished:
            tree.set_streaming(node.id, False)
        tree.nodes_changed(change.changed.values())
        if goes_to is None or not (change.removed or change.rearranged):
            self._follow(change)

    def _show_rows(self, change: Change) -> None:
        """Let rows come and go as nodes did."""
        tree, document = self.tree_view, self._document
        if len(change.removed) + len(change.added) + len(change.rearranged) > MANY:
            tree.set_roots(document.roots, anew=True)
            return
        for parent, node in change.removed:
            tree.node_removed(node, parent)
        for parent, nodes in change.added:
            there = [node for node in nodes if node.parent is parent and node.id in document.nodes]
            if parent is None:
                tree.set_roots(document.roots)
            elif there:
                tree.children_added(parent, there)
        for parent in change.rearranged.values():
            if parent is None:
                tree.set_roots(document.roots)
            elif parent.id in document.nodes:
                tree.children_changed(parent)

    def go_to(self, node: Heddle | None) -> None:
        """Put the cursor on a node, if it is there, and show it as it is now."""
        if node is not None and node.id in self._document.nodes:
            self.tree_view.go_to(node)
            self.show_node(node)

    def _follow(self, change: Change) -> None:
        """Bring reader and preview up to date with a change of what they show."""
        current = self.current
        if current is None or change.removed or change.rearranged:
            self.show_node(current)
            return
        if any(parent is current for parent, _ in change.added):
            self.preview.show_children(current, self._document.growing)
        for node in change.changed.values():
            self.reader.node_grew(node)
            self.reader.odds_known(node)
        self.preview.nodes_grew(change.changed.values())
        for node in change.finished:
            self.preview.set_streaming(node.id, False)
            if node is current:
                self.reader.set_streaming(False)
        if self.markdown and (change.changed or change.finished):
            self.show_page()

    def show_node(self, node: Heddle | None) -> None:
        """Show a node's path and children at the right."""
        if node is None:
            self.reader.clear()
        else:
            self.reader.show_path(node, node.id in self._document.growing)
        self.preview.show_children(node, self._document.growing)
        self.show_page()

    @property
    def text_pane(self) -> Reader | MarkdownView:
        """What shows the path's text: the reader, or the page of Markdown."""
        return self.page if self.has_class("markdown") else self.reader

    def show_page(self) -> None:
        """Have the path rendered as Markdown, if that is wanted and the text is finished; else the reader shows it."""
        node = self.current
        finished = node is not None and node.id not in self._document.growing
        if node is None or not (self.markdown and finished) or self.has_class("tokens"):
            self.remove_class("markdown")
        else:
            width = max(self.reader.line_width, self.page.line_width)
            if self.page.show(path_text(node, MOST), width):
                self.add_class("markdown")

    @on(MarkdownView.Rendered)
    def _page_rendered(self, message: MarkdownView.Rendered) -> None:
        self.set_class(self.markdown and bool(message.lines) and not self.has_class("tokens"), "markdown")

    def show_tokens(self, shown: bool) -> None:
        """Show what could stand at the token cursor, or no longer. On a narrow screen that is beside the text."""
        self.set_class(shown, "tokens")
        self.show_page()
        if shown != self.reading and (shown or self._flipped):
            self._flipped = shown
            self.flip()

    def colour_by(self, by: ColourBy) -> None:
        """Colour the reader's tokens by something, and say what the colours tell."""
        self.reader.colour_by = by
        self.legend.show(by)
        self.set_class(by is not ColourBy.NOTHING, "coloured")

    @on(Alternatives.Chosen)
    @on(Reader.TokenClicked)
    def _token_chosen(self, message: Alternatives.Chosen | Reader.TokenClicked) -> None:
        self.app.commands.clicked(message)  # type: ignore[attr-defined]

    @on(LoomTree.CursorMoved)
    def _cursor_moved(self, message: LoomTree.CursorMoved) -> None:
        self.show_node(message.node)
        self.app.stands_on(message.node)  # type: ignore[attr-defined]

    @on(LoomTree.FoldChanged)
    def _fold_changed(self) -> None:
        self.app.folds_changed()  # type: ignore[attr-defined]

    @on(LoomTree.Activated)
    def _activated(self, _message: LoomTree.Activated) -> None:
        self.app.perform("continue_one")  # type: ignore[attr-defined]

    @on(ChildrenPreview.Chosen)
    def _chosen(self, message: ChildrenPreview.Chosen) -> None:
        self.tree_view.go_to(message.node)

    # ------------------------------------------------------------------ panes

    def flip(self) -> None:
        """Go to the other pane."""
        self.reading = not self.reading
        self.set_class(self.reading, "reading")
        (self.text_pane if self.reading else self.tree_view).focus()

    def on_resize(self, event: events.Resize) -> None:
        self._arrange(event.size.width)

    def use_looks(self, looks: Preferences, signs: Signs = UNICODE) -> None:
        """Give the panes their places, and draw with these signs."""
        self._looks = looks
        for drawn in (
            self.tree_view,
            self.reader,
            self.preview,
            self.alternatives,
            self.details,
            self.divider,
        ):
            if drawn.signs is not signs:
                drawn.signs = signs
                drawn.refresh()
        self._arrange(self.app.size.width)

    def use_looks_later(self, looks: Preferences, signs: Signs) -> None:
        """The same for a screen that is not shown yet."""
        self.call_after_refresh(self.use_looks, looks, signs)

    def _arrange(self, width: int) -> None:
        looks = self._looks
        self.set_class(width < NARROW or looks.one_pane, "narrow")
        self.set_class(self.app.size.height < LOW, "low")
        self.set_class(looks.details, "detailed")
        self.set_class(width >= ROOMY, "roomy")
        self._divide(looks.tree_width)

    def _divide(self, per_cent: int) -> None:
        """Give the tree so much of the width."""
        self.tree_view.styles.width = f"{per_cent}fr"
        self.query_one("#right").styles.width = f"{100 - per_cent}fr"

    @on(Divider.Dragged)
    def _dragged(self, message: Divider.Dragged) -> None:
        right = self.query_one("#right").region.right
        per_cent = min(max(round(100 * message.column / max(right, 1)), NARROWEST), WIDEST)
        if message.done:
            self.app.looks.change(tree_width=per_cent)  # type: ignore[attr-defined]
        else:
            self._divide(per_cent)

    # ------------------------------------------------------------------- keys

    def on_key(self, event: events.Key) -> None:
        """ctrl+c copies what is selected; all else goes by the keymap."""
        if event.key in COPY_KEYS:
            event.stop()
            event.prevent_default()
            self._copy_selection(self.get_selected_text() or "")
            return
        super().on_key(event)

    def _copy_selection(self, text: str) -> None:
        """Copy what was selected with the mouse."""
        said = (
            f"Copied {len(text):,} characters."
            if text
            else f"Nothing is selected. {self.keymap.label('quit')} leaves."
        )
        if text:
            clipboard.copy(text, self.app.copy_to_clipboard)
        self.app.tell(said)  # type: ignore[attr-defined]

    def perform(self, action: str, count: int | None) -> None:
        """Do what a key asked for."""
        self.app.perform(action, count)  # type: ignore[attr-defined]

    def show_pending(self, pending: str) -> None:
        """Show in the key bar what was typed and waits for more."""
        self.app.show_keys(pending)  # type: ignore[attr-defined]


def _first_key(keymap: Keymap) -> str:
    """What is said where nothing has grown yet."""
    return f"Nothing below yet: {keymap.label('ramify')} grows branches here."
