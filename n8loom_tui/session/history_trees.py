"""Trees and a trash, and the operations carried out on them. Each is carried out whole or not at all.

Costs what it touches. What is taken out of a tree stays in memory, with all below it, as `trash`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from n8loom_tui.loom.heddle import Heddle, Kind, Loom
from n8loom_tui.loom.marks import NO_MARKS, Marks

from .change import Change
from .history_contents import FIRST_STEP, Contents
from .history_ops import (
    Cut,
    Field,
    Hang,
    HistoryError,
    Join,
    Mend,
    Operation,
    Order,
    Set,
    Split,
    Swap,
    Take,
    Value,
)
from .pending import Pending

__all__ = ["CUT", "FIRST_STEP", "Trees"]

CUT = "cut"
"""The finish of a node whose end a person cut off."""


class Trees(Contents):
    """The trees of a session.

    Attributes:
        roots: the trees, in order.
        nodes: all nodes of the trees by id.
        trash: by id, what was taken out or cut off, the latest last: the topmost nodes, what hung below them hangs
            there still.
        where: by id of what is in the trash, the node that it hung below or was a part of, where that is known.
        bookmarks, unread: the nodes of the trees that have a bookmark, and those that nobody has seen, by id.
        pending: what is to be stored.
    """

    def __init__(
        self,
        roots: Iterable[Heddle] = (),
        trash: Iterable[Heddle] = (),
        fingerprints: dict[str, str] | None = None,
        where: Mapping[str, str] | None = None,
        nodes: dict[str, Heddle] | None = None,
    ) -> None:
        """`nodes`: all of the roots' by id, where the caller knows them."""
        super().__init__(fingerprints or {})
        self.roots: list[Heddle] = list(roots)
        if nodes is None:
            nodes = {node.id: node for root in self.roots for node in root.walk()}
        self.nodes = nodes
        self.trash: dict[str, Heddle] = {node.id: node for node in trash}
        self.where: dict[str, str] = dict(where or {})
        self.bookmarks: dict[str, Heddle] = {}
        self.unread: dict[str, Heddle] = {}
        for node in self.nodes.values():
            if node.marks is not NO_MARKS:
                self._note_marks(node)
        self.pending = Pending()

    # --------------------------------------------------------------- new nodes

    def prepare(self, node: Heddle) -> Heddle:
        """Take in a new node. It stays in the trash until an operation hangs it up."""
        self.trash[node.id] = node
        self.pending.content(node)
        self.pending.deleted([node])
        if node.marks.unread:
            self.pending.marks(node)
        return node

    def set_aside(self, node: Heddle, owner: Heddle) -> Heddle:
        """Take in a new node that keeps what was, or may become, its owner's content, or a part of that."""
        self.trash[node.id] = node
        self.where[node.id] = owner.id
        if owner.id in self.fingerprints and node.tokens:
            self.fingerprints[node.id] = self.fingerprints[owner.id]
        self.pending.aside(node, owner)
        return node

    def forget(self, node: Heddle, change: Change) -> None:
        """Take out a leaf for good: no operation may name it any more."""
        siblings = self.children(node.parent)
        del siblings[self.index(node)]
        parent, node.parent = node.parent, None
        del self.nodes[node.id]
        self._forget_marks(node)
        self.pending.deleted([node])
        change.changed.pop(node.id, None)
        change.taken(parent, [node])

    def empty_trash(self) -> int:
        """Throw away for good what is in the trash: no operation may name it any more. Returns how many nodes went."""
        gone = [node.id for top in self.trash.values() for node in top.walk()]
        self.trash.clear()
        self.where.clear()
        for name in gone:
            self.fingerprints.pop(name, None)
        self.pending.purge(gone)
        return len(gone)

    # ---------------------------------------------------------------- looking

    def children(self, parent: Heddle | None) -> list[Heddle]:
        """The children of a node; of None: the roots."""
        return self.roots if parent is None else parent.children

    def index(self, node: Heddle) -> int:
        """Where a node stands among its siblings.

        Raises:
            HistoryError: it does not stand there.
        """
        for index, sibling in enumerate(self.children(node.parent)):
            if sibling is node:
                return index
        raise HistoryError("a node is not where it should be")

    def _live(self, name: str) -> Heddle:
        node = self.nodes.get(name)
        if node is None:
            raise HistoryError("a node is missing from the trees")
        return node

    def _trashed(self, name: str) -> Heddle:
        node = self.trash.get(name)
        if node is None:
            raise HistoryError("a node is missing from the trash")
        return node

    def _above(self, name: str | None) -> Heddle | None:
        return None if name is None else self._live(name)

    # ------------------------------------------------------------- operations

    def apply(self, operation: Operation, change: Change) -> Heddle | None:
        """Carry out an operation. Returns the node where it happened; None: there is none.

        Raises:
            HistoryError: what it needs isn't there; nothing was changed.
        """
        match operation:
            case Hang(parent, index, nodes):
                return self._hang(self._above(parent), index, nodes, change)
            case Take(parent, index, nodes):
                return self._take(self._above(parent), index, nodes, change)
            case Split(node, head):
                return self._split(self._live(node), self._trashed(head), change)
            case Join(node, head):
                return self._join(self._live(node), self._live(head), change)
            case Cut(node, tail):
                return self._cut(self._live(node), self._trashed(tail), change)
            case Mend(node, tail):
                return self._mend(self._live(node), self._trashed(tail), change)
            case Swap(node, other):
                return self._swap(self._live(node), self._trashed(other), change)
            case Order(parent, _, after):
                return self._order(self._above(parent), after, change)
            case Set(node, field, _, after):
                return self._set(self._live(node), field, after, change)

    def _hang(
        self, parent: Heddle | None, index: int, names: tuple[str, ...], change: Change
    ) -> Heddle | None:
        nodes = [self._trashed(name) for name in names]
        siblings = self.children(parent)
        index = min(index, len(siblings))
        siblings[index:index] = nodes
        for node in nodes:
            node.parent = parent
            del self.trash[node.id]
            self._enter(node, change)
        self.pending.children(parent, nodes)
        change.hung(parent, nodes)
        return nodes[0] if nodes else parent

    def _enter(self, top: Heddle, change: Change) -> None:
        entered = self.nodes
        stack = [top]  # as `walk` goes, by hand: an undo may bring back a hundred thousand
        while stack:
            node = stack.pop()
            entered[node.id] = node
            if node.marks is not NO_MARKS:
                self._note_marks(node)
            if not node.encoded and not node.token_count:  # without unpacking what nobody asks for
                change.unencoded.append(node)
            if node.children:
                stack += node.children[::-1]

    def _take(
        self, parent: Heddle | None, index: int, names: tuple[str, ...], change: Change
    ) -> Heddle | None:
        nodes = [self._live(name) for name in names]
        if any(node.parent is not parent for node in nodes):
            raise HistoryError("a node is not where it should be")
        siblings = self.children(parent)
        if [node.id for node in siblings[index : index + len(nodes)]] == list(names):
            del siblings[index : index + len(nodes)]
        else:
            gone = set(names)
            siblings[:] = [node for node in siblings if node.id not in gone]
        for node in nodes:
            node.parent = None
            self._discard(node, parent)
            self._leave(node, change)
        self.pending.deleted(nodes)
        change.taken(parent, nodes)
        return parent if parent is not None else self.roots[0] if self.roots else None

    def _discard(self, node: Heddle, parent: Heddle | None) -> None:
        """Lay a node upon the trash."""
        self.trash.pop(node.id, None)
        self.trash[node.id] = node
        if parent is not None:
            self.where[node.id] = parent.id
        else:
            self.where.pop(node.id, None)

    def _leave(self, top: Heddle, change: Change) -> None:
        nodes, changed = self.nodes, change.changed
        stack = [top]
        while stack:
            node = stack.pop()
            del nodes[node.id]
            if node.marks is not NO_MARKS:
                self._forget_marks(node)
            stack += node.children
        for name in [name for name in changed if name not in nodes]:
            del changed[name]

    def _split(self, node: Heddle, head: Heddle, change: Change) -> Heddle:
        if head.children or isinstance(head, Loom) or isinstance(node, Loom):
            raise HistoryError("a node is not as it should be")
        parent, index = node.parent, self.index(node)
        self.take_front(node, head, change)
        self.children(parent)[index] = head
        head.parent, node.parent = parent, head
        head.children = [node]
        del self.trash[head.id]
        self.nodes[head.id] = head
        self._note_marks(head)
        if not head.encoded and not head.tokens:
            change.unencoded.append(head)
        self.pending.content(node)
        self.pending.children(parent, [head])
        self.pending.children(head, [node])
        change.removed.append((parent, node))
        change.added.append((parent, [head]))
        change.touch(node)
        return head

    def _join(self, node: Heddle, head: Heddle, change: Change) -> Heddle:
        if len(head.children) != 1 or head.children[0] is not node or isinstance(head, Loom):
            raise HistoryError("a node is not as it should be")
        parent, index = head.parent, self.index(head)
        self.put_front(node, head, change)
        self.children(parent)[index] = node
        node.parent, head.parent = parent, None
        head.children = []
        del self.nodes[head.id]
        self._forget_marks(head)
        self._discard(head, parent)
        change.changed.pop(head.id, None)
        self.pending.content(node)
        self.pending.children(parent, [node])
        self.pending.deleted([head])
        change.removed.append((parent, head))
        change.added.append((parent, [node]))
        change.touch(node)
        return node

    def _cut(self, node: Heddle, tail: Heddle, change: Change) -> Heddle:
        self.take_end(node, tail, change)
        node.terminal, node.finish = False, CUT
        return self._changed(node, change)

    def _mend(self, node: Heddle, tail: Heddle, change: Change) -> Heddle:
        self.put_end(node, tail, change)
        node.terminal, node.finish = tail.terminal, tail.finish
        return self._changed(node, change)

    def _swap(self, node: Heddle, other: Heddle, change: Change) -> Heddle:
        if isinstance(node, Loom) != isinstance(other, Loom):
            raise HistoryError("a node is not as it should be")
        self.exchange(node, other)
        if not node.encoded and not node.tokens:
            change.unencoded.append(node)
        self.pending.content(other)
        return self._changed(node, change)

    def _order(self, parent: Heddle | None, names: tuple[str, ...], change: Change) -> Heddle | None:
        siblings = self.children(parent)
        by_name = {node.id: node for node in siblings}
        if len(names) != len(siblings) or by_name.keys() != set(names):
            raise HistoryError("the children of a node are not those that they were")
        siblings[:] = [by_name[name] for name in names]
        self.pending.children(parent)
        change.rearrange(parent)
        return parent if parent is not None else siblings[0] if siblings else None

    def _set(self, node: Heddle, field: Field, value: Value, change: Change) -> Heddle:
        match field, value:
            case Field.KIND, str() if value in set(Kind):
                node.kind = Kind(value)
                self.pending.content(node)
            case Field.BOOKMARK, bool():
                self.mark(node, replace(node.marks, bookmark=value))
            case Field.TAGS, tuple():
                self.mark(node, replace(node.marks, tags=value))
            case Field.NOTE, str():
                self.mark(node, replace(node.marks, note=value))
            case _:
                raise HistoryError("a mark is not as it should be")
        change.touch(node)
        return node

    def mark(self, node: Heddle, marks: Marks) -> None:
        """Give a node other marks. By itself this is no step of the history: so is having been read."""
        node.marks = marks
        if node.id in self.nodes:
            self._note_marks(node)
        self.pending.marks(node)

    def _note_marks(self, node: Heddle) -> None:
        """Enter a node of the trees where its marks say that it belongs, and nowhere else."""
        marks = node.marks
        for there, index in ((marks.bookmark, self.bookmarks), (marks.unread, self.unread)):
            if there:
                index[node.id] = node
            else:
                index.pop(node.id, None)

    def _forget_marks(self, node: Heddle) -> None:
        self.bookmarks.pop(node.id, None)
        self.unread.pop(node.id, None)

    # ---------------------------------------------------------------- helpers

    def _changed(self, node: Heddle, change: Change) -> Heddle:
        self.pending.content(node)
        change.touch(node)
        return node
