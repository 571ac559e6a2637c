"""What the colours of the tokens tell: one line under the reader, each step of the scale in its own look."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from .token_map import ENTROPY_STEPS, PROBABILITY_STEPS, STEPS, ColourBy


def words(by: ColourBy) -> tuple[str, ...]:
    """What each step stands for, the most probable first; nothing where there are no colours."""
    match by:
        case ColourBy.PROBABILITY:
            steps = [f"≥{least * 100:g}%" for least in PROBABILITY_STEPS]
            return (*steps, f"<{PROBABILITY_STEPS[-1] * 100:g}%")
        case ColourBy.ENTROPY:
            return (*(f"<{below:g}" for below in ENTROPY_STEPS), f"≥{ENTROPY_STEPS[-1]:g}")
    return ()


class Legend(Widget, can_focus=False):
    """One line."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    Legend {
        height: 1;
        width: 1fr;
        background: $surface;
        color: $foreground;
        & > .reader--step-0 { color: $foreground; }
        & > .reader--step-1 { color: $text-success; }
        & > .reader--step-2 { color: $text-primary; }
        & > .reader--step-3 { color: $text-warning; }
        & > .reader--step-4 { color: $text-error; text-style: underline; }
        &:nocolor > .reader--step-0 { text-style: dim; }
        &:nocolor > .reader--step-1 { text-style: none; }
        &:nocolor > .reader--step-2 { text-style: underline; }
        &:nocolor > .reader--step-3 { text-style: bold; }
        &:nocolor > .reader--step-4 { text-style: bold underline; }
    }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"reader--step-{step}" for step in range(STEPS)}

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._by = ColourBy.NOTHING

    def show(self, by: ColourBy) -> None:
        """Explain these colours."""
        self._by = by
        self.refresh()

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        width = self.content_size.width
        unit = " (nats)" if self._by is ColourBy.ENTROPY else ""
        segments = [Segment(f"{self._by.value}{unit}:", self.rich_style)]
        for step, word in enumerate(words(self._by)):
            segments.append(Segment(" ", self.rich_style))
            segments.append(Segment(word, self.get_component_rich_style(f"reader--step-{step}")))
        return Strip(segments).adjust_cell_length(width, self.rich_style)
