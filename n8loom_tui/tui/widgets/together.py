"""Lines that are drawn together share what they have in common.

Textual puts a widget's frame around each line, and takes it through each filter, by itself: for a screenful that takes
longer than the lines. What it does there depends on the widget alone, so here it is worked out once for all lines
(`Finish`), and a line that says the same as one before, wherever that stood, is taken as it was finished.

This builds on what Textual promises: that `render_lines` gives the lines of a region, that `refresh` and
`notify_style_update` are called wherever something is to be drawn anew, that line filters go over finished lines, and
what the styles say. The frame itself is cut from a line that Textual finished, and so are the lines above and below the
content. Where styles reach into the content (opacity, tint, hatching, an outline) Textual draws all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Self, TypeVar

from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from .finish import Finish, Ground

T = TypeVar("T")


class DrawnTogether(Widget):
    """A widget that draws line by line, without links to be set off under the mouse. Styles and sizes, which Textual
    works out anew each time they are asked for, are worked out once for all the lines of a picture."""

    _common: dict[Hashable, Any] | None = None
    """What is known while lines are drawn, and only then."""
    _finish: Finish | None = None
    _settled = False
    """Whether the widget looks as it did when the lines were finished."""
    _styles_of: tuple[Style, float] | None = None
    _styles: dict[Hashable, Style] | None = None
    """Styles, as long as the widget's own style and opacity are `_styles_of` and Textual tells of no other ones."""

    def render_lines(self, crop: Region) -> list[Strip]:
        self._common = {}
        try:
            finish = self._finish_now()
            if finish is None:
                return super().render_lines(crop)
            strips = finish.lines(crop.line_range, self.render_line, self._drawn_by_textual)
        finally:
            self._common = None
        left, right = crop.column_span
        if (left, right) == (0, finish.ground.size.width):
            return strips
        return [strip.crop(left, right) for strip in strips]

    def _finish_now(self) -> Finish | None:
        """How lines are finished by now. None: not here."""
        filters = tuple(self.get_line_filters())
        known = self._finish
        if self._settled and known is not None and known.ground.fits(self.region.size, filters):
            return known
        self._settled = True
        ground = Ground.of(self, filters)
        if ground is None:
            self._finish = None
        elif known is None or known.ground != ground:
            self._finish = Finish(ground, self._drawn_by_textual)
        else:
            known.forget_lines()
        return self._finish

    def _drawn_by_textual(self, line: int) -> Strip:
        return super().render_lines(Region(0, line, self.region.width, 1))[0]

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        if repaint and not regions:
            self._settled = False
        elif repaint and self._finish is not None:
            self._finish.forget_content(regions)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        self._settled, self._styles = False, None
        super().notify_style_update()

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, the same for all lines that are drawn together."""
        if self._common is None:
            return make()
        if key not in self._common:
            self._common[key] = make()
        found: T = self._common[key]
        return found

    def styled(self, key: Hashable, make: Callable[[], Style]) -> Style:
        """The style that `make` gives, the same until styles change."""
        if self._common is None:
            return make()
        known = self.once("styles", self._styles_now)
        found = known.get(key)
        if found is None:
            found = known[key] = make()
        return found

    def _styles_now(self) -> dict[Hashable, Style]:
        # These depend on all that stands above, as the styles of the widget's parts do.
        own = self.rich_style, self.opacity if self._finish is None else 1.0
        if self._styles is None or own != self._styles_of:
            self._styles_of, self._styles = own, {}
        return self._styles

    def get_component_rich_style(
        self, *names: str, partial: bool = False, default: Style | None = None
    ) -> Style:
        known = super().get_component_rich_style
        key = names, partial, default
        return self.styled(key, lambda: known(*names, partial=partial, default=default))
