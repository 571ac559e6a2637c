"""What can be known of a node, by name: so that each format can say what it holds, and what it had to leave out."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from n8loom_tui.loom.heddle import Kind

from .outline import Node, Outline
from .tally import Tally

_TIME = "time"
"""What a provenance calls the time that `created` tells."""


class _Fact(NamedTuple):
    label: str
    known: Callable[[Node], bool]


class Fact(Enum):
    """One thing that may be known of a node, with what it is called for people."""

    KIND = _Fact("who wrote it", lambda node: node.kind in {Kind.GENERATED, Kind.EDITED, Kind.TURN})
    FRAMING = _Fact("that a prompt stands in a chat template", lambda node: node.chat)
    TERMINAL = _Fact("that the model ended there", lambda node: node.terminal)
    FINISH = _Fact("why a branch ended", lambda node: node.finish is not None)
    CREATED = _Fact("time", lambda node: node.created is not None)
    MODEL = _Fact("model", lambda node: bool(node.model))
    PARAMS = _Fact("sampling values", lambda node: bool(node.params))
    SEED = _Fact("seed", lambda node: node.seed is not None)
    BOOKMARK = _Fact("bookmark", lambda node: node.bookmark)
    TAGS = _Fact("tags", lambda node: bool(node.tags))
    NOTE = _Fact("note", lambda node: bool(node.note))
    UNREAD = _Fact("that it is unread", lambda node: node.unread)
    FOLDED = _Fact("that it is folded", lambda node: node.folded)
    LETTERS = _Fact("letter mark", lambda node: bool(node.letters))
    TITLE = _Fact("title", lambda node: bool(node.title))
    TOKENS = _Fact("token ids", lambda node: node.has_tokens)
    LOGPROBS = _Fact("token probabilities", lambda node: node.has_logprobs)
    ODDS = _Fact("alternatives by token id, and entropies", lambda node: node.has_odds)
    MORE = _Fact("further provenance", lambda node: bool(node.more.keys() - {_TIME}))


CURRENT = "where you stood"
EVERYTHING = frozenset(Fact)


def leave_out(outline: Outline, holds: frozenset[Fact], current: bool, tally: Tally) -> None:
    """Count what a format that `holds` only these facts leaves out; `current`: it knows where the person stood."""
    missing = [fact.value for fact in Fact if fact not in holds]
    for node in outline.walk():
        for label, known in missing:
            if known(node):
                tally.left_out[label] += 1
    if outline.current is not None and not current:
        tally.left_out[CURRENT] += 1
