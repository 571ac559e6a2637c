"""The frame of a dialog: as high as what is in it, and never so high that its last lines are lost."""

from __future__ import annotations

from collections.abc import Sequence

from textual.containers import Vertical
from textual.geometry import Size
from textual.layout import Layout, WidgetPlacement
from textual.layouts.vertical import VerticalLayout
from textual.widget import Widget

LOW = [(0, "-low"), (24, "-high")]
"""For `VERTICAL_BREAKPOINTS` of a dialog's screen: where lines are dear."""


class _Yielding(VerticalLayout):
    """One below the other. Where the room is too low, the parts of class `flexible` give way."""

    name = "yielding"

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> list[WidgetPlacement]:
        placed = list(super().arrange(parent, children, size, greedy))
        over = (
            _bottom(placed) - size.height if size.height else 0
        )  # no height yet: how high it would like to be
        if over <= 0:
            return placed
        moved, up = [], 0
        for one in placed:
            region = one.region.translate((0, -up))
            if one.widget.has_class("flexible"):
                lost = min(over - up, max(region.height - 1, 0))
                region, up = region.shrink((0, 0, lost, 0)), up + lost
            moved.append(one._replace(region=region))
        return moved


def _bottom(placed: Sequence[WidgetPlacement]) -> int:
    return max((one.region.bottom + one.margin.bottom for one in placed), default=0)


class DialogBox(Vertical):
    """All parts one below the other. The one of class `flexible` (`auto` high: a list, a text, fields) is as high as
    it would like to be where there is room, and else gets what the others leave: messages and keys stay in sight."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, classes="dialog")
        self._yielding = _Yielding()

    @property
    def layout(self) -> Layout:
        """How the parts are placed; style sheets know no layout of this kind."""
        return self._yielding
