"""The radix tree that fragments are kept in: spans of token ids between its branchings.

Any span may have been evicted: its tokens stay for a while, so that it can be told what has to be read again.
Below an evicted span nothing is held.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import mlx.core as mx

from .fragments import Fragment


class State(Protocol):
    """What layers without keys and values hold at one position of a path."""

    @property
    def nbytes(self) -> int: ...


@dataclass(slots=True, eq=False)
class Mark:
    """A state within a span, or (None) that there was one. `used`: the store's clock at its last use."""

    edge: Edge
    state: State | None
    used: int = 0
    pins: int = 0
    queued: bool = False


@dataclass(slots=True, eq=False)
class Edge:
    """A span of tokens, with its fragment (None once it is evicted).

    `marks` are the states in it, by how many of its tokens stand before them. `live` counts the children that
    hold a fragment; `pins` those who need this span to stay. `became` is the span that it was joined into, and is
    part of since.
    """

    tokens: list[int]
    fragment: Fragment | None
    parent: Edge | None
    children: dict[int, Edge] = field(default_factory=dict)
    marks: dict[int, Mark] = field(default_factory=dict)
    live: int = 0
    used: int = 0
    pins: int = 0
    queued: bool = False
    became: Edge | None = None

    def attach(self) -> None:
        """Enter this edge, which holds a fragment, into its parent."""
        assert self.parent is not None
        self.parent.children[self.tokens[0]] = self
        self.parent.live += 1

    def split(self, length: int) -> Edge:
        """Cut in two after `length` tokens; this edge becomes the lower part. Returns the upper."""
        assert self.parent is not None
        fragment = self.fragment
        upper = Edge(self.tokens[:length], None, self.parent, used=self.used)
        if fragment is not None:
            upper.fragment = fragment.part(0, length)
            self.fragment = fragment.part(length, len(self.tokens))
            upper.live = 1
        marks, self.marks = self.marks, {}
        for at, mark in marks.items():
            if at <= length:
                upper.marks[at], mark.edge = mark, upper
            else:
                self.marks[at - length] = mark
        self.parent.children[self.tokens[0]] = upper
        self.tokens = self.tokens[length:]
        self.parent = upper
        upper.children[self.tokens[0]] = self
        return upper

    def join(self, lower: Edge) -> None:
        """Become one with the only child, `lower`, which goes on as both. This edge is out of the tree then."""
        assert self.parent is not None and self.fragment is not None and lower.fragment is not None
        lower.fragment = Fragment.fuse([self.fragment, lower.fragment])
        moved = {at + len(self.tokens): mark for at, mark in lower.marks.items()}
        for at, mark in self.marks.items():
            moved[at], mark.edge = mark, lower
        lower.marks = moved
        lower.tokens, lower.parent = self.tokens + lower.tokens, self.parent
        lower.used, lower.pins = max(self.used, lower.used), self.pins + lower.pins
        self.parent.children[self.tokens[0]] = lower
        self.fragment, self.became = None, lower
        self.children, self.marks = {}, {}

    def now(self) -> Edge:
        """The edge that this one is part of by now: itself, or what it was joined into."""
        edge = self
        while edge.became is not None:
            edge = edge.became
        return edge


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a held fragment: its tokens from `start` up to `stop`, and the edge that it was found at."""

    edge: Edge
    fragment: Fragment
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def kept(self) -> bool:
        """Whether the tree still holds this fragment, so that its bytes are counted there."""
        return self.edge.fragment is self.fragment

    @property
    def nbytes(self) -> int:
        """Size in bytes of its tokens alone."""
        return self.fragment.nbytes * len(self) // len(self.fragment)

    def among(self, start: int, stop: int) -> Piece:
        """Its tokens from `start` up to `stop`."""
        return replace(self, start=self.start + start, stop=self.start + stop)

    def pairs(self) -> list[tuple[mx.array, mx.array]]:
        """The keys `[kv_heads, tokens, head_dim]` and values of every leaf that has any, as views."""
        leaves = range(len(self.fragment.slots))
        pairs = [self.fragment.span(ordinal, self.start, self.stop) for ordinal in leaves]
        mx.eval(pairs)
        return pairs

    @staticmethod
    def fused(pieces: Sequence[Piece]) -> Fragment:
        """Pieces one behind the other, as one fragment."""
        return Fragment.fuse_parts([(piece.fragment, piece.start, piece.stop) for piece in pieces])


def common_length(a: Sequence[int], b: Sequence[int], start: int = 0) -> int:
    """How far `a[start:]` and `b` agree."""
    limit = min(len(a) - start, len(b))
    if list(a[start : start + limit]) == list(b[:limit]):
        return limit
    for index in range(limit):
        if a[start + index] != b[index]:
            return index
    return limit


def walk(root: Edge, path: Sequence[int], evicted: bool = False) -> Iterator[tuple[Edge, int, int]]:
    """The edges along a path: each with the position it begins at and how many of its tokens the path has.

    It ends where nothing is held any more, or with `evicted` where nothing ever was.
    """
    edge, position = root, 0
    while position < len(path):
        child = edge.children.get(path[position])
        if child is None or (child.fragment is None and not evicted):
            return
        length = common_length(path, child.tokens, position)
        yield child, position, length
        position += length
        if length < len(child.tokens):
            return
        edge = child
