"""An outline into heddles. No tokenizer is asked: texts are encoded when they are first continued."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from n8loom_tui.loom.heddle import Heddle, Kind, Loom, new_id
from n8loom_tui.loom.marks import NO_MARKS, Marks
from n8loom_tui.session.record import ModelRef

from .hang import REPEATED
from .outline import Node, Outline
from .pieces import IMPORTED, odds_of
from .tally import Tally


@dataclass(slots=True)
class Planted:
    """Trees as they enter a session. `models`: by node id, whose token ids a node holds; `letters`: by letter
    mark, the id of its node."""

    roots: list[Heddle] = field(default_factory=list)
    current: Heddle | None = None
    folded: set[str] = field(default_factory=set)
    models: dict[str, ModelRef] = field(default_factory=dict)
    letters: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)


def plant(outline: Outline, tally: Tally) -> Planted:
    """Heddles of an outline's nodes. Ids are kept; one that comes again is replaced by a new one."""
    planted = Planted()
    now = time.time()
    stack: list[tuple[Node, Heddle | None]] = [(root, None) for root in reversed(outline.roots)]
    while stack:
        node, parent = stack.pop()
        heddle = _heddle(node, parent, now, planted, tally)
        if node is outline.current:
            planted.current = heddle
        stack.extend((child, heddle) for child in reversed(node.children))
    return planted


def _heddle(node: Node, parent: Heddle | None, now: float, planted: Planted, tally: Tally) -> Heddle:
    if parent is None:
        shown = node.text if not node.chat or node.prompt is None else node.prompt
        heddle: Heddle = Loom(None, None, shown, chat=node.chat)
        heddle.set_span([], node.text, [])
        heddle.encoded = False
        planted.roots.append(heddle)
    else:
        heddle = Heddle.from_text(node.text)
        heddle.parent = parent
        parent.children.append(heddle)
    if node.id in planted.taken:
        tally.mended[REPEATED] += 1
    heddle.id = node.id if node.id and node.id not in planted.taken else new_id()
    planted.taken.add(heddle.id)
    heddle.kind = node.kind or (Kind.PROMPT if parent is None else Kind.WRITTEN)
    heddle.finish, heddle.terminal = node.finish, node.terminal
    heddle.created = now if node.created is None else node.created
    _provenance(node, heddle, planted)
    marks = Marks(node.bookmark, node.tags, node.note, node.unread)
    heddle.marks = NO_MARKS if marks == NO_MARKS else marks  # shared by the many that have none
    planted.letters |= dict.fromkeys(node.letters, heddle.id)
    if node.folded and node.children:
        planted.folded.add(heddle.id)
    return heddle


def _provenance(node: Node, heddle: Heddle, planted: Planted) -> None:
    known: dict[str, Any] = {**node.more}
    if node.model:
        known["model"] = node.model
    if node.fingerprint:
        known["fingerprint"] = node.fingerprint
    if node.params:
        known["params"] = node.params
    if node.seed is not None:
        known["seed"] = node.seed
    imported: dict[str, Any] = dict(known[IMPORTED]) if isinstance(known.get(IMPORTED), dict) else {}
    if node.title:
        imported["title"] = node.title
    if node.pieces is not None:
        imported |= _pieces(node, heddle, planted)
    if imported:
        known[IMPORTED] = imported
    heddle.provenance = known


def _pieces(node: Node, heddle: Heddle, planted: Planted) -> dict[str, Any]:
    """Put a node's tokens on its heddle. Returns what a heddle has no place for, since it is told by texts."""
    assert node.pieces is not None
    pieces = node.pieces()
    exact = bool(pieces.tokens and node.fingerprint)
    if exact:
        told_by_texts = bool(pieces.alternatives) and not (pieces.others or pieces.entropies)
        odds = None if told_by_texts else odds_of(pieces)
        heddle.set_span(pieces.tokens, node.text, list(accumulate(map(len, pieces.texts))), odds)
        planted.models[heddle.id] = ModelRef(node.model, node.fingerprint)
    if not (pieces.alternatives or (pieces.logprobs and not exact)):
        return {}
    columns = {"texts": pieces.texts, "logprobs": pieces.logprobs, "alternatives": pieces.alternatives}
    return {name: column for name, column in columns.items() if column}
