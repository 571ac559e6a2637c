"""The files of PyLoom (socketteer's loom): one JSON object, whose `root` is a tree.

    {"root": node, "tags": {name: {"name", "scope", …}}, "chapters": {id: {"id", "root_id", "title"}},
     "canonical": [id, …], "selected_node_id": id, "model_responses": {id: response}, …}
    node: {"id", "text", "children": [node, …], "mutable", "open", "visited", "tags": [name, …], "notes": [text, …],
           "meta": {"source": "AI" | "prompt" | "mixed", "creation_timestamp", …}, "generation": {"id", "index"}, …}
    response: {"id", "model", "timestamp", "completions": [{"text", "finishReason", "tokens": [token, …]}]}
    token: {"generatedToken": {"token", "logprob"}, "position", "counterfactuals": {token: logprob} | null}

The root is an empty text that cannot be changed; the trees hang below it. `meta` is an open table: what PyLoom has no
word for stands there under a key of our own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from n8loom_tui.loom.bounds import MOST_ALTERNATIVES
from n8loom_tui.loom.heddle import Kind
from n8loom_tui.session.provenance import whole
from n8loom_tui.session.record import to_json

from . import json_out, own, values
from .facts import EVERYTHING, Fact
from .format import Format
from .hang import nested
from .limits import LATEST
from .outline import Node, Outline, Pieces
from .pieces import fitted
from .tally import Tally

NODE_KEYS = frozenset(
    {
        "id", "parent_id", "parentId", "text", "children", "mutable", "open", "visited", "tags", "notes", "meta",
        "generation", "chapter_id", "bookmark", "canonical", "archived",
    }
)  # fmt: skip
_FILE_KEYS = frozenset({"root", "tags", "chapters", "canonical", "selected_node_id", "model_responses"})
_META_KEYS = frozenset({"source", "creation_timestamp", "modified", "origin", own.KEY})
_SOURCES: dict[str, Kind | None] = {"AI": Kind.GENERATED, "mixed": Kind.EDITED, "prompt": None}
_OLD_MARKS = ("bookmark", "canonical", "archived")
_TIME = "%Y-%m-%d-%H.%M.%S"
"""Local time, as PyLoom writes it."""
_BOOKMARK = "bookmark"

_OWN = EVERYTHING - {
    Fact.BOOKMARK,
    Fact.TAGS,
    Fact.NOTE,
    Fact.UNREAD,
    Fact.FOLDED,
    Fact.FINISH,
    Fact.LOGPROBS,
    Fact.TOKENS,
    Fact.ODDS,
}
"""What stands in a node's `meta` under our own key."""


def _recognises(value: Any) -> bool:
    root = value.get("root") if isinstance(value, dict) else None
    return isinstance(root, dict) and ("text" in root or "children" in root)


# --------------------------------------------------------------------- reading


def _read(value: Any, tally: Tally) -> Outline:
    tally.unknown(value, _FILE_KEYS)
    maker = NodeMaker(value, tally)
    roots = nested([value["root"]], maker.node, tally)
    root = roots[0]
    if not root.text and not value["root"].get("mutable", True):
        roots = root.children
    outline = Outline(roots)
    maker.finish(outline)
    return outline


