"""What the loom's screen does while something is searched for: the line at the bottom, the hits, the way back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.document import Document
from n8loom_tui.tui.finding.finder import Finder
from n8loom_tui.tui.finding.jumps import Jumps
from n8loom_tui.tui.slices import Spread
from n8loom_tui.tui.widgets.reader import Reader
from n8loom_tui.tui.widgets.search_line import SearchLine
from n8loom_tui.tui.widgets.tree import LoomTree


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one was when the search began, and what was searched for before."""

    node: Heddle
    folded: frozenset[str]
    hoisted: tuple[Heddle, ...]
    top: int
    searched: str


class Searching:
    """A mixin in front of the loom's screen.

    Attributes:
        finder: what is looked for in the document, and where it is.
        jumps: where one has been.
        search_ended: whether the last thing done was to end a search.
    """

    tree_view: LoomTree
    reader: Reader

    @property
    def current(self) -> Heddle | None:
        """The node under the cursor."""
        return self.tree_view.cursor_node

    def search_in(self, document: Document) -> None:
        """Search in this document."""
        self.finder = Finder(document, self._search_later, self._search_no_more, self._search_ended)
        self.jumps = Jumps()

    def prepare_search(self, document: Document) -> None:
        """Make the line that searches are typed in."""
        self.search_in(document)
        self.search_line = SearchLine(id="search")
        self.search_ended = False
        self._origin: Origin | None = None
        self._typed = False
        """Whether the cursor is to go where the search under way leads."""
        self._told = ""
        """What the bar was last told of the search."""

    # ------------------------------------------------------------- the line

    def open_search(self) -> None:
        """Let a person type what is searched for."""
        tree, node = self.tree_view, self.current
        if node is None:
            return
        searched = self.finder.query.text if self.finder.query is not None else ""
        self._origin = Origin(node, tree.folded_ids, tuple(tree.hoisted), tree.scroll_offset.y, searched)
        self._typed = False
        self.search_line.open()
        self.set_class(True, "searching")  # type: ignore[attr-defined]
        self.finder.prepare()

    @property
    def is_searching(self) -> bool:
        """Whether somebody is typing what to search for: where the cursor goes meanwhile is not final."""
        return self._origin is not None

    def on_search_line_changed(self, message: SearchLine.Changed) -> None:
        self._typed = True
        self.finder.look_for(message.text)

    def on_search_line_walked(self, message: SearchLine.Walked) -> None:
        found = self.finder.step_from(self.current, message.step)
        if found is not None:
            self.tree_view.go_to(found)
        self._say()

    def on_search_line_kept(self) -> None:
        self.end_search(keep=True)

    def on_search_line_cancelled(self) -> None:
        self.end_search(keep=False)

    def end_search(self, *, keep: bool) -> None:
        """Close the line, and stay at the hit, or go back to where one came from."""
        origin, self._origin = self._origin, None
        if origin is None:
            return
        self.search_line.close()
        self.set_class(False, "searching")  # type: ignore[attr-defined]
        (self.reader if self.has_class("reading") else self.tree_view).focus()  # type: ignore[attr-defined]
        if not keep:
            self._return_to(origin)
        elif not self.search_line.text:
            self.forget_search()
        elif self.current is not origin.node:
            self.jumps.leave(origin.node.id)
        self.app.searched()  # type: ignore[attr-defined]

    def forget_search(self) -> None:
        """Nothing is searched for any more."""
        self.finder.end()
        self.search_ended = True
        self._show_hits()

    def _return_to(self, origin: Origin) -> None:
        tree = self.tree_view
        if tuple(tree.hoisted) != origin.hoisted:
            tree.restore_hoist(origin.hoisted)
        if tree.folded_ids != origin.folded:
            tree.restore_folds(origin.folded)
        tree.go_to(origin.node)
        tree.scroll_top_to(origin.top)
        if origin.searched:
            self.finder.look_for(origin.searched)
        else:
            self.forget_search()

    # ------------------------------------------------------------- the hits

    def _search_later(self, work: Iterator[None]) -> None:
        self.run_worker(Spread(work), group="search", exclusive=True)  # type: ignore[attr-defined]

    def _search_no_more(self) -> None:
        self.workers.cancel_group(self, "search")  # type: ignore[attr-defined]

    def _search_ended(self) -> None:
        """What is searched for is found, or isn't there."""
        if self._origin is not None and self._typed:
            self._typed = False
            found = self.finder.first_from(self._origin.node)
            self.tree_view.go_to(found or self._origin.node)
        self._show_hits()
        self._say()
        if self._told and self.app.status.said == self._told:  # type: ignore[attr-defined]
            self.tell_hits()  # else the bar would go on saying how many there were

    def _show_hits(self) -> None:
        self.tree_view.show_hits(self.finder.query)
        self.reader.show_hits(self.finder.query)

    def _say(self) -> None:
        self.search_line.say(self.hits_text() if self.finder.query is not None else "")

    def tell_hits(self) -> None:
        """Say in the bar what is searched for and where one stands among the hits, if there is a search."""
        query = self.finder.query
        self._told = f"/{query.text} {self.hits_text()}" if query is not None else ""
        self.app.status.said = self._told  # type: ignore[attr-defined]

    def hits_text(self) -> str:
        """Which hit one stands on, of how many."""
        here, count = self.finder.count_at(self.current)
        if self.finder.searching:
            return "searching"
        return f"{here or '–'}/{count:,}" if count else "not found"
