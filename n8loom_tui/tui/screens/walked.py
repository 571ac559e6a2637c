"""Keys that walk through a list of choices."""

from __future__ import annotations

from n8loom_tui.tui.widgets.choice_list import ChoiceList


class Walked:
    """A mixin in front of a keyed screen, which has its choices in `_list`."""

    _list: ChoiceList

    def do_row_up(self, count: int | None) -> None:
        self._list.go(-(count or 1))

    def do_row_down(self, count: int | None) -> None:
        self._list.go(count or 1)

    def do_page_up(self, count: int | None) -> None:
        self._list.go(-(count or 1) * max(self._list.page - 1, 1))

    def do_page_down(self, count: int | None) -> None:
        self._list.go((count or 1) * max(self._list.page - 1, 1))

    def do_top(self, _count: int | None) -> None:
        self._list.go(-self._list.virtual_size.height)

    def do_bottom(self, _count: int | None) -> None:
        self._list.go(self._list.virtual_size.height)
