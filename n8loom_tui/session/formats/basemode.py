"""The files of basemode-loom: a list of nodes that name their parents.

    {"version": 1, "nodes": [{"id", "parent_id", "tree_id", "kind": "root" | "text" | "context", "text", "context_id",
      "model", "strategy", "max_tokens", "temperature", "checked_out", "created_at", "metadata": {"bookmarked", …}}]}

Older files have `root_id` for `tree_id`, and `branch_index`. Siblings stand in the order of `created_at`, in older
files in that of `branch_index` first. A node of kind "context" is no part of a tree: it is what the model was told
before the text of the nodes whose `context_id` names it. `checked_out` marks, below each node, the child that was
visited last.
`metadata` is an open table: what basemode-loom has no word for stands there under a key of our own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from n8loom_tui.loom.heddle import Kind
from n8loom_tui.session.provenance import number
from n8loom_tui.session.record import to_json

from . import json_out, own, values
from .facts import EVERYTHING, Fact
from .format import Format
from .hang import Entry, flat
from .limits import LATEST
from .outline import Node, Outline
from .tally import Tally

_KEYS = frozenset(
    {
        "id", "parent_id", "tree_id", "root_id", "kind", "text", "context_id", "model", "strategy", "max_tokens",
        "temperature", "branch_index", "checked_out", "created_at", "metadata",
    }
)  # fmt: skip
_METADATA_KEYS = frozenset({"bookmarked", "name", "context", own.KEY})
_CONTEXT = "context"
_LEFT_OUT = frozenset({Fact.LOGPROBS, Fact.TOKENS, Fact.ODDS})
_OWN = EVERYTHING - _LEFT_OUT - {Fact.BOOKMARK, Fact.TITLE}
"""What stands in a node's `metadata` under our own key."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICKS = 1_000_000
"""A second; basemode-loom's times are that fine."""


def _recognises(value: Any) -> bool:
    nodes = value.get("nodes") if isinstance(value, dict) else None
    return isinstance(nodes, list) and any(
        isinstance(node, dict) and "parent_id" in node and "text" in node for node in nodes
    )


# --------------------------------------------------------------------- reading


def _read(value: Any, tally: Tally) -> Outline:
    tally.unknown(value, frozenset({"version", "nodes"}))
    raws = [raw for raw in value["nodes"] if isinstance(raw, dict)]
    tally.mended.update({"Entries that are no nodes, left out": len(value["nodes"]) - len(raws)})
    contexts = {
        raw["id"]: values.note(raw.get("text"), tally)
        for raw in raws
        if raw.get("kind") == _CONTEXT and isinstance(raw.get("id"), str)
    }
    keyed: list[tuple[tuple[float, ...], Entry]] = []
    checked: set[int] = set()
    inherited = {raw["id"]: raw.get("context_id") for raw in raws if isinstance(raw.get("id"), str)}
    for place, raw in enumerate(raws):
        if raw.get("kind") == _CONTEXT:
            continue
        node = _node(raw, tally)
        context = raw.get("context_id")
        parent = raw.get("parent_id")
        if isinstance(context, str) and not (isinstance(parent, str) and inherited.get(parent) == context):
            node.add_note(_told(contexts.get(context, "")))
        if values.flag(raw.get("checked_out")):
            checked.add(id(node))
        entry = Entry(values.key(raw.get("id")), values.key(parent), node)
        keyed.append(((*_order(raw), float(place)), entry))
    keyed.sort(key=lambda pair: pair[0])
    roots = flat((entry for _, entry in keyed), tally)
    return Outline(roots, _stood_on(roots, checked))


def _told(context: str) -> str:
    return f"Context: {context}" if context else ""


def _order(raw: dict[str, Any]) -> tuple[float, float, float]:
    """By what basemode-loom sorts siblings."""
    branch = number(raw.get("branch_index"))
    created = values.moment(raw.get("created_at"), Tally())
    return (0.0 if branch is not None else 1.0, branch or 0.0, created or 0.0)