class NodeMaker:
    """Nodes of PyLoom's. `file` is the object around the tree; {} where there is none."""

    def __init__(self, file: dict[str, Any], tally: Tally) -> None:
        self._tally = tally
        self._responses = _table(file.get("model_responses"))
        self._titles = {
            chapter_id: values.name(chapter.get("title"), tally)
            for chapter_id, chapter in _table(file.get("chapters")).items()
            if isinstance(chapter, dict)
        }
        canonical = file.get("canonical")
        self._canonical = (
            {i for i in canonical if isinstance(i, str)} if isinstance(canonical, list) else set()
        )
        self._selected = file.get("selected_node_id")
        self._current: Node | None = None

    def node(self, raw: dict[str, Any]) -> Node:
        """A node of an object, without its children."""
        tally = self._tally
        tally.unknown(raw, NODE_KEYS)
        known = values.key(raw.get("id"))
        node = Node(values.safe_id(known), values.text(raw.get("text"), tally))
        if known is not None and known == self._selected:
            self._current = node
        self._marks(raw, known, node)
        if "open" in raw:
            node.folded = not values.flag(raw["open"])
        node.unread = "visited" in raw and not values.flag(raw["visited"])
        node.title = self._titles.get(str(raw.get("chapter_id")), "")
        meta = _table(raw.get("meta"))
        tally.unknown(meta, _META_KEYS)
        generation = _table(raw.get("generation"))
        usual = Kind.GENERATED if generation else None
        node.kind = _SOURCES.get(str(meta.get("source")), usual)
        node.created = _moment(meta.get("creation_timestamp"), tally)
        if generation:
            self._generation(generation, node)
        if isinstance(ours := meta.get(own.KEY), dict):
            own.from_own(ours, node, tally)
        return node

    def _marks(self, raw: dict[str, Any], known: str | None, node: Node) -> None:
        tags = list(values.tags(raw.get("tags"), self._tally))
        tags += [mark for mark in _OLD_MARKS if values.flag(raw.get(mark))]
        if known in self._canonical:
            tags.append("canonical")
        node.bookmark = _BOOKMARK in tags
        node.tags = tuple(tag for tag in dict.fromkeys(tags) if tag != _BOOKMARK)
        notes = raw.get("notes")
        for text in notes if isinstance(notes, list) else [notes]:
            node.add_note(values.note(text, self._tally))

    def _generation(self, generation: dict[str, Any], node: Node) -> None:
        """What the response that a node came from tells of it."""
        response = _table(self._responses.get(str(generation.get("id"))))
        node.model = values.name(response.get("model"), self._tally)
        if node.created is None:
            node.created = _moment(response.get("timestamp"), self._tally)
        completions = response.get("completions")
        if not isinstance(completions, list):
            return
        index = whole(generation.get("index"), 0, len(completions) - 1)
        if index is None:
            return
        completion = _table(completions[index])
        reason = completion.get("finishReason")
        if isinstance(reason, dict):
            reason = reason.get("reason")
        node.finish = values.name(reason, self._tally) or None
        tokens = completion.pop("tokens", None)
        if isinstance(tokens, list) and tokens:
            pieces = fitted(_pieces(tokens), node.text, self._tally)
            node.pieces = partial(_known, pieces) if pieces is not None else None

    def finish(self, outline: Outline) -> None:
        """Where the person stood."""
        outline.current = self._current


def _known(pieces: Pieces) -> Pieces:
    return pieces


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _moment(value: Any, tally: Tally) -> float | None:
    if isinstance(value, str):
        try:
            return max(datetime.strptime(value[:40], _TIME).astimezone().timestamp(), 0.0)
        except (ValueError, OverflowError, OSError):
            pass
    return values.moment(value, tally)


def _pieces(tokens: list[Any]) -> Pieces:
    """The tokens of a completion, which are let go one by one to free the memory. What is none is passed over."""
    pieces = Pieces()
    for index, token in enumerate(tokens):
        tokens[index] = None
        raw = _table(token)
        made = _table(raw.get("generatedToken"))
        text = made.get("token")
        if isinstance(text, str):
            pieces.texts.append(text)
            pieces.logprobs.append(values.logprob(made.get("logprob")))
            pieces.alternatives.append(_alternatives(raw.get("counterfactuals")))
    if not any(pieces.alternatives):
        pieces.alternatives = []
    if all(logprob is None for logprob in pieces.logprobs):
        pieces.logprobs = []
    return pieces


def _alternatives(found: Any) -> list[str | float]:
    """Texts and log probabilities in turn, the best first. Old files have a list of tables with one entry each."""
    tables = found if isinstance(found, list) else [found]
    known = [
        (logprob, text)
        for table in tables
        for text, value in _table(table).items()
        if (logprob := values.logprob(value)) is not None
    ]
    known.sort(key=lambda pair: -pair[0])
    return [entry for logprob, text in known[:MOST_ALTERNATIVES] for entry in (text, logprob)]


