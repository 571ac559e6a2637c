"""Every edit that a person can make, as operations: what is allowed is decided here, and nothing is done yet.

New nodes that an edit needs are handed to the trees' trash, from where the operations hang them up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from n8loom_tui.loom.heddle import Heddle, Kind, Loom
from n8loom_tui.loom.span import Span

from .history_ops import Cut, Field, Hang, Join, Operation, Order, Set, Split, Swap, Take, Value
from .history_trees import FIRST_STEP, Trees
from .record import SHARED

UNREAD_TEXT = "The model has not read this text yet; its tokens are not known."


class EditError(ValueError):
    """An edit that cannot be made here; the message says why and what to do."""


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 node`, `1,200 nodes`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


# ------------------------------------------------------------- coming and going


def enter(trees: Trees, parent: Heddle | None, nodes: Sequence[Heddle], index: int | None = None) -> Hang:
    """Enter new nodes below `parent` (None: among the roots), last of all or at `index`."""
    for node in nodes:
        trees.prepare(node)
    place = len(trees.children(parent)) if index is None else index
    return Hang(_name(parent), place, tuple(node.id for node in nodes))


def delete(trees: Trees, node: Heddle) -> list[Operation]:
    """Take a node out, with all below it."""
    return [Take(_name(node.parent), trees.index(node), (node.id,))]


def make_leaf(node: Heddle) -> list[Operation]:
    """Take out all below a node.

    Raises:
        EditError: there is nothing.
    """
    if not node.children:
        raise EditError("There is nothing below this node.")
    return [Take(node.id, 0, tuple(child.id for child in node.children))]


def restore(trees: Trees, node: Heddle, parent: Heddle | None) -> list[Operation]:
    """Bring a node back out of the trash, as the last child of `parent` (None: as a root).

    Raises:
        EditError: it is not in the trash, or it is a prompt, which is always a root.
    """
    if node.id not in trees.trash:
        raise EditError("This is not in the trash.")
    if isinstance(node, Loom) and parent is not None:
        raise EditError("A prompt begins a tree of its own; it does not hang below anything.")
    return [Hang(_name(parent), len(trees.children(parent)), (node.id,))]


def sort(trees: Trees, parent: Heddle | None, key: Callable[[Heddle], Any]) -> list[Operation]:
    """Bring a node's children into the order of a key; those that are equal stay as they are.

    Raises:
        EditError: they are in that order.
    """
    children = trees.children(parent)
    ordered = sorted(children, key=key)
    if ordered == children:
        raise EditError("The children are in this order already.")
    return [Order(_name(parent), _names(children), _names(ordered))]


# ------------------------------------------------------------------ the tokens


def clip(trees: Trees, node: Heddle, tokens: int) -> list[Operation]:
    """Keep a node's first tokens (all but the last, if negative); the children go where anything is cut.

    Raises:
        EditError: its tokens are not known yet, or there is nothing to cut.
    """
    if node.parent is None:
        raise EditError("A prompt is not cut: start a new loom with the prompt that you want.")
    _no_turn(node, "cut")
    _need_tokens(node)
    keep = tokens if tokens >= 0 else max(len(node.tokens) + tokens, 0)
    if keep >= len(node.tokens):
        raise EditError(f"This node has {counted(len(node.tokens), 'token')}; nothing was cut.")
    if keep == 0:
        raise EditError(
            f"That would leave nothing of its {counted(len(node.tokens), 'token')}; delete it instead."
        )
    tail = _part(node, Span.of(node).after(keep))
    tail.terminal, tail.finish = node.terminal, node.finish
    trees.set_aside(tail, node)
    return [Cut(node.id, tail.id), *(make_leaf(node) if node.children else [])]


def split(trees: Trees, node: Heddle, tokens: int) -> list[Operation]:
    """Make a node of the first tokens (all but the last, if negative), and hang the rest, with the children, below it.

    Nothing is encoded: token ids, and what is known of each, stay as they are.

    Raises:
        EditError: its tokens are not known yet, or there is no such place in it.
    """
    if isinstance(node, Loom):
        raise EditError("A prompt is not split: it stands in the model's template as a whole.")
    _no_turn(node, "split")
    _need_tokens(node)
    size = len(node.tokens)
    at = tokens if tokens >= 0 else size + tokens
    if size < 2:
        raise EditError(f"This node has {counted(size, 'token')}; there is no place to split it.")
    if not 0 < at < size:
        raise EditError(f"This node can be split behind its token 1 to {size - 1}, not {tokens}.")
    head = _part(node, Span.of(node).first(at))
    trees.set_aside(head, node)
    return [Split(node.id, head.id)]


def merge(trees: Trees, node: Heddle) -> list[Operation]:
    """Put a node and its parent together; the node must be the only child. Nothing is encoded.

    Raises:
        EditError: they can't be put together.
    """
    parent = node.parent
    if parent is None:
        raise EditError("This is the root: there is nothing above to merge it with.")
    if isinstance(parent, Loom):
        raise EditError("A prompt is not merged: it stands in the model's template as a whole.")
    _no_turn(node, "merged")
    _no_turn(parent, "merged")
    if len(parent.children) > 1:
        others = counted(len(parent.children) - 1, "sibling")
        raise EditError(f"This node has {others}; only an only child can be merged with its parent.")
    if trees.alike(node, parent):
        made: list[Operation] = [Join(node.id, parent.id)]
    elif node.encoded or node.tokens or parent.encoded or parent.tokens:
        raise EditError(UNREAD_TEXT)
    else:
        whole = Heddle.from_text(parent.text + node.text)
        trees.set_aside(whole, node)
        # The parent's text goes into the node by way of a content of its own, and the parent gives way.
        at = trees.index(parent)
        above = _name(parent.parent)
        made = [
            Swap(node.id, whole.id),
            Take(parent.id, 0, (node.id,)),
            Take(above, at, (parent.id,)),
            Hang(above, at, (node.id,)),
        ]
    if node.kind is not parent.kind:
        made.append(Set(node.id, Field.KIND, str(node.kind), str(Kind.EDITED)))
    return made


def edit(trees: Trees, node: Heddle, text: str, *, sibling: bool) -> list[Operation]:
    """Give a node another text, in its place, or as a new node right behind it.

    Raises:
        EditError: there are children, which go on from the text that is there; or nothing would change.
    """
    if text == node.source_text():
        raise EditError("Nothing was changed.")
    if not text:
        raise EditError("Nothing would be left of it; delete it instead.")
    if node.children and not sibling:
        raise EditError("There are nodes below that go on from this text; edit it as a new sibling.")
    written: Heddle
    if isinstance(node, Loom):
        written = Loom(None, None, text, chat=node.chat_template_used, system=node.system)
    elif node.is_turn:
        written = Heddle.turn(text)
    else:
        written = Heddle.from_text(text)
        written.kind = Kind.EDITED
    # In its place the new text becomes the node's, and what the node held is kept under the new node's id.
    origin = {"edited_from": node.id if sibling else written.id, "time": time.time()}
    written.provenance = {**written.provenance, **origin}
    if sibling:
        return [enter(trees, node.parent, [written], trees.index(node) + 1)]
    trees.set_aside(written, node)
    return [Swap(node.id, written.id)]


# ------------------------------------------------------------------- the marks


def bookmark(nodes: Iterable[Heddle], value: bool) -> list[Operation]:
    """Set or take away the bookmark of nodes."""
    return [
        Set(node.id, Field.BOOKMARK, node.marks.bookmark, value)
        for node in nodes
        if node.marks.bookmark != value
    ]


def tag(nodes: Iterable[Heddle], tags: tuple[str, ...]) -> list[Operation]:
    """Give nodes these tags in place of theirs."""
    return [_set(node, Field.TAGS, node.marks.tags, tags) for node in nodes if node.marks.tags != tags]


def note(node: Heddle, text: str) -> list[Operation]:
    """Give a node a note (none, if empty)."""
    return [_set(node, Field.NOTE, node.marks.note, text)] if node.marks.note != text else []


# --------------------------------------------------------------------- helpers


def _set(node: Heddle, field: Field, before: Value, after: Value) -> Set:
    return Set(node.id, field, before, after)


def _no_turn(node: Heddle, what: str) -> None:
    """See that a node is no chat turn."""
    if node.is_turn:
        raise EditError(
            f"A chat turn is not {what}: it stands in the model's template as a whole. Edit it instead."
        )


def _need_tokens(node: Heddle) -> None:
    """See that a node's token ids are known; those of another model will do."""
    if not (node.encoded or node.tokens):
        raise EditError(UNREAD_TEXT)


def _part(node: Heddle, span: Span) -> Heddle:
    """A new node of a part of another one's tokens, with where they come from."""
    part = Heddle.from_span([], "", [], kind=node.kind, model=node.model, tokenizer=node.tokenizer)
    kept = (*SHARED, "seed", "time", FIRST_STEP)
    part.provenance = {key: node.provenance[key] for key in kept if key in node.provenance}
    part.created = node.created
    part.encoded = node.encoded
    span.put(part)
    return part


def _name(node: Heddle | None) -> str | None:
    return None if node is None else node.id


def _names(nodes: Iterable[Heddle]) -> tuple[str, ...]:
    return tuple(node.id for node in nodes)
