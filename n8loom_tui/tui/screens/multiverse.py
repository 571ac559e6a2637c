"""The block multiverse: what could come next at a node, as nested blocks. One walks in it and takes a way along."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from textual import on
from textual.app import ComposeResult

from n8loom_tui.loom.foresight import Foresight, Possible
from n8loom_tui.loom.protocol import Event, GivenToken
from n8loom_tui.tui.keymap import Keymap
from n8loom_tui.tui.screens.keyed import KeyedScreen
from n8loom_tui.tui.token_facts import TokenLore
from n8loom_tui.tui.widgets.alternatives import percent
from n8loom_tui.tui.widgets.bars import Bar, KeyBar
from n8loom_tui.tui.widgets.blocks import COLUMNS, Blocks
from n8loom_tui.tui.widgets.signs import UNICODE, Signs

WORDS = (
    (("row_up", "row_down"), "another token"),
    (("child",), "further"),
    (("parent",), "back"),
    (("continue_one",), "take this way"),
    (("stop",), "close"),
)


class MultiverseScreen(KeyedScreen[tuple[GivenToken, ...] | None]):
    """Returns the tokens that a child is to begin with, or None."""

    def __init__(
        self,
        foresight: Foresight,
        before: tuple[int, ...],
        title: str,
        lore: TokenLore,
        keymap: Keymap,
        signs: Signs = UNICODE,
    ) -> None:
        """`before`: the last tokens of the path."""
        super().__init__(keymap)
        self._foresight = foresight
        self._before = before
        self._title = title
        self._lore = lore
        self.head = Bar(id="multiverse-title")
        self.blocks = Blocks(foresight.root, self._spelled, signs=signs, id="multiverse-blocks")
        self.key_bar = KeyBar(id="multiverse-keys")

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.blocks
        yield self.key_bar

    def on_mount(self) -> None:
        words = [("".join(map(self.keymap.label, actions)), word) for actions, word in WORDS]
        self.key_bar.show([(key, word) for key, word in words if key])
        self.blocks.focus()
        self._look()
        self._show()

    def _look(self) -> None:
        """Ask for what is missing of the picture."""
        request = self._foresight.look(self.blocks.base, COLUMNS)
        if request is None and self.blocks.cursor is not None:
            request = self._foresight.look(self.blocks.cursor, 1)
        self.app.ask_engine(request)  # type: ignore[attr-defined]

    def _show(self) -> None:
        self.blocks.update()
        cursor = self.blocks.cursor
        if cursor is None:
            self.head.show(self._foresight.failed or self._title, "what could come next")
            return
        way = cursor.way
        joint = percent(math.exp(sum(each.logprob for each in way)))
        self.head.show(self._title + "".join(map(self._text, way)), joint)

    def _text(self, possible: Possible) -> str:
        above = possible.above
        texts = self._spelled(above) if above is not None else None
        return texts[(above.below or []).index(possible)] if texts and above is not None else "…"

    def _spelled(self, parent: Possible) -> Sequence[str] | None:
        before = (*self._before, *(each.token for each in parent.way))
        return self._lore.spelled(before, tuple(below.token for below in parent.below or ()))

    def hear(self, events: Iterable[Event]) -> None:
        """Take what the engine told."""
        for event in events:
            self._foresight.take(event)
        self._look()
        self._show()

    @on(Blocks.Moved)
    def _moved(self, message: Blocks.Moved) -> None:
        if message.entered:
            self.do_continue_one(None)
            return
        self._look()
        self._show()

    # ------------------------------------------------------------------ actions

    def do_row_up(self, count: int | None) -> None:
        self.blocks.move(-(count or 1))

    def do_row_down(self, count: int | None) -> None:
        self.blocks.move(count or 1)

    def do_child(self, _count: int | None) -> None:
        self.blocks.go_in()

    def do_parent(self, _count: int | None) -> None:
        self.blocks.go_out()

    def do_continue_one(self, _count: int | None) -> None:
        if self.blocks.cursor is not None:
            self._close(self.blocks.cursor.given())

    def do_stop(self, _count: int | None) -> None:
        self._close(None)

    def do_quit(self, _count: int | None) -> None:
        self._close(None)

    def _close(self, given: tuple[GivenToken, ...] | None) -> None:
        self.app.ask_engine(self._foresight.stop())  # type: ignore[attr-defined]
        self.dismiss(given)
