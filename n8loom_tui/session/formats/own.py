"""All that can be known of a node as one JSON object of our own making: a line of JSON lines, and what is put into
other formats where they leave room for a program's own values."""

from __future__ import annotations

from functools import partial
from typing import Any

from n8loom_tui.loom.heddle import Kind
from n8loom_tui.session.provenance import whole

from . import values
from .facts import EVERYTHING, Fact
from .outline import Node, Pieces
from .pieces import checked
from .tally import Tally

KEY = "n8loom"
"""Where another format has room for it."""

TOLD = frozenset({"model", "fingerprint", "params", "seed"})
"""The keys of a provenance that a node has fields for."""

_KINDS = {str(kind): kind for kind in Kind}
KEYS = frozenset(
    {
        "kind", "framing", "prompt", "finish", "terminal", "created", "model", "fingerprint", "params", "seed",
        "bookmark", "tags", "note", "unread", "folded", "title", "letters", "texts", "tokens", "logprobs",
        "alternatives", "others", "entropies", "provenance",
    }
)  # fmt: skip


def to_own(node: Node, *, root: bool, facts: frozenset[Fact] = EVERYTHING) -> dict[str, Any]:
    """These facts about a node, those that there are and do not go without saying, of JSON's types."""
    plain = node.kind is (Kind.PROMPT if root else Kind.WRITTEN)
    found: dict[str, tuple[Fact, Any]] = {
        "kind": (Fact.KIND, None if plain or node.kind is None else str(node.kind)),
        "framing": (Fact.FRAMING, "chat" if node.chat else None),
        "prompt": (Fact.FRAMING, node.prompt if node.chat else None),
        "finish": (Fact.FINISH, node.finish),
        "terminal": (Fact.TERMINAL, node.terminal),
        "created": (Fact.CREATED, node.created),
        "model": (Fact.MODEL, node.model),
        "fingerprint": (Fact.MODEL, node.fingerprint),
        "params": (Fact.PARAMS, node.params),
        "seed": (Fact.SEED, node.seed),
        "bookmark": (Fact.BOOKMARK, node.bookmark),
        "tags": (Fact.TAGS, list(node.tags)),
        "note": (Fact.NOTE, node.note),
        "unread": (Fact.UNREAD, node.unread),
        "folded": (Fact.FOLDED, node.folded),
        "letters": (Fact.LETTERS, list(node.letters)),
        "title": (Fact.TITLE, node.title),
        "provenance": (Fact.MORE, node.more),
    }
    wanted = {key: value for key, (fact, value) in found.items() if fact in facts}
    if node.pieces is not None and Fact.LOGPROBS in facts:
        pieces = node.pieces()
        wanted |= {"texts": pieces.texts, "logprobs": pieces.logprobs, "alternatives": pieces.alternatives}
        wanted |= {"tokens": pieces.tokens, "others": pieces.others, "entropies": pieces.entropies}
    return {
        key: value for key, value in wanted.items() if not (value is False or value in (None, "", [], {}))
    }


def from_own(found: dict[str, Any], node: Node, tally: Tally) -> None:
    """Put such facts on a node, whose text is known already. What makes no sense is left out and counted."""
    node.kind = _KINDS.get(str(found.get("kind")), node.kind)
    if found.get("framing") == "chat":
        node.chat = True
        node.prompt = values.text(found["prompt"], tally) if "prompt" in found else None
    node.finish = values.name(found.get("finish"), tally) or node.finish
    node.terminal = values.flag(found.get("terminal")) or node.terminal
    created = values.moment(found.get("created"), tally)
    node.created = node.created if created is None else created
    node.model = values.name(found.get("model"), tally) or node.model
    node.fingerprint = values.name(found.get("fingerprint"), tally)
    params = found.get("params")
    if isinstance(params, dict):
        node.params = values.params(params.items(), tally)
    node.seed = whole(found.get("seed"), 0, 2**64)
    node.bookmark = values.flag(found.get("bookmark")) or node.bookmark
    node.tags = values.tags(found.get("tags"), tally) or node.tags
    node.note = values.note(found.get("note"), tally) or node.note
    node.unread = values.flag(found.get("unread")) or node.unread
    node.folded = values.flag(found.get("folded")) or node.folded
    node.letters = values.letters(found.get("letters"), tally)
    node.title = values.name(found.get("title"), tally) or node.title
    more = found.get("provenance")
    if isinstance(more, dict):
        node.more = values.provenance(more, TOLD, tally)
    pieces = checked(found, node.text, tally)
    if pieces is not None:
        node.pieces = partial(_known, pieces)


def _known(pieces: Pieces) -> Pieces:
    return pieces
