"""All cache fragments of a model, in a radix tree keyed by token ids from the root of the path.

A fragment depends on nothing but the token ids before and in it. Keyed by them, a node of the loom finds its
fragments whatever was done to the tree: split, clipped, merged, deleted and brought back, written twice.
Fragments beyond the budget are dropped, least recently used leaves first; what is missing is computed again
by whoever needs it.
"""

from __future__ import annotations

from collections.abc import Sequence

from .fragments import Fragment


class _Edge:
    """A span of tokens with its fragment, between two branchings of the radix tree."""

    __slots__ = ("children", "fragment", "parent", "tokens", "used")

    def __init__(self, tokens: list[int], fragment: Fragment | None, parent: _Edge | None) -> None:
        self.tokens = tokens
        self.fragment = fragment
        self.parent = parent
        self.children: dict[int, _Edge] = {}
        self.used = 0


def common_length(a: Sequence[int], b: Sequence[int], start: int = 0) -> int:
    """How far `a[start:]` and `b` agree."""
    limit = min(len(a) - start, len(b))
    if list(a[start : start + limit]) == list(b[:limit]):
        return limit
    for index in range(limit):
        if a[start + index] != b[index]:
            return index
    return limit


class FragmentStore:
    """Fragments by path. Not thread-safe: it belongs to the engine's thread."""

    def __init__(self, budget: int) -> None:
        """`budget`: how many bytes of fragments are kept."""
        self.budget = budget
        self.nbytes = 0
        self.evicted_bytes = 0
        self._root = _Edge([], None, None)
        self._clock = 0
        self._held = False

    def hold(self) -> None:
        """Drop nothing until `release`: what a request is gathering must not push out its own other parts."""
        self._held = True

    def release(self) -> None:
        """End of `hold`."""
        if self._held:
            self._held = False
            self._evict(keep=self._clock)

    def match_length(self, path: Sequence[int]) -> int:
        """How many of the path's first tokens are covered, without touching anything."""
        return sum(length for _, length in self._walk(path))

    def get(self, path: Sequence[int], start: int, stop: int) -> Fragment | None:
        """The fragment of `path[start:stop]`, or None where it is not wholly covered (or empty)."""
        pieces: list[Fragment] = []
        position = 0
        self._clock += 1
        for edge, length in self._walk(path):
            edge.used = self._clock
            low, high = max(start - position, 0), min(stop - position, length)
            if low < high and edge.fragment is not None:
                pieces.append(edge.fragment.part(low, high))
            position += length
            if position >= stop:
                break
        return Fragment.fuse(pieces) if pieces and position >= stop else None

    def put(self, path: Sequence[int], start: int, fragment: Fragment) -> None:
        """Keep the fragment of `path[start:start + len(fragment)]`. What is there already stays as it is.

        What stands before `start` must be covered; otherwise (it was evicted meanwhile) nothing is kept.
        """
        path = list(path[: start + len(fragment)])
        edge, position = self._root, 0
        self._clock += 1
        while position < len(path):
            child = edge.children.get(path[position])
            if child is None:
                break
            length = common_length(path, child.tokens, position)
            if length < len(child.tokens):
                if position + length == len(path):
                    child.used = self._clock
                    return
                child = self._split(child, length)
            child.used = self._clock
            edge, position = child, position + length
        if position < start or position >= len(path):
            return
        leaf = _Edge(path[position:], fragment.part(position - start, len(path) - start), edge)
        leaf.used = self._clock
        edge.children[path[position]] = leaf
        self.nbytes += leaf.fragment.nbytes if leaf.fragment else 0
        self._evict(keep=self._clock)

    def clear(self) -> None:
        """Drop every fragment."""
        self._root = _Edge([], None, None)
        self.nbytes = 0

    def _walk(self, path: Sequence[int]) -> list[tuple[_Edge, int]]:
        """The edges along a path, each with how many of its tokens the path has."""
        edge, position, found = self._root, 0, []
        while position < len(path):
            child = edge.children.get(path[position])
            if child is None:
                break
            length = common_length(path, child.tokens, position)
            found.append((child, length))
            position += length
            if length < len(child.tokens):
                break
            edge = child
        return found

    @staticmethod
    def _split(edge: _Edge, length: int) -> _Edge:
        """Cut an edge in two after `length` tokens. Returns the upper part."""
        assert edge.fragment is not None and edge.parent is not None
        upper = _Edge(edge.tokens[:length], edge.fragment.part(0, length), edge.parent)
        upper.used = edge.used
        edge.parent.children[edge.tokens[0]] = upper
        edge.fragment = edge.fragment.part(length, len(edge.tokens))
        edge.tokens = edge.tokens[length:]
        edge.parent = upper
        upper.children[edge.tokens[0]] = edge
        return upper

    def _evict(self, keep: int) -> None:
        """Drop leaves, least recently used first, until the budget holds; never those of tick `keep`."""
        while self.nbytes > self.budget and not self._held:
            leaves = [e for e in self._edges() if not e.children and e.used != keep]
            if not leaves:
                return
            leaves.sort(key=lambda edge: edge.used)
            for leaf in leaves:
                self._drop(leaf)
                if self.nbytes <= self.budget:
                    break

    def _drop(self, leaf: _Edge) -> None:
        assert leaf.fragment is not None and leaf.parent is not None
        del leaf.parent.children[leaf.tokens[0]]
        self.nbytes -= leaf.fragment.nbytes
        self.evicted_bytes += leaf.fragment.nbytes

    def _edges(self) -> list[_Edge]:
        edges, stack = [], list(self._root.children.values())
        while stack:
            edge = stack.pop()
            edges.append(edge)
            stack.extend(edge.children.values())
        return edges