# --------------------------------------------------------------------- writing


def _write(outline: Outline) -> Iterator[str]:
    names = dict.fromkeys(tag for node in outline.walk() for tag in node.tags)
    tags = {name: _tag(name) for name in (_BOOKMARK, *names)}
    root = Node(_root_id(outline), children=outline.roots)
    yield '{"root":'
    yield from json_out.nested(root, lambda node, parent: _head(node, parent, root))
    selected = outline.current or next(iter(outline.roots), root)
    rest = {"chapters": {}, "canonical": [], "memories": {}, "summaries": {}, "tags": tags}
    yield ",\n" + to_json({**rest, "selected_node_id": selected.id})[1:-1]
    yield ',\n"model_responses":{'
    yield from json_out.entries(_response(node) for node in outline.walk() if _generated(node))
    yield "}}\n"


def _root_id(outline: Outline) -> str:
    """An id that no node has."""
    taken = {node.id for node in outline.walk()}
    name = "root"
    while name in taken:
        name += "-"
    return name


def _tag(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "scope": "node",
        "hide": False,
        "show_only": False,
        "toggle_key": "b" if name == _BOOKMARK else "None",
        "icon": "bookmark-black" if name == _BOOKMARK else "None",
    }


def _head(node: Node, parent: Node | None, root: Node) -> dict[str, Any]:
    head: dict[str, Any] = {"id": node.id, "text": node.text, "mutable": parent is not None}
    if parent is None:
        return head | {"visited": True, "open": True}
    head |= {"parent_id": parent.id, "visited": not node.unread, "open": not node.folded}
    tags = [_BOOKMARK] * node.bookmark + list(node.tags)
    if tags:
        head["tags"] = tags
    if node.note:
        head["notes"] = [node.note]
    source = next((name for name, kind in _SOURCES.items() if kind is node.kind), "prompt")
    meta: dict[str, Any] = {"source": source, "modified": False}
    if node.created is not None:
        meta["creation_timestamp"] = _stamp(node.created)
    ours = own.to_own(node, root=parent is root, facts=_OWN)
    ours.pop("model", None)
    if _SOURCES[source] is not None:
        ours.pop("kind", None)
    if ours:
        meta[own.KEY] = ours
    head["meta"] = meta
    if _generated(node):
        head["generation"] = {"id": _response_id(node), "index": 0}
    return head


def _generated(node: Node) -> bool:
    return bool(node.model) or node.finish is not None or node.pieces is not None


def _response_id(node: Node) -> str:
    return f"{own.KEY}-{node.id}"


def _stamp(created: float) -> str:
    return time.strftime(_TIME, time.localtime(min(max(created, 0.0), LATEST)))


def _response(node: Node) -> str:
    """The response that a node came from, as a name with its value."""
    pieces = node.pieces() if node.pieces is not None else Pieces()
    tokens, at = [], 0
    for index, text in enumerate(pieces.texts):
        found = pieces.alternatives[index] if pieces.alternatives else []
        made = {"token": text, "logprob": pieces.logprobs[index] if pieces.logprobs else None}
        alternatives = dict(zip(found[::2], found[1::2], strict=True)) or None
        position = {"start": at, "end": at + len(text)}
        tokens.append({"generatedToken": made, "position": position, "counterfactuals": alternatives})
        at += len(text)
    completion = {"text": node.text, "finishReason": node.finish, "tokens": tokens}
    response = {
        "id": _response_id(node),
        "model": node.model or None,
        "timestamp": None if node.created is None else _stamp(node.created),
        "prompt": {"text": "", "tokens": None},
        "completions": [completion],
    }
    return f"{to_json(_response_id(node))}:{to_json(response)}"


FORMAT = Format(
    "pyloom",
    "PyLoom",
    _recognises,
    _read,
    _write,
    holds=EVERYTHING - {Fact.TOKENS, Fact.ODDS},
    current=True,
)
