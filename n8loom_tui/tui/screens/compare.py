"""Two nodes compared: what their paths have below the node that they part at, by word."""

from __future__ import annotations

import asyncio

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.session.history_edits import counted
from n8loom_tui.tui.comparing import Comparison, compare
from n8loom_tui.tui.keymap import Keymap
from n8loom_tui.tui.screens.keyed import KeyedScreen
from n8loom_tui.tui.widgets.bars import Bar, KeyBar
from n8loom_tui.tui.widgets.diff_view import DiffView
from n8loom_tui.tui.widgets.sanitize import truncate_cells
from n8loom_tui.tui.widgets.shown import one_line, shown_text
from n8loom_tui.tui.widgets.signs import Signs

WIDE = 100
"""From so many columns on the texts stand side by side at first."""
SHORT = 4000
"""Texts of no more characters, both together, are compared at once; longer ones beside the app."""


def parting(left: Heddle, right: Heddle) -> tuple[Heddle | None, str, str]:
    """Where two paths part (None: nowhere do they meet), and the text of each below."""
    ways = left.path(), right.path()
    common = 0
    for one, other in zip(*ways, strict=False):
        if one is not other:
            break
        common += 1
    texts = ["".join(shown_text(node) for node in way[common:]) for way in ways]
    return (ways[0][common - 1] if common else None), texts[0], texts[1]


class CompareScreen(KeyedScreen[Heddle | None]):
    """Returns the node to go to."""

    def __init__(self, keymap: Keymap, left: Heddle, right: Heddle, signs: Signs) -> None:
        super().__init__(keymap)
        self._pair = left, right
        self._signs = signs
        self._side = 1
        """The side in use: enter goes to its node."""
        self._beside: bool | None = None
        """Whether the texts stand side by side; None: as there is room."""
        self._comparison: Comparison | None = None

    def compose(self) -> ComposeResult:
        yield Bar(id="compare-title")
        yield Static(id="compare-heads")
        yield DiffView(signs=self._signs, id="compare")
        yield KeyBar(id="compare-keys")

    def on_mount(self) -> None:
        self.query_one(DiffView).focus()
        names = (
            ("continue_one", "go there"),
            ("next_pane", "other side"),
            ("compare", "layout"),
            ("next_hit", "next"),
            ("previous_hit", "previous"),
            ("stop", "close"),
        )
        found = ((self.keymap.label(action), word) for action, word in names)
        self.query_one(KeyBar).show([(key, word) for key, word in found if key])
        common, left, right = parting(*self._pair)
        self._common = common
        self._heads()
        if len(left) + len(right) <= SHORT:
            self._show(compare(left, right))
        else:
            self.query_one("#compare-title", Bar).show("comparing …")
            self.run_worker(self._compare(left, right))

    async def _compare(self, left: str, right: str) -> None:
        self._show(await asyncio.to_thread(compare, left, right))

    # ------------------------------------------------------------------ drawing

    def _show(self, comparison: Comparison) -> None:
        self._comparison = comparison
        removed, added = counted(comparison.removed, "word"), counted(comparison.added, "word")
        words = f"{removed} only in the first · {added} only in the second"
        newline = f" {self._signs.newline} "
        below = "two trees"
        if self._common is not None:
            below = f"below “{one_line(shown_text(self._common), newline, 40) or self._signs.empty}”"
        self.query_one("#compare-title", Bar).show(
            f"compare {below}", "no difference" if comparison.equal else words
        )
        self._arrange()

    def _arrange(self) -> None:
        if self._comparison is not None:
            self.query_one(DiffView).show(self._comparison, self.beside)

    @property
    def beside(self) -> bool:
        """Whether the texts stand side by side."""
        return self.app.size.width >= WIDE if self._beside is None else self._beside

    def _heads(self) -> None:
        """The two nodes, a line each; the one in use with a sign."""
        lines = Text(no_wrap=True, overflow="crop")
        width = max(self.app.size.width - 6, 1)
        for side, (node, sign) in enumerate(
            zip(self._pair, (self._signs.removed, self._signs.added), strict=True)
        ):
            used = side == self._side
            text = one_line(shown_text(node), f" {self._signs.newline} ", 4 * width) or self._signs.empty
            line = f"{self._signs.folded if used else ' '} {sign} {truncate_cells(text, width, self._signs.ellipsis)}"
            lines.append(line + ("\n" if side == 0 else ""), "bold" if used else "")
        self.query_one("#compare-heads", Static).update(lines)

    def on_resize(self) -> None:
        self._heads()
        self._arrange()

    # --------------------------------------------------------------------- keys

    def do_compare(self, _count: int | None) -> None:
        self._beside = not self.beside
        self._arrange()

    def do_next_pane(self, _count: int | None) -> None:
        self._use(1 - self._side)

    def do_parent(self, _count: int | None) -> None:
        self._use(0)

    def do_child(self, _count: int | None) -> None:
        self._use(1)

    def _use(self, side: int) -> None:
        self._side = side
        self._heads()

    def do_continue_one(self, _count: int | None) -> None:
        self.dismiss(self._pair[self._side])

    def do_row_up(self, count: int | None) -> None:
        self.query_one(DiffView).scroll_lines(-(count or 1))

    def do_row_down(self, count: int | None) -> None:
        self.query_one(DiffView).scroll_lines(count or 1)

    def do_page_up(self, count: int | None) -> None:
        view = self.query_one(DiffView)
        view.scroll_lines(-(count or 1) * max(view.page - 1, 1))

    def do_page_down(self, count: int | None) -> None:
        view = self.query_one(DiffView)
        view.scroll_lines((count or 1) * max(view.page - 1, 1))

    def do_top(self, _count: int | None) -> None:
        self.query_one(DiffView).scroll_top_to(0)

    def do_bottom(self, _count: int | None) -> None:
        view = self.query_one(DiffView)
        view.scroll_top_to(int(view.max_scroll_y))

    def do_next_hit(self, count: int | None) -> None:
        self.query_one(DiffView).next_change(count or 1)

    def do_previous_hit(self, count: int | None) -> None:
        self.query_one(DiffView).next_change(-(count or 1))
