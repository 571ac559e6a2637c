"""A node by some letters of it: a line to type in, a list that follows, and where the chosen one stands."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.session.history_edits import counted
from n8loom_tui.tui.document import Document
from n8loom_tui.tui.finding.fuzzy import MOST, FuzzyIndex, lit_places
from n8loom_tui.tui.slices import Spread, advance
from n8loom_tui.tui.widgets.dialog_keys import DialogKeys
from n8loom_tui.tui.widgets.pick_list import PickList
from n8loom_tui.tui.widgets.sanitize import tail_cells, truncate_cells, visible
from n8loom_tui.tui.widgets.search_line import PlainInput
from n8loom_tui.tui.widgets.shown import last_line, one_line, shown_text
from n8loom_tui.tui.widgets.signs import Signs

INTRO = "words of the text · #tag · ;note · * bookmarks · ' letters"
KEYS = "enter go there   ↑↓ choose   esc close"
ABOVE = 4
"""So many nodes above the chosen one are shown."""


class FuzzyScreen(ModalScreen[Heddle | None]):
    """Returns the node to go to."""

    def __init__(self, document: Document, signs: Signs) -> None:
        super().__init__()
        self._document = document
        self._signs = signs
        self._index: FuzzyIndex | None = None
        self._found: list[Heddle] = []
        self._query = ""
        self._busy = False

    def compose(self) -> ComposeResult:
        with Vertical(id="fuzzy-box", classes="dialog"):
            yield Static(Text("Jump to", style="bold"), id="fuzzy-title", classes="dialog-title")
            yield PlainInput(placeholder=INTRO, id="fuzzy-input", compact=True)
            yield PickList(self._signs_of, self._lit_in, signs=self._signs, id="fuzzy-list")
            yield Static(id="fuzzy-preview")
            yield DialogKeys(KEYS)

    def on_mount(self) -> None:
        self.query_one(PlainInput).focus()
        self._look()

    # ------------------------------------------------------------------ looking

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._query = event.value
        self._look()

    def _look(self) -> None:
        """Look for what is typed; in a large tree the list fills a moment later."""
        work = self._work()
        was_busy, self._busy = self._busy, True
        if not advance(work):
            self._say("…")
            self.run_worker(Spread(work), group="fuzzy", exclusive=True)
        elif was_busy:
            self.workers.cancel_group(self, "fuzzy")

    def _work(self) -> Iterator[None]:
        if self._index is None:
            if self._begun is None:
                index = FuzzyIndex()
                self._begun = index, index.build(self._document.roots, self._document.letters)
            index, building = self._begun
            for _ in building:  # goes on where it was interrupted
                yield
            self._index = index
        found: list[Heddle] = []
        shown = 0
        for _ in self._index.find(self._query, found):
            if len(found) != shown:
                shown = len(found)
                self._show(found)
            yield
        self._busy = False
        self._show(found)

    _begun: tuple[FuzzyIndex, Iterator[None]] | None = None

    def _show(self, found: list[Heddle]) -> None:
        self._found = found
        self.query_one(PickList).show(found)
        many = f"the best {MOST}" if len(found) == MOST else counted(len(found), "node")
        nothing = "nothing fits" if self._query.strip() else "nothing is marked yet: type some letters"
        self._say(many if found else "…" if self._busy else nothing)
        self._preview()

    def _say(self, what: str) -> None:
        self.query_one("#fuzzy-title", Static).update(Text.assemble(("Jump to", "bold"), f"   {what}"))

    def _lit_in(self, line: str) -> list[tuple[int, int]]:
        return lit_places(self._query, line)

    def _signs_of(self, node: Heddle) -> str:
        signs, marks = self._signs, node.marks
        letters = [
            signs.letter + letter for letter, name in self._document.letters.items() if name == node.id
        ]
        note = [f"{signs.note} {one_line(marks.note, ' ', 40)}"] if marks.note else []
        tags = [signs.tag + tag for tag in marks.tags]
        return " ".join([*tags, *note, *letters, *([signs.bookmark] if marks.bookmark else [])])

    # ------------------------------------------------------------------ preview

    @on(PickList.Moved)
    def _preview(self) -> None:
        node, preview = self.query_one(PickList).node, self.query_one("#fuzzy-preview", Static)
        width = max(preview.content_size.width, 10)
        if node is None:
            preview.update(Text(""))
            return
        newline, ellipsis = f" {self._signs.newline} ", self._signs.ellipsis
        above: list[str] = []
        parent = node.parent
        while parent is not None and len(above) < ABOVE:
            above.append(last_line(shown_text(parent), newline, 60))
            parent = parent.parent
        depth = sum(1 for _ in node.ancestors())
        below = f"level {depth} · {counted(len(node.children), 'child').replace('childs', 'children')}"
        path = tail_cells(" › ".join(reversed(above)), width - len(below) - 3, ellipsis)
        text = one_line(shown_text(node), newline, 4 * width)
        lines = [f"{below}   {path}", truncate_cells(text, width, ellipsis)]
        preview.update(Text(visible("\n".join(lines)), no_wrap=True, overflow="crop"))

    # --------------------------------------------------------------------- keys

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(self.query_one(PickList).node)

    @on(PickList.Chosen)
    def _chosen(self, message: PickList.Chosen) -> None:
        self.dismiss(message.node)

    def on_resize(self) -> None:
        self.call_after_refresh(self._preview)

    def on_key(self, event: events.Key) -> None:
        found = self.query_one(PickList)
        match event.key:
            case "escape":
                self.dismiss(None)
            case "up" | "ctrl+p":
                found.move(-1)
            case "down" | "ctrl+n":
                found.move(1)
            case "pageup":
                found.move(1 - max(found.page, 2))
            case "pagedown":
                found.move(max(found.page, 2) - 1)
        event.stop()
        event.prevent_default()
