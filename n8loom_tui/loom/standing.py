"""Where a heddle stands in its tree: what is above it and below it, and the texts and tokens along its path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from .heddle import Heddle


class Standing:
    """The part of `Heddle` that looks around in the tree."""

    __slots__ = ()

    @property
    def _itself(self) -> Heddle:
        return cast("Heddle", self)

    def ancestors(self) -> Iterator[Heddle]:
        """This node, its parent, and so on up to the root."""
        node: Heddle | None = self._itself
        while node is not None:
            yield node
            node = node.parent

    def path(self) -> list[Heddle]:
        """The nodes from the root down to this one."""
        return list(self.ancestors())[::-1]

    def root(self) -> Heddle:
        """The root of the tree that this node stands in."""
        node = self._itself
        while node.parent is not None:
            node = node.parent
        return node

    def walk(self) -> Iterator[Heddle]:
        """This node and all below it, each before its children, in order. Any depth."""
        stack = [self._itself]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def get_prefix_text(self, exclude: int = 0) -> str:
        """The text of the path down to this node, without its first `exclude` nodes."""
        return "".join(node.text for node in self.path()[exclude:])

    def get_display_text(self, exclude: int = 0) -> str:
        """As `get_prefix_text`, each node in its form for people."""
        return "".join(node.display_text() for node in self.path()[exclude:])

    def crown(self) -> str:
        """The text of the path without the root's."""
        return self.get_prefix_text(1)

    def get_prefix_tokens(self, exclude: int = 0) -> list[int]:
        """The token ids of the path down to this node, without its first `exclude` nodes."""
        return list(chain.from_iterable(node.tokens for node in self.path()[exclude:]))

    def apply_all_children(
        self, func: Callable[[Heddle], Any], apply_self: bool = False, leaves_only: bool = False
    ) -> list[Any]:
        """Call `func` on every node below (this one first, if `apply_self`), or on the leaves below alone.

        The nodes are fixed before the first call, whatever `func` grows.
        """
        nodes = self.get_all_leaves() if leaves_only else self.get_all_children()
        return [func(node) for node in ([self._itself, *nodes] if apply_self else nodes)]

    def at_all_leaves(self, func: Callable[[Heddle], Any]) -> list[Any]:
        """Call `func` on every leaf below."""
        return self.apply_all_children(func, leaves_only=True)

    def apply_at_leaves(self, *funcs: Callable[[Heddle], Any]) -> list[Any]:
        """Call one function after the other on all leaves below. Returns the last one's results."""
        results: list[Any] = []
        for func in funcs:
            results = self.at_all_leaves(func)
        return results

    def get_all_children(self, depth: int = 0) -> list[Heddle]:
        """All nodes below, each before its children; this one first if `depth` is above 0."""
        nodes = list(self.walk())
        return nodes if depth > 0 else nodes[1:]

    def get_all_leaves(self) -> list[Heddle]:
        """All leaves below."""
        return [node for node in self.get_all_children() if not node.children]

    def count_children(self) -> int:
        """How many nodes stand here and below."""
        return sum(1 for _ in self.walk())

    def count_leaves(self) -> int:
        """How many leaves stand here and below; 1 for a leaf."""
        return sum(1 for node in self.walk() if not node.children)
