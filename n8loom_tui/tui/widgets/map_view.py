"""The picture of a whole tree: a bar for each stretch of it, as wide as it has leaves, with the text's beginning in it.

Where bars are narrower than a cell, shades tell how many. The way to the current bar is set off. Drawn line by line
from a `Window`, so that it costs what is on the screen.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.mapping.layout import TreeMap
from n8loom_tui.tui.mapping.window import Run, Window

from .sanitize import truncate_cells, wrap_cells
from .shown import one_line, shown_text
from .signs import UNICODE, Signs

_SHADES = (2, 4, 10, 30)
"""From so many bars in a cell on the next shade is drawn."""


class MapView(Widget, can_focus=True, inherit_bindings=False):
    """Shows a `TreeMap`, with a cursor. It has no keys of its own."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    MapView {
        width: 1fr;
        height: 1fr;
        background: $surface;
        color: $foreground;

        & > .mapview--bar { text-style: none; }
        & > .mapview--edge { color: $line; }
        & > .mapview--path { background: $lit; color: $foreground; text-style: bold; }
        & > .mapview--cursor {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
            text-style: bold;
        }
        & > .mapview--stream { color: $text-success; text-style: bold; }
        & > .mapview--note { color: $quiet; text-style: italic; }
        &:ansi > .mapview--path { text-style: bold underline; }
        &:nocolor > .mapview--path { text-style: bold underline; }
        &:nocolor > .mapview--cursor { text-style: bold reverse; }
    }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "mapview--bar",
        "mapview--edge",
        "mapview--path",
        "mapview--cursor",
        "mapview--stream",
        "mapview--note",
    }

    class Chosen(Message):
        """A bar was clicked (`twice`: to go there)."""

        def __init__(self, node: Heddle, twice: bool) -> None:
            super().__init__()
            self.node = node
            self.twice = twice

    def __init__(self, *, signs: Signs = UNICODE, id: str) -> None:
        super().__init__(id=id)
        self.signs = signs
        self.picture: TreeMap | None = None
        self.top = -1
        self._path: list[int] = []
        self._streaming: frozenset[int] = frozenset()
        self._window: Window | None = None
        self._marked: list[int] = []

    # ------------------------------------------------------------------- state

    def show(self, tree: TreeMap, top: int, cursor: int | None) -> None:
        """Show what is below a bar (-1: all), with the way to the cursor's."""
        if tree is not self.picture or top != self.top:
            self.picture, self.top, self._window = tree, top, None
            self._marked = [bar for bar, marked in enumerate(tree.marked) if marked]
        self._path = tree.path(cursor) if cursor is not None else []
        self.refresh()

    def show_streaming(self, bars: Collection[int]) -> None:
        """Say which bars are being generated; their texts may be longer than they were."""
        if bars or self._streaming:
            self._streaming = frozenset(bars)
            self.refresh()

    def on_resize(self) -> None:
        self._window = None

    @property
    def window(self) -> Window | None:
        """What is shown, fitted into the size there is."""
        if self._window is None and self.picture is not None and self.picture.heads:
            self._window = Window(self.picture, self.top, self.size.width, self.size.height)
        return self._window

    # ----------------------------------------------------------------- drawing

    def render_line(self, y: int) -> Strip:
        width, window = self.size.width, self.window
        if window is None:
            text = "drawing …" if self.picture is None else "nothing grows here any more"
            note = truncate_cells(text if y == 0 else "", width, self.signs.ellipsis)
            style = self.get_component_rich_style("mapview--note")
            return Strip([Segment(note, style)]).adjust_cell_length(width, self.rich_style)
        segments: list[Segment] = []
        x = 0
        for run in window.row(y):
            if run.x > x:
                segments.append(Segment(" " * (run.x - x), self.rich_style))
            segments += self._run(window, run, y)
            x = run.x + run.width
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def _run(self, window: Window, run: Run, y: int) -> list[Segment]:
        style, edge = self._styles(window, run)
        if window.levels > 1 or run.count > 1:
            return [Segment(self._crowd(window, run), style)]
        bar = window.tree.levels[run.depth][run.first]
        if run.width == 1:
            sign = self._sign(bar)
            return [Segment(sign or self.signs.rail, style if sign else edge)]
        line = y - window.line_of(run.depth)
        room = run.width - 1
        lines = self._label(window.tree, bar, room, window.lines)
        text = lines[line] if line < len(lines) else ""
        return [Segment(self.signs.rail, edge), Segment(text + " " * (room - cell_len(text)), style)]

    def _styles(self, window: Window, run: Run) -> tuple[Style, Style]:
        """How a run is drawn, and its left edge."""
        cursor = self._path[0] if self._path else None
        if cursor is not None and window.holds(run, cursor):
            style = self.get_component_rich_style("mapview--cursor")
            return style, style
        if self._on_path(window, run):
            style = self.get_component_rich_style("mapview--path")
            return style, style
        if self._is_streaming(window, run):
            return self.get_component_rich_style("mapview--stream"), self.get_component_rich_style(
                "mapview--edge"
            )
        return self.get_component_rich_style("mapview--bar"), self.get_component_rich_style("mapview--edge")

    def _on_path(self, window: Window, run: Run) -> bool:
        """Whether the way to the cursor leads through a run. The path has one bar on each level, the lowest first."""
        if not self._path:
            return False
        lowest = len(self._path) - 1
        depths = range(run.depth, min(run.depth + window.levels, lowest + 1))
        return any(window.holds(run, self._path[lowest - depth]) for depth in depths)

    def _is_streaming(self, window: Window, run: Run) -> bool:
        return any(window.holds(run, bar) for bar in self._streaming)

    def _crowd(self, window: Window, run: Run) -> str:
        """One cell with several bars."""
        if self._is_streaming(window, run):
            return self.signs.stream
        if any(window.holds(run, bar) for bar in self._marked):
            return self.signs.bookmark
        shade = sum(run.count >= least for least in _SHADES)
        return (self.signs.rail + self.signs.shades)[shade]

    def _sign(self, bar: int) -> str:
        if bar in self._streaming:
            return self.signs.stream
        assert self.picture is not None
        return self.signs.bookmark if self.picture.marked[bar] else ""

    def _label(self, tree: TreeMap, bar: int, width: int, lines: int) -> list[str]:
        """A bar's sign and the beginning of its text, on so many lines."""
        node, parts, need = tree.heads[bar], [], width * lines * 2 + 16
        for _ in range(min(tree.sizes[bar], need)):
            parts.append(shown_text(node)[:need])
            if sum(map(len, parts)) >= need or node is tree.tails[bar] or not node.children:
                break
            node = node.children[0]
        text = one_line("".join(parts), self.signs.newline, need)
        sign = self._sign(bar)
        text = f"{sign} {text}" if sign else text
        spans = wrap_cells(text, width)
        found = [text[start:end] for start, end in spans[:lines]]
        if len(spans) > lines:
            found[-1] = truncate_cells(text[spans[lines - 1][0] :], width, self.signs.ellipsis)
        return [line if cell_len(line) <= width else " " * width for line in found]

    # ------------------------------------------------------------------- mouse

    def on_click(self, event: events.Click) -> None:
        offset, window = event.get_content_offset(self), self.window
        depth = window.level_of(offset.y) if window is not None and offset is not None else None
        if offset is None or window is None or depth is None or event.button != 1:
            return
        bar = window.tree.at_leaf(depth, window.first_leaf + offset.x * window.leaves // window.width)
        if bar is not None:
            event.stop()
            self.post_message(self.Chosen(window.tree.heads[bar], event.chain == 2))
