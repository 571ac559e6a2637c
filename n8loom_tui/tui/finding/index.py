"""All texts of the trees in their order, folded, to be searched as often as somebody types a letter.

Built in slices (`slices`). It is a picture of one moment: whoever holds it knows when it has grown old.
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

    def build(self, roots: Iterable[Heddle]) -> Iterator[None]:
        """Take in trees. They may change meanwhile: then some of it is out of date."""
        nodes, texts, starts, reach = self.nodes, self.texts, self.starts, self.reach
        todo = list(roots)[::-1]
        above = [""] * len(
            todo
        )  # beside `todo`, since a hundred thousand pairs would keep the collector busy
        while todo:
            for _ in range(min(_OFTEN, len(todo))):
                node = todo.pop()
                before = above.pop()
                text = before + fold(shown_text(node))
                nodes.append(node)
                starts.append(len(before))
                texts.append(text)
                if children := node.children:
                    todo += children[::-1]
                    above += ["" if ends_passage(node) else text[-reach:]] * len(children)
            yield

    def place_of(self, node: Heddle) -> int | None:
        """Where a node stands."""
        try:
            return self.nodes.index(node)
        except ValueError:
            return None

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


def ends_passage(node: Heddle) -> bool:
    """Whether what is below does not go on from the last word of this: a prompt in a chat."""
    return isinstance(node, Loom) and node.chat_template_used
