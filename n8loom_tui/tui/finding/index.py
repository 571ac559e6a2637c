"""All texts of the trees in their order, folded, to be searched as often as somebody types a letter.

Built in slices (`slices`). It is a picture of one moment, in which single texts may be renewed: whoever holds it knows
when it has grown old.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.tui.widgets.shown import shown_text

from .query import Query, flatten, fold

REACH = 63
"""How many characters of what stands above a node are searched with it."""
_OFTEN = 64
"""Nodes between two chances for a pause."""


class TreeIndex:
    """The nodes from top to bottom with what is searched of each.

    A text that begins in one node and ends in another (any number of levels below) is found in the one where it
    ends: there the whole of it is on the path.

    Attributes:
        nodes: all nodes, in order.
        texts: for each its folded text, behind the last characters of the path above it.
        starts: for each, where in that its own text begins.
        reach: the longest text that is found across nodes has one character more.
    """

    def __init__(self, reach: int = REACH) -> None:
        self.nodes: list[Heddle] = []
        self.texts: list[str] = []
        self.starts: list[int] = []
        self.reach = reach
        self._places: dict[str, int] = {}
        """Where the nodes stand that were asked for, by id."""

    def build(self, roots: Iterable[Heddle]) -> Iterator[None]:
        """Take in trees. They may change meanwhile: then some of it is out of date."""
        nodes, texts, starts = self.nodes, self.texts, self.starts
        todo = list(roots)[::-1]
        above = [""] * len(
            todo
        )  # beside `todo`, since a hundred thousand pairs would keep the collector busy
        while todo:
            for _ in range(min(_OFTEN, len(todo))):
                node = todo.pop()
                before = above.pop()
                text = before + _folded(node)
                nodes.append(node)
                starts.append(len(before))
                texts.append(text)
                if children := node.children:
                    todo += children[::-1]
                    above += [self._below(node, text)] * len(children)
            yield

    def _below(self, node: Heddle, text: str) -> str:
        """What stands before the texts of a node's children."""
        return "" if ends_passage(node) else text[-self.reach :]

    def place_of(self, node: Heddle) -> int | None:
        """Where a node stands."""
        place = self._places.get(node.id)
        if place is None or self.nodes[place] is not node:
            try:
                place = self._places[node.id] = self.nodes.index(node)
            except ValueError:
                return None
        return place

    def renew(self, node: Heddle) -> int | None:
        """Bring a node's text up to date. Returns where the node stands; None if more is out of date: it is not here,
        or texts below begin with what was its end."""
        place = self.place_of(node)
        if place is None:
            return None
        text = self.texts[place][: self.starts[place]] + _folded(node)
        if node.children and not self._fits_below(place, text):
            return None
        self.texts[place] = text
        return place

    def _fits_below(self, place: int, text: str) -> bool:
        """Whether a node's children begin with what they are to begin with."""
        node, first = self.nodes[place], place + 1
        if first == len(self.nodes) or self.nodes[first].parent is not node:
            return False
        return self.texts[first][: self.starts[first]] == self._below(node, text)

    def holds(self, query: Query, place: int) -> bool:
        """Whether the node at this place is one of those that `find` finds."""
        needle, text = query.folded, self.texts[place]
        found = bool(needle) and text.find(needle, max(self.starts[place] - len(needle) + 1, 0)) >= 0
        return found and (not query.sensitive or self._as_written(query.needle, self.nodes[place]))

    def find(self, query: Query, places: list[int]) -> Iterator[None]:
        """Put the places of the nodes that hold the query into `places`."""
        needle, texts, starts = query.folded, self.texts, self.starts
        across = len(needle) - 1
        if not needle:
            return
        for start in range(0, len(texts), 1024):
            part = texts[start : start + 1024]
            found = [place for place, text in enumerate(part, start) if needle in text]
            found = [at for at in found if texts[at].find(needle, max(starts[at] - across, 0)) >= 0]
            if query.sensitive:
                yield
                found = [place for place in found if self._as_written(query.needle, self.nodes[place])]
            places += found
            yield

    def _as_written(self, needle: str, node: Heddle) -> bool:
        """Whether a node, or the end of the path above with it, holds this with the same capitals."""
        text = shown_text(node)
        if needle in text:
            return True
        parts, left = [text], len(needle) - 1
        above = node.parent
        while above is not None and left > 0 and not ends_passage(above):
            parts.append(shown_text(above)[-left:])
            left -= len(parts[-1])
            above = above.parent
        return needle in flatten("".join(reversed(parts)))


def _folded(node: Heddle) -> str:
    """A node's own text, as it is searched."""
    own = shown_text(node)
    low = own.lower()
    # Else there is no more to folding than this.
    return low if low.isascii() and low.isprintable() else fold(own)


def ends_passage(node: Heddle) -> bool:
    """Whether what is below does not go on from the last word of this: a prompt in a chat."""
    return isinstance(node, Loom) and node.chat_template_used
