"""The map: the whole tree as a picture to look at and to move in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.widgets import Static

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.session.history_edits import counted
from n8loom_tui.tui.document import Document
from n8loom_tui.tui.keymap import Keymap
from n8loom_tui.tui.mapping.layout import TreeMap
from n8loom_tui.tui.screens.keyed import KeyedScreen
from n8loom_tui.tui.slices import Spread, advance
from n8loom_tui.tui.widgets.bars import Bar, KeyBar
from n8loom_tui.tui.widgets.map_view import MapView
from n8loom_tui.tui.widgets.sanitize import truncate_cells
from n8loom_tui.tui.widgets.shown import last_line, one_line, shown_text
from n8loom_tui.tui.widgets.signs import Signs

LOOK_EVERY = 0.2
"""Seconds between two looks at what has changed."""
STRIDE = 10
"""A page is one part in so many of the picture."""


class MapScreen(KeyedScreen[Heddle | None]):
    """Returns the node to go to. Up and down go by parent and child, left and right to what stands beside it."""

    def __init__(
        self,
        keymap: Keymap,
        document: Document,
        node: Heddle,
        signs: Signs,
        *,
        visited: Callable[[Heddle], Heddle | None],
        shape: Callable[[], int],
    ) -> None:
        """`visited` tells which child of a node one was in last; `shape` is another number whenever nodes came or
        went."""
        super().__init__(keymap)
        self._document = document
        self._node = node
        self._signs = signs
        self._visited = visited
        self._shape = shape
        self._drawn_shape = -1
        self._drawing = False
        self._tree: TreeMap | None = None
        self._top: Heddle | None = None
        """What the picture shows is below this one; None: all."""

    def compose(self) -> ComposeResult:
        yield Bar(id="map-title")
        yield MapView(signs=self._signs, id="map")
        yield Static(id="map-preview")
        yield KeyBar(id="map-keys")

    def on_mount(self) -> None:
        self.query_one(MapView).focus()
        self.query_one(KeyBar).show(self._keys())
        self.set_interval(LOOK_EVERY, self._look)
        self._look()

    def _keys(self) -> list[tuple[str, str]]:
        names = (
            ("continue_one", "go there"),
            ("row_up", "parent"),
            ("row_down", "child"),
            ("parent", "left"),
            ("child", "right"),
            ("unfold", "closer"),
            ("fold", "farther"),
            ("stop", "close"),
        )
        found = ((self.keymap.label(action), word) for action, word in names)
        return [(key, word) for key, word in found if key]

    # ------------------------------------------------------------------ drawing

    def _look(self) -> None:
        """Draw anew what has changed meanwhile."""
        if self._shape() != self._drawn_shape:
            if not self._drawing:
                self._drawing = True
                work = self._draw()
                if not advance(work):
                    self.run_worker(Spread(work), group="map", exclusive=True)
        elif self._tree is not None:
            bars = (self._tree.bar_of(node) for node in self._document.growing.values())
            self.query_one(MapView).show_streaming([bar for bar in bars if bar is not None])
            if self._document.growing:
                self._preview()

    def _draw(self) -> Iterator[None]:
        tree, shape = TreeMap(), self._shape()
        yield from tree.build(self._document.roots)
        self._tree, self._drawn_shape, self._drawing = tree, shape, False
        self._show()
        self._look()

    def _show(self) -> None:
        """Show the picture with the cursor where it is; so much of it, at least, that the cursor is in it."""
        tree = self._tree
        if tree is None:
            return
        node: Heddle | None = self._node
        while node is not None and node.id not in self._document.nodes:
            node = node.parent
        cursor = tree.bar_of(node)
        if cursor is None and tree.heads:
            cursor = 0
        if cursor is None:
            self.query_one(MapView).show(tree, -1, None)
            return
        self._node = node if node is not None else tree.heads[cursor]
        top = tree.bar_of(self._top) if self._top is not None else None
        top = -1 if top is None else top
        while not tree.within(cursor, top):
            top = tree.parents[top]
        self._top = tree.heads[top] if top >= 0 else None
        self.query_one(MapView).show(tree, top, cursor)
        self._preview()

    def _preview(self) -> None:
        tree = self._tree
        bar = tree.bar_of(self._node) if tree is not None else None
        if tree is None or bar is None:
            return
        newline = f" {self._signs.newline} "
        facts = [f"level {tree.depths[bar] + 1} of {len(tree.levels)}"]
        if tree.sizes[bar] > 1:
            facts.append(f"{counted(tree.sizes[bar], 'node')} in a row")
        facts.append(
            "no branch below" if tree.tails[bar].children == [] else f"{_leaves(tree.leaves[bar])} below"
        )
        marks = self._node.marks
        facts += [self._signs.bookmark] if marks.bookmark else []
        text = shown_text(self._node)
        growing = self._node.id in self._document.growing
        width = max(self.size.width - 2, 1)
        line = last_line(text, newline, width) if growing else one_line(text, newline, 4 * width)
        line = (f"{self._signs.stream}" if growing else "") + (line or self._signs.empty)
        lines = [truncate_cells(line, width, self._signs.ellipsis), " · ".join(facts)]
        self.query_one("#map-preview", Static).update(Text("\n".join(lines), no_wrap=True, overflow="crop"))
        zoomed = f" · below “{one_line(shown_text(self._top), newline, 40)}”" if self._top is not None else ""
        size = f"{counted(len(self._document.nodes), 'node')} · {_leaves(tree.leaf_count)}"
        self.query_one("#map-title", Bar).show(f"map{zoomed}", size)

    # -------------------------------------------------------------------- moves

    def _go(self, bar: int) -> None:
        assert self._tree is not None
        self._node = self._tree.heads[bar]
        self._show()

    def _bar(self) -> int | None:
        return self._tree.bar_of(self._node) if self._tree is not None else None

    def do_row_up(self, count: int | None) -> None:
        bar = self._bar()
        if bar is None or self._tree is None:
            return
        way = self._tree.path(bar)
        self._go(way[min(count or 1, len(way) - 1)])

    def do_row_down(self, count: int | None) -> None:
        self._descend(count or 1)

    def _descend(self, steps: int) -> None:
        """Go down by children, where one was before if one was."""
        bar, tree = self._bar(), self._tree
        if bar is None or tree is None:
            return
        for _ in range(steps):
            child = self._visited(tree.tails[bar]) or next(iter(tree.tails[bar].children), None)
            below = tree.bar_of(child)
            if child is None or below is None or below == bar:
                break
            bar = below
        self._go(bar)

    def _sideways(self, step: int) -> None:
        bar = self._bar()
        if bar is not None and self._tree is not None:
            self._go(self._tree.beside(bar, step))

    def do_parent(self, count: int | None) -> None:
        self._sideways(-(count or 1))

    def do_child(self, count: int | None) -> None:
        self._sideways(count or 1)

    def do_previous_sibling(self, count: int | None) -> None:
        self._sideways(-(count or 1))

    def do_next_sibling(self, count: int | None) -> None:
        self._sideways(count or 1)

    def do_page_up(self, count: int | None) -> None:
        self._stride(-(count or 1))

    def do_page_down(self, count: int | None) -> None:
        self._stride(count or 1)

    def _stride(self, step: int) -> None:
        """Go to the left or right by a good part of what is shown."""
        window, bar, tree = self.query_one(MapView).window, self._bar(), self._tree
        if window is None or bar is None or tree is None:
            return
        leaf = tree.starts[bar] + step * max(window.leaves // STRIDE, 1)
        there = tree.nearest(tree.depths[bar], leaf)
        self._go(there if there != bar else tree.beside(bar, step))

    def do_top(self, _count: int | None) -> None:
        if self._tree is not None and self._tree.heads:
            self._go(0)

    def do_bottom(self, _count: int | None) -> None:
        self._descend(len(self._tree.levels) if self._tree is not None else 0)

    # --------------------------------------------------------------------- zoom

    def do_unfold(self, count: int | None) -> None:
        """Closer: what is below the next bar on the way to the cursor fills the picture."""
        bar, tree = self._bar(), self._tree
        if bar is None or tree is None:
            return
        way = tree.path(bar)
        top = tree.bar_of(self._top) if self._top is not None else None
        all_of_it = len(way) - (len(tree.levels[0]) == 1)  # the one root shows no more than all
        at = way.index(top) if top in way else all_of_it
        self._top = tree.heads[way[max(at - (count or 1), 0)]]
        self._show()

    def do_fold(self, count: int | None) -> None:
        """Farther away."""
        tree = self._tree
        top = tree.bar_of(self._top) if tree is not None and self._top is not None else None
        if tree is None or top is None:
            return
        way = [*tree.path(top), -1]
        above = way[min(count or 1, len(way) - 1)]
        self._top = tree.heads[above] if above >= 0 else None
        self._show()

    # --------------------------------------------------------------------- ends

    def do_continue_one(self, _count: int | None) -> None:
        self.dismiss(self._node)

    def do_map(self, _count: int | None) -> None:
        self.dismiss(None)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    @on(MapView.Chosen)
    def _clicked(self, message: MapView.Chosen) -> None:
        self._node = message.node
        if message.twice:
            self.dismiss(message.node)
        else:
            self._show()


def _leaves(number: int) -> str:
    return "1 leaf" if number == 1 else f"{number:,} leaves"
