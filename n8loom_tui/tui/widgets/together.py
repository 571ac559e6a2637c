"""Lines that are drawn together share what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

T = TypeVar("T")


class DrawnTogether(Widget):
    """A widget that draws line by line. Styles and sizes, which Textual works out anew each time they are asked for,
    are worked out once for all the lines of a picture: they take longer than the lines."""

    _common: dict[Hashable, Any] | None = None
    """What is known while lines are drawn, and only then."""

    def render_lines(self, crop: Region) -> list[Strip]:
        self._common = {}
        try:
            return super().render_lines(crop)
        finally:
            self._common = None

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, the same for all lines that are drawn together."""
        if self._common is None:
            return make()
        if key not in self._common:
            self._common[key] = make()
        found: T = self._common[key]
        return found

    def get_component_rich_style(
        self, *names: str, partial: bool = False, default: Style | None = None
    ) -> Style:
        known = super().get_component_rich_style
        return self.once((names, partial, default), lambda: known(*names, partial=partial, default=default))