def _node(raw: dict[str, Any], tally: Tally) -> Node:
    tally.unknown(raw, _KEYS)
    node = Node(values.safe_id(values.key(raw.get("id"))), values.text(raw.get("text"), tally))
    node.model = values.name(raw.get("model"), tally)
    node.kind = Kind.GENERATED if node.model else None
    node.created = values.moment(raw.get("created_at"), tally)
    names = (("temp", "temperature"), ("max_tokens", "max_tokens"), ("strategy", "strategy"))
    node.params = values.params(((ours, raw.get(theirs)) for ours, theirs in names), tally)
    metadata = raw.get("metadata")
    if isinstance(metadata, dict):
        tally.unknown(metadata, _METADATA_KEYS)
        node.bookmark = values.flag(metadata.get("bookmarked"))
        node.title = values.name(metadata.get("name"), tally)
        node.add_note(_told(values.note(metadata.get("context"), tally)))
        if isinstance(ours := metadata.get(own.KEY), dict):
            own.from_own(ours, node, tally)
    return node


def _stood_on(roots: list[Node], checked: set[int]) -> Node | None:
    """Where the children visited last lead to."""
    for root in roots:
        node = root
        while (below := next((child for child in node.children if id(child) in checked), None)) is not None:
            node = below
        if node is not root:
            return node
    return None


# --------------------------------------------------------------------- writing


def _write(outline: Outline) -> Iterator[str]:
    yield '{"version":1,"nodes":['
    yield from json_out.entries(_nodes(outline))
    yield "]}\n"


def _nodes(outline: Outline) -> Iterator[str]:
    visited = _ways_to(outline)
    stack: list[tuple[Node, Node | None, Node, int]] = []
    stack += [(root, None, root, created) for root, created in reversed(_rising(outline.roots))]
    while stack:
        node, parent, root, created = stack.pop()
        yield to_json(_entry(node, parent, root, created, id(node) in visited))
        stack += [(child, node, root, at) for child, at in reversed(_rising(node.children))]


def _ways_to(outline: Outline) -> set[int]:
    """The nodes down to the one that the person stood on, without the root."""
    above: dict[int, Node] = {id(child): node for node in outline.walk() for child in node.children}
    visited: set[int] = set()
    node = outline.current
    while node is not None and (parent := above.get(id(node))) is not None:
        visited.add(id(node))
        node = parent
    return visited


def _rising(nodes: list[Node]) -> list[tuple[Node, int]]:
    """Siblings with times, in microseconds, that keep them in their order."""
    result: list[tuple[Node, int]] = []
    last = -1
    for node in nodes:
        last = max(round(min(max(node.created or 0.0, 0.0), LATEST - 1) * _TICKS), last + 1)
        result.append((node, last))
    return result


def _entry(node: Node, parent: Node | None, root: Node, created: int, checked: bool) -> dict[str, Any]:
    metadata: dict[str, Any] = {"bookmarked": True} if node.bookmark else {}
    if node.title:
        metadata["name"] = node.title
    if ours := _ours(node, parent, created):
        metadata[own.KEY] = ours
    when = (_EPOCH + timedelta(microseconds=created)).isoformat(timespec="microseconds")
    strategy, most = node.params.get("strategy"), node.params.get("max_tokens")
    return {
        "id": node.id,
        "parent_id": None if parent is None else parent.id,
        "tree_id": root.id,
        "kind": "root" if parent is None else "text",
        "text": node.text,
        "context_id": None,
        "model": node.model or None,
        "strategy": strategy if _is_name(strategy) else None,
        "max_tokens": most if isinstance(most, int) else None,
        "temperature": number(node.params.get("temp")),
        "checked_out": checked,
        "created_at": when.replace("+00:00", "Z"),
        "metadata": metadata,
    }


def _ours(node: Node, parent: Node | None, created: int) -> dict[str, Any]:
    """What the other values of an entry do not tell already."""
    ours = own.to_own(node, root=parent is None, facts=_OWN)
    ours.pop("model", None)
    if node.model and node.kind is not None:
        ours["kind"] = str(node.kind)
        if node.kind is Kind.GENERATED:
            del ours["kind"]
    if node.created == created / _TICKS:
        ours.pop("created", None)
    if not node.params.keys() - {"temp", "max_tokens", "strategy"} and _is_name(node.params.get("strategy")):
        ours.pop("params", None)
    return ours


def _is_name(strategy: Any) -> bool:
    return strategy is None or isinstance(strategy, str)


FORMAT = Format(
    "basemode-loom",
    "basemode-loom",
    _recognises,
    _read,
    _write,
    holds=EVERYTHING - _LEFT_OUT,
    current=True,
    aliases=("basemode",),
)
