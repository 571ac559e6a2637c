"""The lines at the edges: what is open, what is going on, which keys there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from .sanitize import truncate_cells, visible
from .together import DrawnTogether

LEFT_OUT = "…"


@dataclass(frozen=True, slots=True)
class Fact:
    """A few words for a bar. Where there is no room for all, those with the highest rank go first."""

    text: str
    rank: int = 0


class Bar(DrawnTogether):
    """One line with facts at its left and at its right. What does not fit is left out, and a sign tells so."""

    DEFAULT_CSS = "Bar { height: 1; width: 1fr; }"

    def __init__(self, *, id: str, right_gap: str = " · ") -> None:
        super().__init__(id=id)
        self._sides: tuple[tuple[Fact, ...], tuple[Fact, ...]] = ((), ())
        self._gaps = (" · ", right_gap)

    @property
    def left(self) -> str:
        """All that is to be told at the left."""
        return self._gaps[0].join(fact.text for fact in self._sides[0])

    @property
    def right(self) -> str:
        """All that is to be told at the right."""
        return self._gaps[1].join(fact.text for fact in self._sides[1])

    def show(self, left: str | Sequence[Fact], right: str | Sequence[Fact] = "") -> None:
        """Show facts, or single texts; they may come from anywhere."""
        sides = _clean(left), _clean(right)
        if sides != self._sides:
            self._sides = sides
            self.refresh()

    def render(self) -> Text:
        width = self.size.width
        left, right = self._fit(width - 2)
        gap = max(width - cell_len(left) - cell_len(right) - 2, 0)
        return Text(f" {left}{' ' * gap}{right} ", no_wrap=True, end="")

    def _fit(self, width: int) -> tuple[str, str]:
        """Both sides in so many cells, with two between them."""
        kept = [list(side) for side in self._sides]
        while True:
            short = [len(kept[number]) < len(self._sides[number]) for number in (0, 1)]
            marked = (short[0], short[1] and not short[0])  # one sign is enough
            texts = [self._joined(kept[number], number, marked[number]) for number in (0, 1)]
            spare = 2 if all(texts) else 0
            if sum(map(cell_len, texts)) + spare <= width:
                return texts[0], texts[1]
            ranks = [(fact.rank, number, at) for number in (0, 1) for at, fact in enumerate(kept[number])]
            rank, number, at = max(ranks, default=(0, 0, 0))
            if rank == 0:
                break
            del kept[number][at]
        right = truncate_cells(texts[1], max(width, 0), LEFT_OUT)
        return truncate_cells(texts[0], max(width - cell_len(right) - 2, 0), LEFT_OUT), right

    def _joined(self, kept: list[Fact], side: int, marked: bool) -> str:
        return self._gaps[side].join([*(fact.text for fact in kept), *([LEFT_OUT] if marked else [])])


def _clean(facts: str | Sequence[Fact]) -> tuple[Fact, ...]:
    if isinstance(facts, str):
        facts = [Fact(facts)]
    return tuple(Fact(visible(fact.text, "⏎"), fact.rank) for fact in facts if fact.text)


class KeyBar(DrawnTogether):
    """Keys with their words, the most important first, as many as fit."""

    DEFAULT_CSS = "KeyBar { height: 1; width: 1fr; }"

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._entries: list[tuple[str, str]] = []
        self._pending = ""

    def show(self, entries: list[tuple[str, str]], pending: str = "") -> None:
        """`entries` are (key, word); `pending` is what was typed and waits for more."""
        if (entries, pending) != (self._entries, self._pending):
            self._entries, self._pending = entries, pending
            self.refresh()

    def render(self) -> Text:
        text = Text(" ", no_wrap=True, end="")
        if self._pending:
            text.append(f"{self._pending} … ", style="reverse")
        for key, word in self._entries:
            if text.cell_len + cell_len(key) + cell_len(word) + 3 > self.size.width:
                break
            text.append(key, style="bold")
            text.append(f" {word}  ")
        return text
